#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # quoted for the fake programs to expand
# The harness must notice a bad guest, and must not believe a KVM that does not
# work. Uses the kernel that "make boot CONFIG=debug" builds; no test of the
# series runs here.

setup_file()
{
	TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export TOP ARCH=x86_64 CONFIG=debug
	KERNEL=$("$TOP/scripts/build" 2>/dev/null)
	export KERNEL QUIET=yes
	"$TOP/scripts/guest" "$KERNEL" >/dev/null
}

# guest MODE: run the guest, then judge it.
guest()
{
	mkdir -p "$BATS_TEST_TMPDIR/result"
	cp "$KERNEL/config" "$BATS_TEST_TMPDIR/result/"
	ACCEL=tcg "$TOP/scripts/qemu" "$KERNEL" "$BATS_TEST_TMPDIR/result" "guest.mode=$1" || :
	run "$TOP/scripts/verdict" "$BATS_TEST_TMPDIR/result"
	echo "$output"
}

# failed WORDS: the run failed, says why, and shows the end of the console.
failed()
{
	[ "$status" -eq 1 ]
	[[ $output == *"$1"* ]]
	[[ $output == *"verdict   FAILED"* ]]
	[[ $output == *"last lines of the console"* ]]
	[[ ${lines[-1]} =~ ^[0-9]+\ passed,\ [1-9][0-9]*\ failed,\ [0-9]+\ skipped$ ]]
}

# fake NAME: a program of that name, before all others on PATH; body on stdin.
fake()
{
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	{ echo '#!/bin/bash'; cat; } >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# accel: the probe, with an empty cache and a device that can be opened.
accel()
{
	: >"$BATS_TEST_TMPDIR/kvm"
	CACHE=$BATS_TEST_TMPDIR BUILD=$BATS_TEST_TMPDIR/build PROBE_LIMIT=3 \
	KVM_DEVICE=${1-$BATS_TEST_TMPDIR/kvm} run "$TOP/scripts/accel" "$KERNEL"
	echo "$output"
}

# table LINE...: what scripts/table.awk makes of them.
table()
{
	printf '%s\n' "$@" | tr ' ' '\t' >"$BATS_TEST_TMPDIR/tsv"
	run awk -F'\t' -f "$TOP/scripts/table.awk" "$BATS_TEST_TMPDIR/tsv"
	echo "$output"
}

# The fakes find the file that the guest would report to.
report_to='for a; do case $a in file,id=verdict,path=*) v=${a##*path=} ;; esac; done'

@test "guest: a panic is a failure that shows the console" {
	guest panic
	failed "Kernel panic - not syncing: sysrq triggered crash"
}

@test "guest: a WARN is a failure that shows it" {
	guest warn
	failed "WARNING"
}

@test "guest: silence past the limit is a failure" {
	SILENCE=15 guest hang
	failed "silent for 15 seconds"
}

@test "guest: too long a run is a failure" {
	LIMIT=4 guest hang
	failed "not done after 4 seconds"
}

@test "guest: an early exit is a failure" {
	guest exit
	failed "the guest ended before its verdict"
}

@test "guest: a failed test is a failure" {
	guest notok
	failed "notok: 1 failed"
}

@test "guest: fewer results than planned are a failure" {
	guest short
	failed "planned 2 tests, reported 1"
}

@test "guest: a run without any test is a failure" {
	guest probe
	failed "no test ran"
}

@test "probe: without a device, TCG" {
	accel "$BATS_TEST_TMPDIR/none"
	[ "$output" = tcg ]
}

@test "probe: KVM that boots to the verdict is used, and remembered" {
	fake qemu-system-x86_64 <<-EOF
		[ "\$1" != --version ] || { echo QEMU 1; exit; }
		$report_to
		echo "probe ok" >"\$v"
	EOF
	accel
	[ "$output" = kvm ]
	fake qemu-system-x86_64 <<<'[ "$1" != --version ] || { echo QEMU 1; exit; }; exit 1'
	accel
	[ "$output" = kvm ]
}

@test "probe: KVM that hangs is not used" {
	fake qemu-system-x86_64 <<<'[ "$1" != --version ] || { echo QEMU 2; exit; }; exec sleep 60'
	accel
	[ "${lines[-1]}" = tcg ]
	[[ $output == *"KVM is there but does not boot a kernel (not done after 3 seconds)"* ]]
}

@test "probe: KVM that fails at once is not used" {
	fake qemu-system-x86_64 <<<'[ "$1" != --version ] || { echo QEMU 3; exit; }; echo no >&2; exit 1'
	accel
	[ "${lines[-1]}" = tcg ]
	[[ $output == *"QEMU failed: no"* ]]
}

@test "probe: a guest that ends without its verdict does not count" {
	fake qemu-system-x86_64 <<<'[ "$1" != --version ] || { echo QEMU 4; exit; }; exit 0'
	accel
	[ "${lines[-1]}" = tcg ]
}

# exact KERNEL DIR: what one run of a short topic counts.
exact()
{
	GUEST=exact ACCEL=tcg "$TOP/scripts/qemu" "$1" "$2" guest.mode=bench guest.topics=cow,mixed:--only:random
	tr -d '\r' <"$2/verdict" | grep '^{' | grep '"exact":true'
}

@test "bench: two runs on one kernel give the same counts" {
	# On a kernel without debugging options: KASAN's quarantine, say, is not
	# the same twice.
	kernel=$(CONFIG=bench PROGRAMS=write_upgrade_bench "$TOP/scripts/build" 2>/dev/null)
	"$TOP/scripts/guest" "$kernel" >/dev/null
	exact "$kernel" "$BATS_TEST_TMPDIR/1" >"$BATS_TEST_TMPDIR/first"
	exact "$kernel" "$BATS_TEST_TMPDIR/2" >"$BATS_TEST_TMPDIR/second"
	grep -q '"unit":"ticks/' "$BATS_TEST_TMPDIR/first"
	diff "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
	diff "$BATS_TEST_TMPDIR/1/console" "$BATS_TEST_TMPDIR/2/console"
}

@test "bench: the table puts what got worse first, then what got better, and marks noise" {
	table "t c m n less true base 10" "t c m n less true base 20" "t c m n less true patched 16" \
		"t a m n less true base 10" "t a m n less true patched 5" \
		"t b m n less true base 10" "t b m n less true patched 20" \
		"t e m n less true patched 4" \
		"t f m n less false base 10" "t f m n less false base 12" \
		"t f m n less false patched 13" "t f m n less false patched 13" \
		"t g m n less false base 10" "t g m n less false patched 5"
	[[ ${lines[2]} =~ ^b\ .*\ 10\ .*\+100%\ !\ 20 ]]
	[[ ${lines[3]} =~ ^a\ .*\ 10\ .*-50%\ \+\ 5 ]]
	[[ ${lines[4]} =~ ^c\ .*15\ \(10\ to\ 20\).*~\ 16 ]]
	[[ ${lines[5]} =~ ^f\ .*11\ \(10\ to\ 12\).*~\ 13 ]]
	[[ ${lines[6]} =~ ^g\ .*10\ .*~\ 5 ]]
	[ "${lines[7]}" = "patched only: m 4 n: e" ]
}

@test "bench: the table names once what is equal, and each case of it" {
	table "t d m n less true base 7" "t d m n less true patched 7" \
		"t f m n less true base 8" "t f m n less true patched 8" \
		"t g m n less true base 7" "t g m n less true patched 7" \
		"t d o n less true base 0" "t d o n less true patched 0" \
		"t f o n less true base 0" "t f o n less true patched 0" \
		"t d p n less true base 0" "t d p n less true patched 0"
	[ "${lines[1]}" = "= m 7 n: d, g" ]
	[ "${lines[2]}" = "= m 8 n: f" ]
	[ "${lines[3]}" = "= p 0 n: d" ]
	[ "${lines[4]}" = "= 0 in all cases: o" ]
	[ ${#lines[@]} -eq 5 ]
}

@test "set-up: SETUP=no names what is missing and installs nothing" {
	mkdir -p "$BATS_TEST_TMPDIR/top/vm" "$BATS_TEST_TMPDIR/top/scripts"
	cp "$TOP"/scripts/{setup,lib.sh} "$BATS_TEST_TMPDIR/top/scripts/"
	echo "build no-such-program no-such-package" >"$BATS_TEST_TMPDIR/top/vm/packages"
	SETUP=no run "$BATS_TEST_TMPDIR/top/scripts/setup" build
	[ "$status" -eq 1 ]
	[[ $output == *"apt-get install"*"no-such-package"* || $output == *no-such-program* ]]
}

@test "set-up: without apt the missing programs are listed" {
	mkdir -p "$BATS_TEST_TMPDIR/top/vm" "$BATS_TEST_TMPDIR/top/scripts" "$BATS_TEST_TMPDIR/few"
	cp "$TOP"/scripts/{setup,lib.sh} "$BATS_TEST_TMPDIR/top/scripts/"
	printf 'build no-such-program x\nbuild no-other y\n' >"$BATS_TEST_TMPDIR/top/vm/packages"
	for p in bash dirname date mkdir grep env; do
		ln -s "$(command -v $p)" "$BATS_TEST_TMPDIR/few/$p"
	done
	PATH=$BATS_TEST_TMPDIR/few run "$BATS_TEST_TMPDIR/top/scripts/setup" build
	[ "$status" -eq 1 ]
	[[ $output == *"install them first: no-such-program no-other"* ]]
}
