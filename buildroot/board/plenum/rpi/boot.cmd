# Which of the two slots starts on a Raspberry Pi: U-Boot's half of RAUC's bookkeeping.
#
# BOOT_ORDER names the first slot first, BOOT_A_LEFT and BOOT_B_LEFT say how many tries a slot has left. RAUC gives a slot
# it has just filled one try (boot-attempts-primary), a slot that was marked good three (boot-attempts), a bad one none.
# The environment lies twice on the medium, so a torn copy leaves the other one. A slot whose kernel does not load leads to
# the next one, and when no slot has tries left all of them are started regardless: old or new, never neither.

test "${BOOT_ORDER}" = "A B" || test "${BOOT_ORDER}" = "B A" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3
test -n "${devnum}" || setenv devnum 0
setenv args "ro rootwait=60 quiet oops=panic panic=10 systemd.volatile=state"
# The identity that the first boot made, for a root file system that cannot keep one.
test -n "${MACHINE_ID}" && setenv args "${args} systemd.machine_id=${MACHINE_ID}"

# The second round is for the case that the first one found nothing to start.
for round in 1 2; do
  for slot in ${BOOT_ORDER}; do
    setenv left 0
    if test "${slot}" = "A"; then
      setenv left ${BOOT_A_LEFT}
      setenv part 2
      setenv id 8d7c1a40-5f0e-4c63-9d5a-3c1f7e2b000a
    fi
    if test "${slot}" = "B"; then
      setenv left ${BOOT_B_LEFT}
      setenv part 3
      setenv id 8d7c1a40-5f0e-4c63-9d5a-3c1f7e2b000b
    fi
    if test ${left} -gt 0; then
      setexpr left ${left} - 1
      setenv BOOT_${slot}_LEFT ${left}
      saveenv
      echo "Plenum: slot ${slot}, ${left} more tries"
      setenv bootargs "root=PARTUUID=${id} ${args} rauc.slot=${slot}"
      if load mmc ${devnum}:${part} ${kernel_addr_r} /boot/kernel; then
        booti ${kernel_addr_r} - ${fdt_addr}
      fi
      echo "Plenum: slot ${slot} does not load"
    fi
  done
  if test ${round} = 1; then
    echo "Plenum: all tries are used up, they begin anew"
    setenv BOOT_A_LEFT 1
    setenv BOOT_B_LEFT 1
    saveenv
  fi
done

echo "Plenum: neither slot could be started. The next attempt is in 30 seconds."
sleep 30
reset
