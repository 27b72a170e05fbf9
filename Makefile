# SPDX-License-Identifier: GPL-2.0-only
# What a person types. The work is in scripts/, one thing each.

MAKEFLAGS += --no-print-directory

# Which kernel: lab, lab-7.2, debug, kcsan, cfi, speed, vng, stock, or a directory in which one was built
KERNEL ?= lab
bench profile: KERNEL = speed
vng: KERNEL = vng
# Which kernels `make matrix` goes through
KERNELS ?= lab debug
# Which suites `make test` and `make test-long` run; all of them if none is named
SUITES ?=
# The test of SUITES to run, by its name or a part of it; all of them by default.
# scripts/guest takes it from the environment.
TEST ?=
# Which mutants `make mutants` and `make kernel-mutants` try: those with one of
# these words in their names
MUTANTS ?=

.PHONY: help
help:
	@echo 'make run            enter every kind of namespace through the device, and show it'
	@echo 'make test           run all tests; SUITES="kinds errno" runs those'
	@echo '                    TEST="a part of a name" runs only these tests of SUITES'
	@echo 'make test-long      the same, with much more where there is no end to it'
	@echo 'make matrix         on each of KERNELS="lab debug", with a table in the end'
	@echo 'make mutants        try whether the tests notice a wrong line; MUTANTS="perf pidfd"'
	@echo 'make kernel-mutants try whether they notice a wrong line of the kernel (as root)'
	@echo 'make bench          what calls cost beside setns(2), on KERNEL=speed'
	@echo 'make profile        where the instructions go, by function; CALL="journal: net"'
	@echo 'make vng            suites in a guest of virtme-ng, on KERNEL=vng or your own'
	@echo 'make shell          a shell in the guest: module loaded, nsproxy on the PATH'
	@echo
	@echo 'make doctor         say what this machine lacks, and how to get it'
	@echo 'make deps           get it (as root)'
	@echo 'make kernel         fetch and build the kernel of the guest; REFRESH=1: a newer one'
	@echo 'make module         build nsproxy_rs.ko'
	@echo 'make tools          build the tool, the tests and the runner'
	@echo 'make check          formatting, lints, unit tests; CHECKS="spdx host" runs those'
	@echo 'make doc            write the documentation of the source to build/doc/'
	@echo 'make rust-analyzer  write rust-project.json for editors'
	@echo 'make clean          remove build/; the cache with the kernels stays'
	@echo
	@echo 'KERNEL=lab          the small kernel (default)'
	@echo 'KERNEL=debug        the same with KASAN, lockdep, kmemleak, UBSAN: slower, sees more'
	@echo 'KERNEL=kcsan        the same as lab with KCSAN: finds data races of C, not of Rust'
	@echo 'KERNEL=cfi          the same as lab with CFI and IBT, which check indirect calls'
	@echo 'KERNEL=speed        the same as lab without what watches and is asked at each call'
	@echo 'KERNEL=vng          the same as lab with what guests of virtme-ng want'
	@echo 'KERNEL=lab-7.2      lab of another series of Linux; any that Debian has'
	@echo 'KERNEL=stock        the one that Debian ships, unmodified; REFRESH=1: a newer one'
	@echo 'KERNEL=/path        a kernel that you built, with Rust'
	@echo 'ACCEL=kvm|tcg       do not probe whether KVM works'
	@echo 'NSPROXY_CACHE=/dir  keep kernels there instead of ~/.cache/nsproxy_rs'
	@echo 'SHARD=2/4           the second of four parts of the matrix, the others elsewhere'
	@echo 'V=1                 show what is run'

.PHONY: doctor deps
doctor:
	@scripts/deps doctor
deps:
	@scripts/deps install

.PHONY: kernel module tools
kernel: deps
	@scripts/kernel $(KERNEL)
module: deps
	@scripts/guest module $(KERNEL)
tools: deps
	@scripts/tools

.PHONY: run test test-long matrix mutants kernel-mutants bench profile shell vng
run: deps
	@scripts/guest run $(KERNEL)
test: deps
	@scripts/guest test $(KERNEL) $(SUITES)
test-long: deps
	@scripts/guest test-long $(KERNEL) $(SUITES)
matrix: deps
	@scripts/matrix "$(KERNELS)" $(SUITES)
mutants: deps
	@scripts/guest mutants $(KERNEL) $(MUTANTS)
kernel-mutants: deps
	@scripts/guest kernel-mutants $(KERNEL) $(MUTANTS)
bench: deps
	@scripts/guest bench $(KERNEL)
profile: deps
	@scripts/guest profile $(KERNEL)
shell: deps
	@scripts/guest shell $(KERNEL)
vng: deps
	@scripts/deps install vng
	@scripts/guest vng $(KERNEL) $(SUITES)

.PHONY: check doc rust-analyzer clean
check:
	@scripts/deps install check
	@scripts/check $(CHECKS)
doc: deps
	@scripts/guest doc $(KERNEL)
rust-analyzer: deps
	@scripts/guest rust-analyzer $(KERNEL)
clean:
	@rm -rf build rust-project.json
