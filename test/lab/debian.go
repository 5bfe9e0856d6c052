package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"plenum/test/lab/kernel"
)

// listsOld is how a script ends when the archive no longer holds what the machine's package lists name.
const listsOld = 75 // EX_TEMPFAIL of sysexits.h

// Guest runs a script that makes a guest of Debian packages: Script, with the kernel that the machine's package sources
// have all parts of. Package lists that the archive has moved on from are read anew, once; when it still does not hold what
// they name, the next older kernel is taken.
func (w *Workshop) Guest(ctx context.Context, name string, args ...string) (last string, err error) {
	var absent []kernel.Package // parts that the lists name and nobody has
	for fresh := false; ; fresh = true {
		k, none := w.kernel(ctx, fresh && absent == nil, absent)
		switch {
		case none != nil && absent != nil:
			return "", fmt.Errorf("the package archive was not reached, or lacks what the package lists name: check the network and the package sources, then run it again: %w", err)
		case none != nil:
			return "", none
		}
		last, err = w.script(ctx, []string{"LAB_KERNEL=" + k.String()}, name, args...)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != listsOld {
			return last, err
		}
		if fresh {
			absent = append(absent, k.Parts()[0])
			fmt.Fprintln(w.log, "lab: not in the archive, trying an older kernel than", k.Version)
			continue
		}
		fmt.Fprintln(w.log, "lab: the archive has moved on, reading the package lists anew")
	}
}

// kernel chooses from the machine's package lists without the parts that are absent, and reads the lists anew first when told
// to or when they know of no kernel.
func (w *Workshop) kernel(ctx context.Context, update bool, absent []kernel.Package) (kernel.Kernel, error) {
	if !update {
		if k, err := chosen(ctx, absent); err == nil || absent != nil {
			return k, err
		}
	}
	if out, err := exec.CommandContext(ctx, "apt-get", "update", "-qq").CombinedOutput(); err != nil {
		return kernel.Kernel{}, fmt.Errorf("the package lists could not be read anew: check the network and the package sources, then run it again: apt-get update: %w: %s",
			err, lastLine(string(out)))
	}
	k, err := chosen(ctx, absent)
	if err != nil {
		return k, fmt.Errorf("%w; the guest needs Debian 12's main archive with its updates and security among the machine's package sources", err)
	}
	return k, nil
}

// chosen is the choice from the package lists as they are, without the parts that are absent.
func chosen(ctx context.Context, absent []kernel.Package) (kernel.Kernel, error) {
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
	return kernel.Choose(slices.DeleteFunc(all, func(p kernel.Package) bool { return slices.Contains(absent, p) }))
}
