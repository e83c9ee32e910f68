# SPDX-License-Identifier: Apache-2.0

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.ONESHELL:
.PHONY: run test test-long fuzz build bench docs fmt check check-hiredis setup install deb simulate mutants fleet

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
PROGRAMS := batond batonctl baton-keeper
PROGRAM_FOLDER ?= .build/release
# With the Swift runtime in the programs: where they run, there is no toolchain.
RELEASE_BUILD := swift build -c release --static-swift-stdlib

# A node in the foreground, with the example jobs and a store of its own.
run: build
	@exec .ci/node

# What CI runs. Two tests at a time at most: many of them start servers and processes and watch the clock.
test:
	@.ci/setup test
	echo "Building the tests. The first time, this compiles all dependencies: about 8 minutes on 2 cores."
	swift build --build-tests
	.ci/check
	.ci/docs
	.ci/mutants --sample --plain 60
	.ci/tests

# Sanitizers, fuzzers, long runs: at most 80 minutes on 2 cores.
test-long:
	@.ci/setup test
	.ci/test-long

# So many seconds for each reader of what others write; see .ci/fuzz.
SECONDS ?= 60
fuzz:
	@.ci/setup build
	.ci/fuzz $(SECONDS)

build: setup
	@echo "Building $(PROGRAMS) (release). The first time, this compiles all dependencies: about 6 minutes on 2 cores."
	for program in $(PROGRAMS); do $(RELEASE_BUILD) --product $$program; done

setup:
	@.ci/setup build

bench: build
	@.ci/setup test
	$(RELEASE_BUILD) --product lock-bench
	Benchmarks/run

# A simulated fleet under every fault: one world after the other, the first from SEED, for HOURS of simulated time.
simulate:
	@swift build -c release --product baton-simulate
	.build/release/baton-simulate $(if $(SEED),--seed $(SEED)) --hours $(or $(HOURS),100)

# Whether the simulation would find bugs: each of Tests/Mutants is to be noticed.
mutants:
	@.ci/setup test
	.ci/mutants

# Machines, as many as MACHINES= says (4), and every fault, for so many MINUTES= (60); SEED= repeats a plan. Needs root.
fleet: MINUTES ?= 60
fleet: MACHINES ?= 4
fleet: build
	@.ci/setup test
	.ci/fleet $(MINUTES) $(MACHINES) $(SEED)

# The pages of the library, for a browser.
docs: setup
	@echo "Building the library's modules. The first time, this compiles their dependencies as well: about 4 minutes on 2 cores."
	.ci/docs
	echo "The pages want a web server, such as:  python3 -m http.server --bind 127.0.0.1 --directory .build/docs 8000"
	echo "and are then at http://127.0.0.1:8000/documentation"

fmt:
	@swift format format --in-place --parallel --recursive Package.swift Sources Tests

check:
	@.ci/check

# Against hiredis 1.x, from PyPI's package of that name; needs pip. Debian 12 has 0.14.
check-hiredis:
	@.ci/check-hiredis-1x

# After "make build"; needs no network and no compiler. Configuration that is there is kept.
install:
	@umask 022
	for program in $(PROGRAMS); do
	    test -x $(PROGRAM_FOLDER)/$$program || { echo "$$program is not built: run \"make build\" first" >&2; exit 1; }
	done
	to="$(DESTDIR)$(PREFIX)"
	install -D -m 755 -t "$$to/bin" $(PROGRAM_FOLDER)/batond $(PROGRAM_FOLDER)/batonctl
	install -D -m 755 -t "$$to/libexec/baton" $(PROGRAM_FOLDER)/baton-keeper
	install -d -m 755 "$(DESTDIR)$(UNITDIR)" "$$to/lib/sysusers.d" "$(DESTDIR)$(SYSCONFDIR)/baton/jobs.d"
	sed 's,=/usr/bin/,=$(PREFIX)/bin/,' systemd/batond.service >"$(DESTDIR)$(UNITDIR)/batond.service"
	install -m 644 systemd/baton.sysusers "$$to/lib/sysusers.d/baton.conf"
	test ! -e systemd/baton.catalog ||
	    install -D -m 644 systemd/baton.catalog "$$to/lib/systemd/catalog/baton.catalog"
	test -e "$(DESTDIR)$(SYSCONFDIR)/baton/batond.toml" ||
	    install -m 644 etc/batond.toml "$(DESTDIR)$(SYSCONFDIR)/baton/batond.toml"
	# Where packages put their jobs. It is there, under /usr, wherever Baton is.
	test "$(PREFIX)" != /usr || install -d -m 755 "$(DESTDIR)/usr/lib/baton/jobs.d"
	install -D -m 644 -t "$$to/share/doc/baton" README.md
	install -D -m 644 -t "$$to/share/doc/baton/examples/jobs.d" etc/jobs.d/*.toml
	install -D -m 644 -t "$$to/share/doc/baton/examples" systemd/batond-sandbox.conf
	install -D -m 644 -t "$$to/share/doc/baton/examples/prometheus" etc/prometheus/baton.rules.yml
	.ci/man "$$to/share/man"
	bash="$$to/share/bash-completion/completions" zsh="$(DESTDIR)$(ZSHDIR)" fish="$$to/share/fish/vendor_completions.d"
	install -d -m 755 "$$bash" "$$zsh" "$$fish"
	for program in batond batonctl; do
	    $(PROGRAM_FOLDER)/$$program --generate-completion-script bash >"$$bash/$$program"
	    $(PROGRAM_FOLDER)/$$program --generate-completion-script zsh >"$$zsh/_$$program"
	    $(PROGRAM_FOLDER)/$$program --generate-completion-script fish >"$$fish/$$program.fish"
	done
	echo "Installed under $(DESTDIR)$(PREFIX); a job to begin with: $(PREFIX)/share/doc/baton/examples/jobs.d/heartbeat.toml"
	echo "Then: systemd-sysusers && systemctl daemon-reload && systemctl enable --now batond"

# A Debian package of what "make install" installs.
deb: build
	@.ci/setup deb
	.ci/deb
