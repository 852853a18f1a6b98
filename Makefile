# SPDX-License-Identifier: GPL-2.0
# The workshop's interface; scripts/ implements it. "make help" lists it.

export ARCH CONFIG PAGES LINUX KERNEL_TARBALL SETUP SIGNOFF BRANCH PART VERSION SINCE TREE ACCEL BUSYBOX \
       BASE TOPIC RUNS EMULATOR CONFLICTS ALLOWANCES KCONFIG MODULES FORMAT DEBUG_INFO KERNELS

.PHONY: help boot bench measure package package-try cost check model selftests mm-ci hosttests kunit mutants coverage series rangediff apply tree refresh \
	shell kernel build emulator clean

help:		## list the commands
	@sed -n 's/^\([a-z-]*\):.*##/\1:/p' $(MAKEFILE_LIST) | \
		awk '{ name = $$1; sub(/^[^ ]* */, ""); sub(/:$$/, "", name); \
		       printf "  make %-11s %s\n", name, $$0 }'
	@sed 's/^/  /' vm/variables

boot:		## build the series, boot it in QEMU, run its kselftests (the main job)
	@scripts/boot

bench:		## base beside patched: instructions, faults, interrupts, per topic
	@scripts/bench

measure:	## an archive that measures times on a real machine; see BENCHMARK.md
	@scripts/measure

package:	## base and patched kernel as packages for a real machine: KCONFIG=file MODULES=loaded
	@scripts/package

package-try:	## all of this on a fresh Debian in QEMU: install, boot, measure, compare (as root)
	@scripts/package-try

cost:		## does any row of the benchmark cost more than vm/cost allows?
	@scripts/cost

check:		## every test of the project, both architectures
	@scripts/check

model:		## the models of the relaxed flush, whole and with steps removed (models/)
	@scripts/model

selftests:	## the kernel's own mm selftests, base and patched: is anything different?
	@scripts/selftests

mm-ci: hosttests	## what linux-mm's CI runs: hosttests, and each ksft_*.sh in the guest, base beside PART
	@scripts/selftests ci

hosttests:	## the kernel's tests of mm that run on the host: vma, memblock, radix-tree
	@scripts/hosttests

kunit:		## the KUnit suites of the series, by the kernel's kunit.py
	@scripts/kunit

mutants:	## put bugs into the kernel, and see that a test finds each
	@scripts/mutants

coverage:	## which lines of the series do its tests reach? by gcov
	@scripts/coverage

series:		## mail-ready patches with cover letters in build/series/, by parts
	@scripts/mailseries

rangediff:	## the parts beside those of a tag: make rangediff SINCE=v1-mprotect
	@scripts/rangediff

apply:		## apply the series to your own tree: make apply LINUX=/path/to/linux
	@scripts/apply

tree:		## the composed kernel as a git branch to work in: build/linux
	@scripts/tree

refresh:	## bring the commits of build/linux back into the repository
	@scripts/refresh

shell:		## the same guest as in "boot", with a terminal
	@MODE=shell scripts/boot

kernel:		## only fetch the kernel the series is based on
	@scripts/kernel

build:		## only build the composed kernel and its kselftests
	@scripts/build

emulator:	## only build the emulator that keeps stale TLB entries: EMULATOR=stale-tlb
	@EMULATOR=$${EMULATOR:-stale-tlb} scripts/emulator

clean:		## remove build/ of this clone (the cache stays)
	@rm -rf build
