package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"plenum/test/lab/kernel"
)

// listsOld is how a script ends when the archive no longer holds what the machine's package lists name.
const listsOld = 75 // EX_TEMPFAIL of sysexits.h

// Guest runs a script that makes a guest of Debian packages: Script, with the kernel that the machine's package sources
// have all parts of. Package lists that the archive has moved on from are read anew, once.
func (w *Workshop) Guest(ctx context.Context, name string, args ...string) (last string, err error) {
	for again := false; ; again = true {
		k, err := w.kernel(ctx, again)
		if err != nil {
			return "", err
		}
		last, err = w.script(ctx, []string{"LAB_KERNEL=" + k.String()}, name, args...)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != listsOld {
			return last, err
		}
		if again {
			return "", fmt.Errorf("the package archive was not reached, or lacks what the package lists name: check the network and the package sources, then run it again: %w", err)
		}
		fmt.Fprintln(w.log, "lab: the archive has moved on, reading the package lists anew")
	}
}

// kernel chooses from the machine's package lists, and reads these anew first when told to or when they know of no kernel.
func (w *Workshop) kernel(ctx context.Context, update bool) (kernel.Kernel, error) {
	if !update {
		if k, err := chosen(ctx); err == nil {
			return k, nil
		}
	}
	if out, err := exec.CommandContext(ctx, "apt-get", "update", "-qq").CombinedOutput(); err != nil {
		return kernel.Kernel{}, fmt.Errorf("the package lists could not be read anew: check the network and the package sources, then run it again: apt-get update: %w: %s",
			err, lastLine(string(out)))
	}
	k, err := chosen(ctx)
	if err != nil {
		return k, fmt.Errorf("%w; the guest needs Debian 12's main archive with its updates and security among the machine's package sources", err)
	}
	return k, nil
}

// chosen is the choice from the package lists as they are.
func chosen(ctx context.Context) (kernel.Kernel, error) {
	names, err := exec.CommandContext(ctx, "apt-cache", "pkgnames", "linux-").Output()
	if err != nil {
		return kernel.Kernel{}, fmt.Errorf("apt-cache pkgnames: %w", err)
	}
	args := []string{"madison"}
	for name := range strings.FieldsSeq(string(names)) {
		for _, part := range []string{"linux-image-", "linux-headers-", "linux-kbuild-", "linux-source-"} {
			if strings.HasPrefix(name, part) {
				args = append(args, name)
			}
		}
	}
	list, err := exec.CommandContext(ctx, "apt-cache", args...).Output()
	if err != nil {
		return kernel.Kernel{}, fmt.Errorf("apt-cache madison: %w", err)
	}
	all, err := kernel.Read(bytes.NewReader(list))
	if err != nil {
		return kernel.Kernel{}, err
	}
	return kernel.Choose(all)
}
