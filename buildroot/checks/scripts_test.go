package checks

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// target is a root file system as Buildroot hands it to post-build.sh.
func target(t *testing.T, kernel string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "boot", kernel), "kernel")
	write(t, filepath.Join(dir, "etc/hostname"), "plenum\n")
	return dir
}

func TestPostBuild(t *testing.T) {
	script := filepath.Join(tree(t), "board/plenum/common/post-build.sh")
	keys := signer(t, "codeSigning")
	t.Setenv("KEYS", keys)
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600")
	for name, kernel := range map[string]string{"x86_64": "bzImage", "rpi4": "Image", "rpi5": "Image"} {
		t.Run(name, func(t *testing.T) {
			dir := target(t, kernel)
			for range 2 { // Buildroot runs it again in the same folder
				run(t, "/", script, dir, name)
			}
			release := values(read(t, filepath.Join(dir, "usr/lib/plenum/release")))
			if release["BUILD"] != "2026-01-01T00:00:00Z" || release["COMPATIBLE"] != "plenum-"+name || release["VERSION"] == "" ||
				!regexp.MustCompile(`^\d{4}-\d\d$`).MatchString(release["SUPPORT_UNTIL"]) {
				t.Errorf("release: %v", release)
			}
			run(t, filepath.Join(dir, "boot"), "sha256sum", "--check", "SHA256SUMS")
			if got := read(t, filepath.Join(dir, "etc/rauc/system.conf")); got != render(t, "product", name, "system.conf.in") {
				t.Errorf("system.conf: %s", got)
			}
			if read(t, filepath.Join(dir, "etc/rauc/ca.pem")) != read(t, filepath.Join(keys, "ca.pem")) {
				t.Error("the image trusts another certificate")
			}
		})
	}
	for name, env := range map[string][2]string{
		"product with the development certificate": {"prod", filepath.Join(keys, "ca.pem")},
		"product without a certificate":            {"prod", ""},
		"unknown channel":                          {"beta", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PLENUM_CHANNEL", env[0])
			t.Setenv("PLENUM_CA", env[1])
			if out, err := try(t, "/", script, target(t, "bzImage"), "x86_64"); err == nil {
				t.Errorf("an image was made: %s", out)
			}
		})
	}
	t.Run("no keys", func(t *testing.T) {
		t.Setenv("KEYS", t.TempDir())
		out, err := try(t, "/", script, target(t, "bzImage"), "x86_64")
		if err == nil || !strings.Contains(out, "make dev-keys") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// A product's bundle is left for signing elsewhere; the medium's image is made with the real genimage.
func TestPostImage(t *testing.T) {
	common := filepath.Join(tree(t), "board/plenum/common")
	keys := signer(t, "codeSigning")
	prod := t.TempDir()
	run(t, prod, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
		"-subj", "/CN=Plenum release CA", "-keyout", "key.pem", "-out", "ca.pem")
	dir, images := target(t, "bzImage"), t.TempDir()
	t.Setenv("KEYS", keys)
	t.Setenv("PLENUM_CHANNEL", "prod")
	t.Setenv("PLENUM_CA", filepath.Join(prod, "ca.pem"))
	t.Setenv("PLENUM_NOTES", "What is new: less & more")
	t.Setenv("TARGET_DIR", dir)
	t.Setenv("BUILD_DIR", t.TempDir())
	run(t, "/", filepath.Join(common, "post-build.sh"), dir, "x86_64")
	write(t, filepath.Join(images, "rootfs.squashfs"), "a root file system")
	write(t, filepath.Join(images, "efi-part/EFI/BOOT/bootx64.efi"), "a boot loader")
	run(t, "/", filepath.Join(common, "post-image.sh"), images, "x86_64")

	manifest := sections(read(t, filepath.Join(images, "bundle/manifest.raucm")))["update"]
	release := values(read(t, filepath.Join(dir, "usr/lib/plenum/release")))
	if manifest["version"] != release["VERSION"] || manifest["build"] != release["BUILD"] || manifest["compatible"] != release["COMPATIBLE"] ||
		manifest["description"] != "What is new: less & more" {
		t.Errorf("the manifest %v and the release %v", manifest, release)
	}
	if read(t, filepath.Join(images, "bundle/rootfs.img")) != "a root file system" {
		t.Error("the bundle holds another root file system than the medium")
	}
	// The ESP of the medium: the boot logic, and a state that GRUB and RAUC read.
	esp := filepath.Join(images, "plenum-x86_64.img") + "@@1M"
	if got := run(t, images, "mtype", "-i", esp, "::/grub/grub.cfg"); got != read(t, board(t, "x86_64", "grub.cfg")) {
		t.Error("the medium has another grub.cfg")
	}
	for _, name := range []string{"grubenv", "grubenv.old"} {
		run(t, images, "mcopy", "-n", "-i", esp, "::/"+name, name)
		if got := run(t, images, "grub-editenv", name, "list"); got != strings.Join(fresh(), "\n")+"\n" {
			t.Errorf("%s: %s", name, got)
		}
	}

	// What went into the image is looked at once more.
	write(t, filepath.Join(dir, "etc/rauc/ca.pem"), read(t, filepath.Join(keys, "ca.pem")))
	if out, err := try(t, "/", filepath.Join(common, "post-image.sh"), images, "x86_64"); err == nil {
		t.Errorf("a product that trusts the development certificate was packed: %s", out)
	}
}
