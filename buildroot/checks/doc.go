// Package checks holds the image to what it promises, without building it: that partitions, boot logic, RAUC and units name
// the same things, that GRUB and U-Boot boot old or new whatever they find, that bundles of strangers are refused, and that
// no private key is in the repository. With a Buildroot checkout (build tag buildroot, variable BUILDROOT) it also asks
// Buildroot itself.
package checks
