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

@test "emulator: an unknown one, or KVM with one, is refused" {
	EMULATOR=none run scripts/emulator
	[ "$status" -ne 0 ]
	[[ $output == *"error: EMULATOR=none is not one of: stale-tlb-hold stale-tlb"* ]]
	ACCEL=kvm run scripts/accel kernel
	[ "$status" -ne 0 ]
	[[ $output == *"error: EMULATOR=stale-tlb emulates"* ]]
}
