# SPDX-License-Identifier: GPL-2.0-only
# The front door: each target runs one of scripts/.

MAKEFLAGS += --no-print-directory

# The kernel: a flavour of qemu/config, lab-SERIES, stock, stock-SERIES, or the directory that one was
# built in.
# Without it, run, test and shell take lab if it is in the cache, else stock.
KERNEL ?=
# The architecture of guests: x86 or arm64; that of this host if empty
ARCH ?=
# The kernels of `make test-kernels`
KERNELS ?= lab debug
# The suites of `make test` and `make test-long`; all of them if empty
SUITES ?=
# The test of SUITES to run, by its name or a part of it; all of them if empty.
# scripts/guest reads it from the environment.
TEST ?=
# The mutants of `make mutants` and `make kernel-mutants`: those with one of these words in
# their names; all of them if empty
MUTANTS ?=
# The exercise of `make exercise`, `make hint` and `make solution`: its number or name
N ?=
# The kernel, or its record.json, that `make test` compares each case with
AGAINST ?=
# A list of intended differences from that kernel, for make test AGAINST=
CHANGES ?=
# The arguments of `make trace`, for nsproxy trace; $$target is a process in other namespaces
ARGS ?=
# Not empty: `make trace` writes the traces of docs/results/ instead
WRITE ?=
# A file that `make bundle` wrote: `make run` and `make shell` use it, and build nothing
BUNDLE ?=

# guest COMMAND DEFAULT-KERNEL ARGUMENTS
guest = kernel=$$(scripts/prepare $(or $(KERNEL),$2)) && scripts/guest $1 "$$kernel" $3
# exercise COMMAND ARGUMENTS
exercise = bin=$$(scripts/tools nsproxy-mutants) && "$$bin/nsproxy-mutants" exercise $1 "$(N)" $2

.PHONY: help
help:
	@scripts/help

.PHONY: doctor deps
doctor:
	@scripts/deps doctor
deps:
	@scripts/deps install build run kernel doc

.PHONY: kernel module tools bundle deb kselftest
kernel:
	@scripts/deps install build
	@scripts/kernel $(or $(KERNEL),lab)
module:
	@$(call guest,module)
tools:
	@scripts/deps install build
	@scripts/tools
bundle:
	@kernel=$$(scripts/prepare $(KERNEL)) && scripts/bundle "$$kernel"
deb:
	@scripts/deps install build
	@scripts/deb
kselftest:
	@kernel=$$(scripts/prepare $(KERNEL)) && scripts/kselftest "$$kernel"

.PHONY: run test test-long shell
ifdef BUNDLE
run test shell:
	@scripts/unbundle "$(BUNDLE)" $@ $(SUITES)
else
run:
	@$(call guest,run)
test:
	@$(call guest,test,,$(SUITES))
shell:
	@$(call guest,shell)
endif
test-long:
	@$(call guest,test-long,,$(SUITES))

.PHONY: trace record results test-kernels mutants kernel-mutants bench profile vng
trace:
	@$(if $(WRITE),$(call guest,traces,lab),$(call guest,trace,,$(if $(ARGS),'$(ARGS)')))
record:
	@$(call guest,record,,$(SUITES))
results:
	@$(call guest,results,lab)
test-kernels:
	@scripts/deps install build run
	@scripts/test-kernels "$(KERNELS)" $(SUITES)
mutants:
	@$(call guest,mutants,lab,$(MUTANTS))
kernel-mutants:
	@$(call guest,kernel-mutants,lab,$(MUTANTS))
bench:
	@$(call guest,bench,speed)
profile:
	@$(call guest,profile,speed)
vng:
	@scripts/deps install vng
	@$(call guest,vng,vng,$(SUITES))

.PHONY: exercise exercise-test hint solution
exercise solution:
	@scripts/deps install build
	@$(call exercise,$(subst exercise,begin,$@))
exercise-test:
	@kernel=$$(scripts/prepare $(or $(KERNEL),lab)) && \
		$(call exercise,test --kernel "$$kernel",$(SUITES))
hint:
	@kernel=$$(scripts/prepare $(or $(KERNEL),lab)) && $(call exercise,hint --kernel "$$kernel")

.PHONY: check doc rust-analyzer clean
check:
	@scripts/deps install build run kernel doc check
	@scripts/check $(CHECKS)
doc:
	@scripts/deps install doc
	@$(call guest,doc,lab)
rust-analyzer:
	@scripts/deps install doc
	@$(call guest,rust-analyzer,lab)
clean:
	@rm -rf build rust-project.json
