#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # quoted for the fake programs to expand
# scripts/emulator: built once for a version of QEMU and a patch, whole or not at
# all. apt-get and the like are fakes that offer a tiny QEMU.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	T=$BATS_TEST_TMPDIR
	export CACHE=$T/cache BUILD=$T/build ARCH=x86_64 EMULATOR=stale-tlb SETUP=no T
	mkdir -p "$T/shop" "$T/bin" "$T/firmware"
	cp -r "$HERE/scripts" "$HERE/vm" "$T/shop/"
	echo 1:7.2-1 >"$T/version"
	touch "$T/firmware"/{bios-256k.bin,linuxboot_dma.bin,kvmvapic.bin}
	printf '%s\n' '--- a/accel.c' '+++ b/accel.c' '@@ -1 +1 @@' '-old' '+new' >"$T/shop/vm/qemu/stale-tlb.patch"
	: >"$T/shop/vm/packages"
	fake dpkg-query 'cat "$T/version"'
	fake apt-get 'echo "$*" >>"$T/apt.log"; case $* in *" source "*) [ ! -e "$T/break" ] && touch qemu.dsc ;; esac'
	fake dpkg-source 'mkdir "$3"; echo old >"$3/accel.c"; printf "#!/bin/sh\necho configured \"\$@\" >ninja.in\n" >"$3/configure"; chmod +x "$3/configure"'
	# What it builds is the configuration and the source.
	fake ninja 'echo built >>"$T/ninja.log"; shift; for program; do cat ninja.in ../src/accel.c >"$program"; done'
	fake strip 'cp "$3" "$2"'
	fake qemu-system-x86_64 'echo "$T/firmware"'
	cd "$T/shop" || return
}

# fake NAME BODY: a program of that name, before all others on PATH
fake()
{
	printf '#!/bin/bash\n%s\n' "$2" >"$T/bin/$1"
	chmod +x "$T/bin/$1"
	PATH=$T/bin:$PATH
}

built() { wc -l <"$T/ninja.log"; }

# judge LINE...: what scripts/verdict says of a good run with that emulator's report.
judge()
{
	mkdir -p "$T/result"
	printf '%s\n' 'begin a' 1..1 'ok 1 a' 'end a 0' 'done tainted=0 lockdep=none' >"$T/result/verdict"
	: >"$T/result/console"
	: >"$T/result/end"
	: >"$T/result/config"
	printf '%s\n' "$@" >"$T/result/stale-tlb"
	ARCH=arm64 run scripts/verdict "$T/result"
	echo "$output"
}

@test "emulator: built once, with the patch, and stands alone" {
	dir=$(scripts/emulator 2>/dev/null)
	[[ $dir == "$CACHE"/emulator/stale-tlb-* ]]
	grep -q -- '--target-list=x86_64-softmmu,aarch64-softmmu' "$dir/qemu-system-aarch64"
	grep -q '^new$' "$dir/qemu-system-x86_64"
	[ -f "$dir/bios-256k.bin" ]
	[ "$(scripts/emulator 2>/dev/null)" = "$dir" ]
	[ "$(built)" -eq 1 ]
	[ "$(find "$CACHE/emulator" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
}

@test "emulator: another patch, or another QEMU, is built anew" {
	first=$(scripts/emulator 2>/dev/null)
	sed -i 's/+new/+newer/' vm/qemu/stale-tlb.patch
	second=$(scripts/emulator 2>/dev/null)
	[ "$first" != "$second" ]
	grep -q '^newer$' "$second/qemu-system-x86_64"
	echo 1:7.2-2 >"$T/version"
	third=$(scripts/emulator 2>/dev/null)
	[ "$second" != "$third" ]
	grep -q 'source --download-only qemu=1:7.2-2' "$T/apt.log"
	[ "$(built)" -eq 3 ]
}

@test "emulator: hold is the same program with another option" {
	first=$(scripts/emulator 2>/dev/null)
	[ "$(EMULATOR=stale-tlb-hold scripts/emulator 2>/dev/null)" = "$first" ]
}

@test "emulator: a patch that does not apply is said, and nothing is kept" {
	sed -i 's/-old/-older/' vm/qemu/stale-tlb.patch
	run scripts/emulator
	[ "$status" -ne 0 ]
	[[ $output == *"error: vm/qemu/stale-tlb.patch does not apply to QEMU 1:7.2-1"* ]]
	[ ! -e "$T/ninja.log" ]
	sed -i 's/-older/-old/' vm/qemu/stale-tlb.patch
	dir=$(scripts/emulator 2>/dev/null)
	grep -q '^new$' "$dir/qemu-system-x86_64"
}

@test "emulator: sources that Debian no longer has are said" {
	touch "$T/break"
	run scripts/emulator
	[ "$status" -ne 0 ]
	[[ $output == *"error: could not fetch Debian's sources of QEMU 1:7.2-1"* ]]
	[ -z "$(find "$CACHE/emulator" -name 'stale-tlb-*')" ]
}

@test "emulator: conflicts of the contiguous bit fail a run that passes all tests" {
	counts="write_faults 1 fetch_faults 2 kept 3"
	judge "cpu 0 $counts contiguous 0 overtaken 0 moved 5" "moved cpu 0 asid 1"
	[ "$status" -eq 0 ]
	[[ $output == *"TLB entries: 1 write faults, 2 fetch faults"*"; 3 uses of"* ]]
	[[ $output == *"conflicts: 0 walks and 0 translations with another contiguous bit; 5 with"* ]]
	judge "cpu 0 $counts contiguous 2 overtaken 0 moved 0" "cpu 1 $counts contiguous 1 overtaken 4 moved 0" \
		"contiguous cpu 0 asid 7 pc 0x40"
	[ "$status" -eq 1 ]
	[[ $output == *"TLB entries: 2 write faults"* ]]
	[[ $output == *"conflicts: 3 walks and 4 translations"* ]]
	[[ $output == *"reason    the contiguous bit was changed without break before make, 7 times seen: contiguous cpu 0 asid 7 pc 0x40"* ]]
	[[ $output == *"verdict   FAILED: 1 passed, 1 failed, 0 skipped"* ]]
	judge "cpu 0 $counts contiguous 0 overtaken 1 moved 0"
	[ "$status" -eq 1 ]
	export CONFLICTS=count
	judge "cpu 0 $counts contiguous 2 overtaken 1 moved 0" "contiguous cpu 0 asid 7 pc 0x40"
	[ "$status" -eq 0 ]
	[[ $output == *"conflicts: 2 walks and 1 translations"* ]]
}

@test "emulator: an unknown one, or KVM with one, is refused" {
	EMULATOR=none run scripts/emulator
	[ "$status" -ne 0 ]
	[[ $output == *"error: EMULATOR=none is not one of: stale-tlb-hold stale-tlb"* ]]
	ACCEL=kvm run scripts/accel kernel
	[ "$status" -ne 0 ]
	[[ $output == *"error: EMULATOR=stale-tlb emulates"* ]]
}
