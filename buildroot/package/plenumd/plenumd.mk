################################################################################
#
# plenumd
#
################################################################################

PLENUMD_VERSION = $(shell sed -n s/^VERSION=//p $(BR2_EXTERNAL_PLENUM_PATH)/release.env)
PLENUMD_SITE = $(BR2_EXTERNAL_PLENUM_PATH)/..
PLENUMD_SITE_METHOD = local
PLENUMD_REDISTRIBUTE = NO
PLENUMD_DEPENDENCIES = host-pkgconf alsa-lib dbus libvpx opus

PLENUMD_GOMOD = plenum
PLENUMD_BUILD_TARGETS = cmd/plenumd cmd/plenumctl

# bin/vendor is copied below; the rest of these is large and not needed
PLENUMD_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /bin --exclude /run --exclude /.cache --exclude node_modules

# "make image" puts the Go modules there: in the top folder, vendor/ would
# change how every other go command works
define PLENUMD_COPY_VENDOR
	test -d $(PLENUMD_SITE)/bin/vendor || { \
		echo "bin/vendor is missing: build with 'make image BUILDROOT=...'"; \
		exit 1; \
	}
	rm -rf $(@D)/vendor
	cp -a $(PLENUMD_SITE)/bin/vendor $(@D)/vendor
endef
PLENUMD_POST_RSYNC_HOOKS += PLENUMD_COPY_VENDOR

# Those of systemd/sysusers.d: the root file system is read-only, so they are
# made when the image is. Device groups are given by the units.
define PLENUMD_USERS
	- - gpio -1 * - - - GPIO lines
	plenum -1 plenum -1 * /var/lib/plenum - - Plenum
	plenum-kiosk -1 plenum-kiosk -1 * /run/plenum-kiosk - - Displays of Plenum
endef

define PLENUMD_INSTALL_INIT_SYSTEMD
	$(@D)/systemd/install.sh $(TARGET_DIR)
endef

$(eval $(golang-package))
