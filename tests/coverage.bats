#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # bats sets these
# What "make coverage" says of counts that were made up.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	cd "$BATS_TEST_TMPDIR" || return
	mkdir one other
	# path, line, count
	printf '%s\t%s\t%s\n' mm/a.c 10 5 mm/a.c 11 0 mm/a.c 12 0 mm/b.h 7 0 >one/lines
	printf '%s\t%s\t%s\n' mm/b.h 7 2 mm/c.c 1 9 >other/lines
	# path, line, function, text; of line 9 gcov knows nothing
	printf '%s\t%s\t%s\t%s\n' mm/a.c 9 '' '/* f */' mm/a.c 10 f 'if (a | b)' \
		mm/a.c 11 f 'a = b | c;' mm/a.c 12 g 'return 1;' mm/b.h 7 h 'return 2;' >added
	: >reasons
}

coverage()
{
	run awk -F'\t' -v reasons=reasons -f "$HERE/scripts/coverage.awk" reasons one/lines other/lines added
}

shows() { grep -qxE -- "$1" <<<"$output" || { echo "$output"; false; }; }
lacks() { if grep -qE -- "$1" <<<"$output"; then echo "$output"; false; fi; }

@test "coverage: counts of all guests and objects are added" {
	coverage
	[ "$status" -eq 1 ]
	shows 'mm/a.c +3 +1 +0 +2'
	shows 'mm/b.h +1 +1 +0 +0'
	shows 'all +4 +2 +0 +2'
	lacks 'mm/c.c'
	shows 'mm/a.c:11: f\(\): a = b \| c;'
	shows 'mm/a.c:12: g\(\): return 1;'
	shows '2 lines are reached by no test: .*'
}

@test "coverage: a reason for a line, and one for a function" {
	printf '%s\n' '# comment' '' 'mm/a.c | f | a = b | c; | no hardware' 'mm/a.c | g | * | no memory' >reasons
	coverage
	[ "$status" -eq 0 ]
	shows 'mm/a.c +3 +1 +2 +0'
	shows 'every line is reached by a test, or vm/coverage says why not'
	lacks 'note'
}

@test "coverage: a reason is for the line of that function only, and told if it is not needed" {
	printf '%s\n' 'mm/a.c | g | a = b | c; | wrong function' 'mm/b.h | h | * | reached' >reasons
	coverage
	[ "$status" -eq 1 ]
	shows 'mm/a.c:11: f\(\): a = b \| c;'
	shows 'note: what vm/coverage line 1 is about was reached, or is gone'
	shows 'note: what vm/coverage line 2 is about was reached, or is gone'
}

@test "coverage: refused: a line without a reason" {
	printf '%s\n' 'mm/a.c | g | return 1;' >reasons
	coverage
	[ "$status" -eq 1 ]
	[ "$output" = "vm/coverage line 1 has not path | function | text | reason" ]
}

@test "coverage: no lines at all are a failure" {
	: >one/lines
	: >other/lines
	coverage
	[ "$status" -eq 1 ]
	shows 'gcov knows none of the lines: .*'
}
