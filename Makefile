# The front door of the project: `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo

# Where a built tree is, laid out as it is installed.
DIST := target/dist
# Each has a directory of its name there.
ISOLATORS := nspawn fly kvm
# Programs that run inside pods, or as a virtual machine's init, are linked whole: no loader, no
# library of the image's is needed. That needs flags and so a target folder of its own; naming the
# target keeps the flags away from build scripts and macros.
TRIPLE := $(shell rustc -vV | sed -n 's/^host: //p')
STATIC := target/static/$(TRIPLE)/release
STATIC_FLAGS := -C target-feature=+crt-static -C relocation-model=static
# The command needs the C library for name resolution, but no second library just to print a
# backtrace: the linker is shown the static unwinder under the shared one's name. Each library less
# is 0.2 ms less at every start, and so are the 33 000 addresses that a program which may lie
# anywhere would have to be told at each.
UNWINDER := target/unwinder

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

.PHONY: machine
machine: ## install what building and testing need (Debian, as root)
	@tests/prepare-machine

.PHONY: machine-demo
machine-demo: # what building and the demo need
	@tests/prepare-machine demo

.PHONY: build
build: ## build the programs into target/dist
	mkdir -p $(UNWINDER)
	echo 'GROUP ( -lgcc_eh -lgcc )' > $(UNWINDER)/libgcc_s.so
	$(CARGO) rustc --locked --release --target-dir target -p fairing --bin fairing -- \
		-L native=$(CURDIR)/$(UNWINDER) -C relocation-model=static
	$(CARGO) rustc --locked --release --target-dir target -p fairing-cri-shim --bin fairing-cri -- \
		-L native=$(CURDIR)/$(UNWINDER) -C relocation-model=static
	RUSTFLAGS="$(STATIC_FLAGS)" $(CARGO) build --locked --release \
		--target $(TRIPLE) --target-dir target/static \
		-p fairing-stage1 -p fairing-stage1-nspawn -p fairing-stage1-fly -p fairing-stage1-kvm -p fairing-probe -p fairing-cni-glue -p fairing-quadlet
	install -D -m 755 target/release/fairing $(DIST)/bin/fairing
	install -D -m 755 target/release/fairing-cri $(DIST)/bin/fairing-cri
	install -d target/tests
	for isolator in $(ISOLATORS); do \
		to=$(DIST)/lib/fairing/stage1/$$isolator && install -d $$to && \
		install -m 711 $(STATIC)/pod-init $$to/pod-init && \
		install -m 755 $(STATIC)/stage1-$$isolator $$to/stage1-$$isolator && \
		install -m 644 stage1-$$isolator/stage1.json $$to/stage1.json || exit 1; \
	done
	install -D -m 755 $(STATIC)/fairing-cni $(DIST)/lib/fairing/cni/fairing-cni
	install -D -m 755 $(STATIC)/fairing-generator $(DIST)/lib/systemd/system-generators/fairing-generator
	install -m 755 $(STATIC)/probe target/tests/probe

.PHONY: install
install: build ## install below DESTDIR and PREFIX
	@dist/stage "$(DESTDIR)" "$(PREFIX)"

.PHONY: uninstall
uninstall: ## remove what install has installed below DESTDIR and PREFIX
	@dist/unstage "$(DESTDIR)" "$(PREFIX)"

.PHONY: deb
deb: build ## a Debian package in target/packages
	@dist/debian/build

.PHONY: sysext
sysext: build ## a system extension image in target/packages
	@dist/sysext/build

# Advisories are not asked for: their database is fetched from the network, which a check must
# not need. The one crate that may link an asynchronous runtime need not be there.
.PHONY: check
check: machine ## formatting, lints, imports, documentation, fuzz corpora, licences of dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) run --locked --quiet -p fairing-import-circles
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps
	$(CARGO) nextest run --locked --workspace --lib fuzzing:: targets::
	$(CARGO) deny --locked check -A unused-wrapper licenses bans sources

.PHONY: test
test: machine build ## every test, the end-to-end ones too (as root)
	@tests/images/debian-images > /dev/null
	@tests/images/debian-machine > /dev/null
	$(CARGO) nextest run --locked --workspace

.PHONY: soak
soak: machine build ## what takes minutes: hostile pods, a million names, kills (as root)
	FAIRING_SOAK_SECONDS=60 FAIRING_SOAK_KILLS=1000 FAIRING_SOAK_RESTARTS=1000 $(CARGO) nextest run --locked -p fairing-tests \
		--test e2e --no-capture hostile_neighbours hostile_processes hostile_removal restart_loop volume_postgresql volume_kill kvm_soak cri_soak

.PHONY: demo
demo: machine-demo build ## the whole story on one screen (as root)
	@tests/demo

.PHONY: bench
bench: machine build ## start time and memory, beside crun, podman and containerd (as root)
	@tests/bench
	@tests/bench-machines
	@tests/bench-pull
	@tests/bench-cri

.PHONY: clean
clean: ## remove all that was built
	rm -rf target
