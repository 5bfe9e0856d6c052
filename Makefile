# Plenum. The two commands a newcomer needs: make run, make test. Both install what they need (Debian packages, Go
# modules, npm packages); Go and Node have to be there. make help lists the others.

GO     ?= go
WEB    := device/console/web
# What the build links, what the unit tests drive, and what the tests of pages and of the whole product drive.
BUILD_PACKAGES := gcc libc6-dev pkg-config libvpx-dev libopus-dev libasound2-dev
UNIT_PACKAGES  := dbus-daemon dbus-bin openssl shellcheck busybox udev systemd fdisk util-linux python3-aiortc python3-aiohttp
TEST_PACKAGES  := chromium python3-aiortc python3-aiohttp
# What makes and runs the lab's guest: a Debian 12 in QEMU (test/lab).
LAB_PACKAGES   := qemu-system-x86 mmdebstrap kmod cpio e2fsprogs xz-utils make gcc libelf1 \
                  ovmf grub-efi-amd64-bin grub-common mtools dosfstools exfatprogs gdisk fdisk squashfs-tools rauc openssl
# What the benchmarks measure ours against.
BENCH_PACKAGES := ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
# Everything with tests that need neither a browser nor a virtual machine.
UNIT           := ./cmd/... ./device/... ./hal/... ./media/... ./systemd ./test/house/... ./test/lab ./test/lab/agent ./test/lab/frame ./test/lab/kernel \
                  ./test/lab/nbd ./test/lab/qmp

# The parts of make test and make quick: what fails soonest goes first, and what mostly waits runs beside another.
QUICK_PARTS := check web-test unit-quick
TEST_PARTS  := check web-test unit image-check e2e pages lab-guest+lab-box

export GOFLAGS := -mod=readonly

.DELETE_ON_ERROR: # half a target is none
.PHONY: all help run quick test build check web web-test pages unit unit-quick e2e lab lab-image lab-test lab-guest lab-box soak bench fuzz \
        tools lab-tools modules packages unit-packages test-packages lab-packages bench-packages clean

all: build

help: ## this list
	@echo "make run and make test are the two commands to begin with. All:"
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | sort | expand -t 20

run: ## a virtual chamber around the real daemon; ARGS="-help" lists what it can be given
	@echo "make run: a virtual chamber (24 desks, two cameras, three remote members) around the real daemon, until Ctrl-C."
	@echo "          It is built first: one to two minutes and 2 GB the first time, seconds later. Installs, where missing: $(BUILD_PACKAGES);"
	@echo "          fetches Go modules and npm packages. Nothing is installed outside Debian's packages, nothing leaves this machine."
	@$(MAKE) --no-print-directory build
	bin/plenum-demo $(ARGS)

quick: ## the fast path: format, vet, staticcheck, all unit tests; no browser, no virtual machine
	@echo "make quick: format, vet, staticcheck and all unit tests without the race detector: two to three minutes (five to eight the first time)."
	@echo "            Installs, where missing: $(BUILD_PACKAGES) $(UNIT_PACKAGES)."
	@scripts/tools.sh "$(GO)" disk=4
	@scripts/parts.sh quick $(QUICK_PARTS)

test: ## everything that must pass before a change lands
	@echo "make test: everything that must pass before a change lands, in these parts: $(subst +, ,$(TEST_PARTS))."
	@echo "           About half an hour on two quiet cores, 50 minutes on busy ones, 10 more the first time. Needs Debian 12, root and 8 GB of disk."
	@echo "           Installs, where missing: $(sort $(BUILD_PACKAGES) $(UNIT_PACKAGES) $(TEST_PACKAGES) $(LAB_PACKAGES) $(IMAGE_PACKAGES))."
	@scripts/tools.sh "$(GO)" debian12 root disk=8
	@scripts/parts.sh test $(TEST_PARTS)

# Without -trimpath, like everything below: whoever builds in two ways compiles all of it twice.
build: tools packages modules web ## the daemon, the command line and the demo, in bin/
	$(GO) build -o bin/ ./cmd/...

tools: # says what is missing before anything fails halfway
	@scripts/tools.sh "$(GO)"

lab-tools:
	@scripts/tools.sh "$(GO)" debian12 root

packages:
	@scripts/packages.sh $(BUILD_PACKAGES)

unit-packages:
	@scripts/packages.sh $(UNIT_PACKAGES)

test-packages:
	@scripts/packages.sh $(TEST_PACKAGES)

lab-packages:
	@scripts/packages.sh $(LAB_PACKAGES)

bench-packages:
	@scripts/packages.sh $(BENCH_PACKAGES)

modules:
	@$(GO) list -deps -test -tags lab ./... tool >/dev/null || { echo "Go modules could not be had: see what go says above; when it is about a download, check the network (and GOPROXY), then run it again." >&2; exit 1; }

web: $(WEB)/dist/index.html

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error || { echo "npm packages are missing and could not be fetched: check the network (and npm's registry setting), then run it again." >&2; exit 1; }
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(shell find $(WEB)/src $(WEB)/public $(WEB)/*.html $(WEB)/*.ts -type f 2>/dev/null)
	cd $(WEB) && npm run --silent build
	@touch $@

web-test: tools web ## the pages' types and unit tests
	cd $(WEB) && npm run --silent check && npm test --silent

pages: tools web test-packages ## every page in every state in Chromium: accessibility (axe), keyboard, touch sizes; SCENE=part-of-a-name
	cd $(WEB) && npm run --silent shots -- $(SCENE)

check: tools packages modules web ## format, vet, staticcheck
	@test -z "$$(gofmt -l cmd device hal media systemd test buildroot)" || { gofmt -l cmd device hal media systemd test buildroot; echo "these files need gofmt: gofmt -w FILE"; exit 1; }
	$(GO) vet -tags lab ./...
	$(GO) tool staticcheck -tags lab ./...

unit: tools packages modules web unit-packages ## all unit tests, with the race detector
	$(GO) test -race -timeout 30m $(UNIT)

unit-quick: tools packages modules web unit-packages ## all unit tests, without it
	$(GO) test -timeout 30m $(UNIT)

e2e: build test-packages ## the whole product: daemon, Chromium, an independent WebRTC stack
	$(GO) test -timeout 30m -count=1 ./test/e2e/...

LAB := lab-tools packages modules lab-packages web
lab: $(LAB) ## boots the lab's guest and gives a root shell in it; ARGS="-help" lists what it can be given
	$(GO) run ./test/lab/shell $(ARGS)

lab-image: $(LAB) ## a box's disk with two slots, and an update for it; ARGS="-box" of make lab boots it
	$(GO) run ./test/lab/shell -build

lab-test: lab-guest lab-box ## the appliance on a real kernel's devices, in QEMU

lab-guest: $(LAB) unit-packages ## the first half of lab-test: the daemon and the hal's tests on the kernel's virtual devices
	$(GO) test -tags lab -timeout 75m -count=1 -v ./test/lab

lab-box: $(LAB) unit-packages ## the second half: boots, updates, sticks, faults and power cuts of the box
	$(GO) test -tags lab -timeout 75m -count=1 -v -parallel 2 ./test/lab/appliance

soak: $(LAB) unit-packages ## lab-test with the long counts, and times judged: hours
	PLENUM_SOAK=1 $(GO) test -tags lab -timeout 12h -count=1 -v -p 1 -parallel 1 ./test/lab ./test/lab/appliance

bench: build bench-packages lab-packages ## everything docs/performance.md tells, with one measurement in the lab's guest
	$(GO) test -v -run '^TestKernelStamp$$' -bench . -benchtime 2s ./test/bench

fuzz: packages ## each parser for 20 s
	scripts/fuzz.sh

clean: ## removes what was built here, the lab's images included
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

image-packages:
	@scripts/packages.sh $(IMAGE_PACKAGES)

dev-keys: image-packages ## keys for development images and bundles, outside git: KEYS=/folder
	@buildroot/keys/dev-keys.sh "$(KEYS)"

image-check: tools packages modules image-packages ## the image's parts agree, boot old or new, refuse strangers; BUILDROOT=/path asks Buildroot, too
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
