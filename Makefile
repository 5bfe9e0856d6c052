# Plenum. The two commands a newcomer needs: make run, make test. Both install what they need (Debian packages, Go
# modules, npm packages); Go and Node have to be there.

TAGS   := dynamic,nolibopusfile
GO     ?= go
GOTEST  = $(GO) test -tags $(TAGS)
WEB    := device/console/web
# What the build links, and what the tests drive.
BUILD_PACKAGES := gcc libc6-dev pkg-config libvpx-dev libopus-dev libasound2-dev
TEST_PACKAGES  := chromium python3-aiortc python3-aiohttp
# What makes and runs the lab's guest: a Debian 12 in QEMU (test/lab).
LAB_PACKAGES   := qemu-system-x86 mmdebstrap kmod cpio e2fsprogs xz-utils make gcc libelf1
# What the benchmarks measure ours against.
BENCH_PACKAGES := ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good

export GOFLAGS := -mod=readonly

.PHONY: all run build test check web web-test pages unit e2e lab lab-test soak bench fuzz tools packages test-packages lab-packages bench-packages clean

all: build

run: build ## a virtual chamber around the real daemon
	bin/plenum-demo $(ARGS)

build: tools packages web
	$(GO) build -trimpath -tags $(TAGS) -o bin/ ./cmd/...

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
	@test -z "$$(gofmt -l cmd device hal media test)" || { gofmt -l cmd device hal media test; echo "these files need gofmt"; exit 1; }
	$(GO) vet -tags $(TAGS),lab ./...
	$(GO) tool staticcheck -tags $(TAGS),lab ./...

unit: web test-packages
	$(GOTEST) -race -timeout 20m ./cmd/... ./device/... ./hal/... ./media/... ./test/house/... ./test/lab/agent ./test/lab/frame ./test/lab/qmp

e2e: build test-packages
	$(GOTEST) -timeout 20m -count=1 ./test/e2e/...

lab: tools packages lab-packages web ## boots the lab's guest and gives a root shell in it; ARGS="-help" lists what it can be given
	$(GO) run -tags $(TAGS) ./test/lab/shell $(ARGS)

lab-test: tools packages lab-packages test-packages web ## the appliance on a real kernel's devices, in QEMU
	$(GO) test -tags $(TAGS),lab -timeout 40m -count=1 ./test/lab

soak: tools packages lab-packages test-packages web ## lab-test with the long counts: hours
	PLENUM_SOAK=1 $(GO) test -tags $(TAGS),lab -timeout 12h -count=1 -v ./test/lab

bench: build bench-packages lab-packages ## everything docs/performance.md tells, with one measurement in the lab's guest
	$(GOTEST) -v -run '^TestKernelStamp$$' -bench . -benchtime 2s ./test/bench

fuzz: ## each parser for 20 s
	scripts/fuzz.sh $(TAGS)

clean:
	rm -rf bin run $(WEB)/dist/assets $(WEB)/dist/*.html
