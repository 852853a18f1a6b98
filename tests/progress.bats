#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats sets these
# What a build says while it runs, and what it asks the compiler's cache.

setup()
{
	TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export TOP CACHE=$BATS_TEST_TMPDIR/cache BUILD=$BATS_TEST_TMPDIR/build ARCH=x86_64
	unset CCACHE_DIR CCACHE_DEPEND
	log=$BATS_TEST_TMPDIR/log
	printf '  %s\n' 'CC      mm/a.o' 'AR      mm/built-in.a' 'AS      lib/b.o' 'CC [M]  fs/c.o' 'LD      x' >"$log"
}

say_of() { run bash -euc '. "$TOP/scripts/lib.sh"; . "$TOP/scripts/arch.sh"; '"$1" - "$log"; }

@test "progress: the share of what there is to do, if that is known" {
	STEP='^  (CC|AS) ' WHOLE=8 say_of 'progress "$1"'
	[ "$output" = "37 %, 3 of 8:   LD      x" ]
	STEP='^  (CC|AS) ' WHOLE=3 say_of 'progress "$1"'
	[ "$output" = "66 %, 2 of 3:   LD      x" ]
	WHOLE=100 say_of 'progress "$1"'
	[ "$output" = " 5 %, 5 of 100:   LD      x" ]
}

@test "progress: else how much was said" {
	say_of 'progress "$1"'
	[ "$output" = "5 lines:   LD      x" ]
	: >"$log"
	WHOLE=0 say_of 'progress "$1"'
	[ "$output" = "0 lines: " ]
}

@test "cache: the preprocessor is asked once there is something to find" {
	say_of 'echo "${CCACHE_DEPEND:-no}"'
	[ "$output" = 1 ]
	mkdir -p "$CACHE/ccache"
	say_of 'echo "${CCACHE_DEPEND:-no}"'
	[ "$output" = no ]
}
