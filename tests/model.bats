#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# scripts/model: what it says of small models of known outcome, and that
# nothing can be taken out of the real ones without a line in models/variants.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	T=$BATS_TEST_TMPDIR
	export CACHE=$T/cache BUILD=$T/build
	mkdir -p "$T/shop/models" "$T/shop/vm"
	cp -r "$HERE/scripts" "$T/shop/"
	cp "$HERE/vm/packages" "$T/shop/vm/"
	cp "$HERE/models/common.h" "$T/shop/models/"
	cd "$T/shop" || return
}

# judged EXPECTED PROMELA...: scripts/model's lines on a model
judged()
{
	printf '%s\n' '#include "common.h"' "${@:2}" >models/small.pml
	printf 'small - %s a small model\nsmall BROKEN %s a broken one\n' "$1" "$1" >models/variants
	run scripts/model
}

COUNTER='active proctype p() { byte i; do :: i < 9 -> i++; :: else -> break od;'

@test "a model that holds, and one that violates a property" {
	judged nothing "$COUNTER" '#ifdef BROKEN' 'i = 0;' '#endif' 'holds(4, i == 9) }'
	[ "$status" -ne 0 ]
	grep -q '^ok .* small - .*: holds, [1-9][0-9]* states$' <<<"$output"
	grep -q '^not ok .* small BROKEN .*: violates property 4, ' <<<"$output"
	grep -q '^# expected: holds' <<<"$output"
	grep -q '^# 1 passed, 1 failed$' <<<"$output"
	run bash -c "$(sed -n 's/^# see .*; the steps: //p' <<<"$output")"
	[[ $output == *"violated!=4"* ]]
}

@test "a model that ought to violate a property and does not, or violates another" {
	judged 2 "$COUNTER" '#ifdef BROKEN' 'i = 0;' '#endif' 'holds(4, i == 9) }'
	[ "$status" -ne 0 ]
	[ "$(grep -c '^not ok ' <<<"$output")" -eq 2 ]
}

@test "a violation that is expected is a success" {
	judged 4 "$COUNTER" 'holds(4, i == 8) }'
	[ "$status" -eq 0 ]
	[ "$(grep -c '^ok .*violates property 4' <<<"$output")" -eq 2 ]
}

@test "a loop without progress is property 3" {
	judged 3 'active proctype p() { bit b; do :: b = 1 - b; if :: false -> progress: skip :: else fi od }'
	[ "$status" -eq 0 ]
}

@test "a deadlock does not pass for a model that holds" {
	judged nothing 'active proctype p() { byte i; i > 0 }'
	[ "$(grep -c '^not ok .*invalid end state' <<<"$output")" -eq 2 ]
}

@test "a search that is cut short does not pass for one that holds" {
	judged nothing 'active proctype p() { int i; do :: i < 200000 -> i++ :: else -> break od }'
	[ "$(grep -c '^not ok .*max search depth too small' <<<"$output")" -eq 2 ]
}

@test "an error in a model is told" {
	judged nothing 'active proctype p() { nonsense }'
	[ "$(grep -c '^not ok .*rror' <<<"$output")" -eq 2 ]
}

@test "every step that can be removed from a model is removed in a variant" {
	local model name missing=""

	for model in "$HERE"/models/*.pml; do
		while read -r name; do
			[ "$name" != NCPU ] && [ "$name" != LOSES ] || continue
			grep -v '^#' "$HERE/models/variants" |
				awk -v m="$(basename "$model" .pml)" '$1 == m { print $2 }' |
				tr + '\n' | grep -qx "$name" || missing="$missing ${model##*/}:$name"
		done < <(grep -E '^#(el)?if' "$model" | grep -oE '\b[A-Z][A-Z_0-9]{3,}\b' | sort -u)
	done
	[ -z "$missing" ] || { echo "no variant for:$missing"; return 1; }
}

@test "every model is checked as it stands" {
	local model

	for model in "$HERE"/models/*.pml; do
		grep -qE "^$(basename "$model" .pml) +- +nothing " "$HERE/models/variants" ||
			{ echo "${model##*/} is not"; return 1; }
	done
}
