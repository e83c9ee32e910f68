# SPDX-License-Identifier: Apache-2.0

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.ONESHELL:
.PHONY: run test build bench docs fmt check check-hiredis setup install

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
PROGRAMS := batond batonctl baton-keeper
RELEASE := .build/release

# A node in the foreground, with the example jobs and a store of its own.
run: build
	@exec .ci/node

# What CI runs. One test after the other: most of them start servers and processes and watch the clock.
test:
	@.ci/setup test
	echo "Building the tests. The first time, this compiles all dependencies: about 8 minutes on 2 cores."
	swift build --build-tests
	.ci/check
	.ci/docs
	swift test --no-parallel

build: setup
	@echo "Building $(PROGRAMS) (release). The first time, this compiles all dependencies: about 6 minutes on 2 cores."
	for program in $(PROGRAMS); do swift build -c release --product $$program; done

setup:
	@.ci/setup build

bench: build
	@.ci/setup test
	swift build -c release --product lock-bench
	Benchmarks/run

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
	@for program in $(PROGRAMS); do
	    test -x $(RELEASE)/$$program || { echo "$$program is not built: run \"make build\" first" >&2; exit 1; }
	done
	install -D -m 755 -t "$(DESTDIR)$(PREFIX)/bin" $(RELEASE)/batond $(RELEASE)/batonctl
	install -D -m 755 -t "$(DESTDIR)$(PREFIX)/libexec/baton" $(RELEASE)/baton-keeper
	install -d -m 755 "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's,^ExecStart=/usr/bin/batond,ExecStart=$(PREFIX)/bin/batond,' systemd/batond.service \
	    >"$(DESTDIR)$(PREFIX)/lib/systemd/system/batond.service"
	chmod 644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/batond.service"
	install -d -m 755 "$(DESTDIR)$(SYSCONFDIR)/baton/jobs.d"
	test -e "$(DESTDIR)$(SYSCONFDIR)/baton/batond.toml" ||
	    install -m 644 etc/batond.toml "$(DESTDIR)$(SYSCONFDIR)/baton/batond.toml"
	install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/doc/baton/examples/jobs.d" etc/jobs.d/*.toml
	echo "Installed under $(DESTDIR)$(PREFIX). Example jobs: $(PREFIX)/share/doc/baton/examples/jobs.d"
