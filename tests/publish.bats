#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # bats sets these
# What scripts/publish makes of tables that were made up.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export BUILD=$BATS_TEST_TMPDIR/build CACHE=$BATS_TEST_TMPDIR/cache
	export RESULTS_DIR=$BATS_TEST_TMPDIR/results
	base=$(sed -n '1s/^base: v//p' "$HERE/patches/series")
}

# tables BASE: two topics, and a case of one of them that was skipped
tables()
{
	cat >"$BATS_TEST_TMPDIR/tables" <<-EOF
	base      Linux $1
	config    arm64 bench, 1 and 2 options, a compiler

	cow (less is better)
	case     metric  base
	cow one  faults  512

	= 0 in 3 more rows

	unchanged (equal is good, less is better)
	fork     fork_min  9

	skipped   cow two (base): not root
	EOF
	run "$HERE/scripts/publish" "$BATS_TEST_TMPDIR/tables"
	echo "$output"
}

@test "publish: a file for each topic, with what it was measured with" {
	tables "$base"
	[ "$status" -eq 0 ]
	[ "$(cd "$RESULTS_DIR/arm64" && echo *)" = "cow.txt unchanged.txt" ]
	diff "$RESULTS_DIR/arm64/cow.txt" - <<-EOF
	base      Linux $base
	config    arm64 bench, 1 and 2 options, a compiler

	cow (less is better)
	case     metric  base
	cow one  faults  512

	= 0 in 3 more rows
	skipped   cow two (base): not root
	EOF
	[ "$(grep -c . "$RESULTS_DIR/arm64/unchanged.txt")" -eq 4 ]
}

@test "publish: another base has a folder of its own" {
	tables 6.12.1
	[ -s "$RESULTS_DIR/arm64-6.12.1/cow.txt" ]
	[ ! -e "$RESULTS_DIR/arm64" ]
}

@test "publish: no tables, or no head, is an error that says so" {
	run "$HERE/scripts/publish" "$BATS_TEST_TMPDIR/none"
	[ "$status" -ne 0 ]
	[[ $output = *"run 'make bench' first"* ]]
	echo nothing >"$BATS_TEST_TMPDIR/tables"
	run "$HERE/scripts/publish" "$BATS_TEST_TMPDIR/tables"
	[ "$status" -ne 0 ]
	[[ $output = *"no line \"config\""* ]]
}
