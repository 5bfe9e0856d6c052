# Plenum. The two commands a newcomer needs: make run, make test. Both install what they need (Debian packages, Go
# modules, npm packages); Go and Node have to be there.

TAGS   := dynamic,nolibopusfile
GO     ?= go
GOTEST  = $(GO) test -tags $(TAGS)
WEB    := device/console/web
# What the build links, and what the tests drive.
BUILD_PACKAGES := gcc libc6-dev pkg-config libvpx-dev libopus-dev libasound2-dev
TEST_PACKAGES  := chromium python3-aiortc python3-aiohttp dbus-daemon dbus-bin openssl shellcheck busybox udev systemd fdisk util-linux
# What makes and runs the lab's guest: a Debian 12 in QEMU (test/lab).
LAB_PACKAGES   := qemu-system-x86 mmdebstrap kmod cpio e2fsprogs xz-utils make gcc libelf1 \
                  ovmf grub-efi-amd64-bin grub-common mtools dosfstools exfatprogs gdisk fdisk squashfs-tools rauc openssl
# What the benchmarks measure ours against.
BENCH_PACKAGES := ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good

export GOFLAGS := -mod=readonly

.PHONY: all run build test check web web-test pages unit e2e lab lab-image lab-test soak bench fuzz tools packages test-packages lab-packages bench-packages clean

all: build

run: build ## a virtual chamber around the real daemon
	bin/plenum-demo $(ARGS)

# Without -trimpath, like everything below: whoever builds in two ways compiles all of it twice.
build: tools packages web
	$(GO) build -tags $(TAGS) -o bin/ ./cmd/...

test: build test-packages check web-test pages unit e2e lab-test ## everything that must pass before a change lands

tools: ## says what is missing before anything fails halfway
	@scripts/tools.sh "$(GO)"

packages:
	@scripts/packages.sh $(BUILD_PACKAGES)

test-packages:
	@scripts/packages.sh $(TEST_PACKAGES)

lab-packages:
	@scripts/packages.sh $(LAB_PACKAGES)

bench-packages:
	@scripts/packages.sh $(BENCH_PACKAGES)

web: $(WEB)/dist/index.html

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(shell find $(WEB)/src $(WEB)/public $(WEB)/*.html $(WEB)/*.ts -type f 2>/dev/null)
	cd $(WEB) && npm run --silent build
	@touch $@

web-test: web
	cd $(WEB) && npm run --silent check && npm test --silent

pages: web test-packages ## every page in every state in Chromium: accessibility (axe), keyboard, touch sizes
	cd $(WEB) && npm run --silent shots

check:
	@test -z "$$(gofmt -l cmd device hal media systemd test)" || { gofmt -l cmd device hal media systemd test; echo "these files need gofmt"; exit 1; }
	$(GO) vet -tags $(TAGS),lab ./...
	$(GO) tool staticcheck -tags $(TAGS),lab ./...

unit: web test-packages
	$(GOTEST) -race -timeout 20m ./cmd/... ./device/... ./hal/... ./media/... ./systemd ./test/house/... ./test/lab/agent ./test/lab/frame ./test/lab/qmp ./test/lab/nbd

e2e: build test-packages
	$(GOTEST) -timeout 20m -count=1 ./test/e2e/...

lab: tools packages lab-packages web ## boots the lab's guest and gives a root shell in it; ARGS="-help" lists what it can be given
	$(GO) run -tags $(TAGS) ./test/lab/shell $(ARGS)

lab-image: tools packages lab-packages web ## a box's disk with two slots, and an update for it; ARGS="-box" of make lab boots it
	$(GO) run -tags $(TAGS) ./test/lab/shell -build

lab-test: tools packages lab-packages test-packages web ## the appliance on a real kernel's devices, in QEMU
	$(GO) test -tags $(TAGS),lab -timeout 40m -count=1 -p 1 ./test/lab ./test/lab/appliance

soak: tools packages lab-packages test-packages web ## lab-test with the long counts: hours
	PLENUM_SOAK=1 $(GO) test -tags $(TAGS),lab -timeout 12h -count=1 -v -p 1 ./test/lab ./test/lab/appliance

bench: build bench-packages lab-packages ## everything docs/performance.md tells, with one measurement in the lab's guest
	$(GOTEST) -v -run '^TestKernelStamp$$' -bench . -benchtime 2s ./test/bench

fuzz: ## each parser for 20 s
	scripts/fuzz.sh $(TAGS)

clean:
	rm -rf bin run $(WEB)/dist/assets $(WEB)/dist/*.html

# --- The product's image (buildroot/README.md)

# What checks the image without building it.
IMAGE_PACKAGES := shellcheck python3-kconfiglib genimage mtools dosfstools e2fsprogs gdisk fdisk rauc grub-common grub-emu grub-efi-amd64-bin \
	squashfs-tools u-boot-tools openssl bsdutils dash
# What the checks with a Buildroot checkout need beside these.
BUILDROOT_PACKAGES := make gcc g++ cpio bc rsync file patch unzip wget python3-magic python3-flake8
BOARD ?= x86_64
KEYS  ?= $(HOME)/.plenum-keys
IMAGE  = $(CURDIR)/bin/image/$(BOARD)
BR     = $(MAKE) BR2_EXTERNAL=$(CURDIR)/buildroot

.PHONY: image image-check image-packages dev-keys
test: image-check

image-packages:
	@scripts/packages.sh $(IMAGE_PACKAGES)

dev-keys: image-packages ## keys for development images and bundles, outside git: KEYS=/folder
	@buildroot/keys/dev-keys.sh "$(KEYS)"

image-check: tools image-packages ## the image's parts agree, boot old or new, refuse strangers; BUILDROOT=/path asks Buildroot, too
	@test -z "$$(gofmt -l buildroot)" || { gofmt -l buildroot; echo "these files need gofmt"; exit 1; }
	$(GO) test -timeout 20m ./buildroot/...
ifdef BUILDROOT
	@scripts/packages.sh $(BUILDROOT_PACKAGES)
	BUILDROOT="$(BUILDROOT)" $(GO) test -timeout 40m -count=1 -tags buildroot -run '^TestBuildroot' -v ./buildroot/checks
else
	@echo "image-check: LEFT OUT, for want of BUILDROOT=/path/to/buildroot-2026.02.x: the checks that ask Buildroot itself."
endif

image: tools packages web ## the medium's image and the update bundle of BOARD: hours; BUILDROOT=/path/to/buildroot-2026.02.x
	@test -f "$(BUILDROOT)/Makefile" || { echo "make image needs BUILDROOT=/path/to/buildroot-2026.02.x, see buildroot/README.md"; exit 1; }
	@scripts/packages.sh $(BUILDROOT_PACKAGES)
	rm -rf bin/vendor && $(GO) mod vendor -o bin/vendor
	$(BR) -C "$(BUILDROOT)" O="$(IMAGE)" plenum_$(BOARD)_defconfig
	KEYS="$(KEYS)" FORCE_UNSAFE_CONFIGURE=1 $(BR) -C "$(IMAGE)"
	$(BR) -s --no-print-directory -C "$(IMAGE)" show-info | $(GO) run ./buildroot/sbom plenum-$(BOARD) \
		"$$(sed -n 's/^VERSION=//p' "$(IMAGE)/target/usr/lib/plenum/release")" >"$(IMAGE)/images/plenum-$(BOARD).cdx.json"
