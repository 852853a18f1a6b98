#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The emulator itself, on a program without a kernel (vm/qemu/conflicts.c): does it
# see break before make neglected? Builds the emulator if it has not been built.

setup_file()
{
	TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export TOP ARCH=arm64 EMULATOR=${EMULATOR:-stale-tlb} PROGRAM=$BATS_FILE_TMPDIR/conflicts
	EMULATOR_DIR=$("$TOP/scripts/emulator" 2>/dev/null)
	export EMULATOR_DIR
	. "$TOP/scripts/lib.sh"
	. "$TOP/scripts/arch.sh"
	"${CROSS}gcc" -O2 -Wall -Werror -ffreestanding -nostdlib -static -mgeneral-regs-only \
		-fno-stack-protector -Wl,-Ttext-segment=0x40200000 -Wl,--build-id=none \
		"$TOP/vm/qemu/conflicts.c" -o "$PROGRAM"
	# shellcheck disable=SC2086 # a list of words
	timeout 60 "$EMULATOR_DIR/$QEMU" $MACHINE $CPU_TCG -m 1024 -nodefaults -display none \
		-accel "tcg,$EMULATOR_OPTIONS=$BATS_FILE_TMPDIR/report" \
		-serial "file:$BATS_FILE_TMPDIR/tap" -kernel "$PROGRAM"
}

@test "conflicts: counted where break before make is neglected, and nowhere else" {
	cat "$BATS_FILE_TMPDIR/tap"
	plan=$(sed -n 's/^1\.\.//p' "$BATS_FILE_TMPDIR/tap" | tr -d '\r')
	[ "$plan" -ge 63 ]
	[ "$(grep -c '^ok ' "$BATS_FILE_TMPDIR/tap")" -eq "$plan" ]
}

@test "conflicts: the report has the first of each kind, and who did it" {
	cat "$BATS_FILE_TMPDIR/report"
	for kind in contiguous overtaken moved; do
		[ "$(grep -c "^$kind cpu 0 asid 1 address 0x" "$BATS_FILE_TMPDIR/report")" -eq 8 ]
	done
	pc=$(sed -n 's/^contiguous .* pc 0x//p' "$BATS_FILE_TMPDIR/report" | head -n 1)
	"${CROSS:-aarch64-linux-gnu-}objdump" -d "$PROGRAM" | grep -E "^ *$pc:.*ldrb"
}
