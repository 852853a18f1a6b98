#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# What "make cost" says of rows that were made up.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export ARCH=x86_64 BUILD=$BATS_TEST_TMPDIR/build CACHE=$BATS_TEST_TMPDIR/cache
	export ALLOWANCES=$BATS_TEST_TMPDIR/allowances ROWS=$BATS_TEST_TMPDIR/rows
	unset TOPIC TREE
	: >"$ROWS"
	allow 'x86_64 | 1% | * | * | * | what is left to the compiler'
}

# allow LINE...: the file of allowances.
allow() { printf '%s\n' "$@" >"$ALLOWANCES"; }

# row CASE BASE SERIES [METRIC] [EXACT]: "-" is a kernel without that row.
row()
{
	local kernel value

	for kernel in base patched; do
		value=$2
		[ $kernel = base ] || value=$3
		[ "$value" = - ] ||
			printf 'mixed\t%s\t%s\tinstructions/page\tless\t%s\t%s\t%s\n' \
				"$1" "${4:-up_min}" "${5:-true}" $kernel "$value" >>"$ROWS"
	done
}

# cost STATUS [tap]: judges the rows.
cost()
{
	local want=$1

	shift
	run "$HERE/scripts/cost" "$@"
	[ "$status" -eq "$want" ] || { echo "status $status: $output"; false; }
}

# refused SENTENCE: one line, which is that.
refused()
{
	cost 1
	[ "$output" = "error: $1" ] || { echo "$output"; false; }
}

@test "rows below their allowance pass" {
	row a 100 90
	row b 100 100
	cost 0
	[ "$output" = "2 rows, 0 over their allowance" ]
}

@test "a row exactly at its allowance passes" {
	row a 100 101
	row b 71.1 71.811
	cost 0
	[ "$output" = "2 rows, 0 over their allowance" ]
}

@test "a row over its allowance is named, with what it was, may be and is" {
	row "old alternating" 164 222.4
	row b 100 100
	cost 1
	[[ ${lines[1]} =~ ^mixed\ +old\ alternating\ +up_min\ +164\ +165.64\ +222.40\ +\+35.6%$ ]]
	[ "${lines[2]}" = "2 rows, 1 over their allowance" ]
	[ ${#lines[@]} -eq 3 ]
}

@test "what was nothing on the base may not be something" {
	row a 0 1
	cost 1
	[[ ${lines[1]} =~ \ from\ 0$ ]]
}

@test "the last allowance of a row counts" {
	allow 'x86_64 | 1% | * | * | * | all' 'x86_64 | 84 | * | one page* | up_* | a relaxed flush' \
		'x86_64 | any | * | * | *_count | counts what is not a cost'
	row "one page by 1" 1000 1084
	row "all pages" 1000 1084
	row "all pages" 1 1000 down_count
	cost 1
	[[ ${lines[1]} =~ ^mixed\ +all\ pages\ +up_min ]]
	[ "${lines[2]}" = "2 rows, 1 over their allowance" ]
}

@test "a ceiling holds whatever the base is, and beside the allowance" {
	allow 'x86_64 | <= 22 | * | uniform | * | the aim' 'x86_64 | 1% | * | * | * | all'
	row uniform 79 22.1
	row old 79 79
	cost 1
	[[ ${lines[1]} =~ ^mixed\ +uniform\ +up_min\ +79\ +22\ +22.10\ +-72.0%$ ]]
	allow 'x86_64 | <= 22 | * | uniform | * | the aim' 'x86_64 | 1% | * | * | * | all'
	: >"$ROWS"
	row uniform 10 21
	cost 1
	[[ ${lines[1]} =~ \ 10\ +10.10\ +21\ +\+110.0%$ ]]
}

@test "a row that the series lacks is over" {
	row a 100 100
	row b 100 -
	cost 1
	[[ ${lines[1]} =~ ^mixed\ +b\ +up_min\ +100\ +101\ +missing ]]
	[ "${lines[2]}" = "2 rows, 1 over their allowance" ]
}

@test "a row that only the series has is counted apart, unless a ceiling is of it" {
	row a 100 100
	row b - 100
	cost 0
	[ "$output" = "1 row, 0 over their allowance, 1 of the series only" ]
	allow 'x86_64 | 1% | * | * | * | all' 'x86_64 | <= 99 | * | b | * | the aim'
	cost 1
	[[ ${lines[1]} =~ ^mixed\ +b\ +up_min\ +-\ +99\ +100$ ]] ||
	[[ ${lines[1]} =~ ^mixed\ +b\ +up_min\ +-\ +99\ +100\ +$ ]]
}

@test "what does not repeat is not judged" {
	row a 100 100
	row b 100 200 up_median false
	cost 0
	[ "$output" = "1 row, 0 over their allowance" ]
}

@test "allowances of another architecture are none" {
	allow 'x86_64 | 0% | * | * | * | all' 'arm64 | any | * | * | * | all'
	row a 100 101
	cost 1
	ARCH=arm64 cost 0
}

@test "as a test, each topic is one, and says which rows are over" {
	row a 100 200
	cost 1 tap
	[ "${lines[0]}" = "not ok 1 cost x86_64 mixed: 1 row, 1 over their allowance" ]
	[[ ${lines[1]} =~ ^#\ mixed\ +a\  ]]
	: >"$ROWS"
	row a 100 100
	cost 0 tap
	[ "$output" = "ok 1 cost x86_64 mixed: 1 row, 0 over their allowance" ]
}

@test "an allowance that is none is refused, with its line" {
	row a 100 100
	allow '# a comment' 'x86_64 | 1 percent | * | * | * | all'
	refused "vm/cost line 2 has no allowance like 1%, 84, <= 15 or any: 1 percent"
	allow 'x86_64 | -1% | * | * | * | all'
	refused "vm/cost line 1 has no allowance like 1%, 84, <= 15 or any: -1%"
	allow 'x86_64 | 1% | * | *'
	refused "vm/cost line 1 has not six fields: x86_64 | 1% | * | *"
	allow 'x86_64 | 1% | * | * | * |'
	refused "vm/cost line 1 leaves its reason empty"
}

@test "an allowance of no row is refused, but where topics were left out" {
	row a 100 100
	allow 'x86_64 | 1% | * | * | * | all' 'x86_64 | 5% | mixed | typo | * | none'
	refused "vm/cost line 2 is of no row of x86_64"
	TOPIC=mixed cost 0
}

@test "rows of one kernel only are refused" {
	row a 100 -
	refused "no rows of the series"
	: >"$ROWS"
	row a - 100
	refused "no rows of the base"
}
