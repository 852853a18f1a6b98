#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats sets these
# PAGES=: which sizes there are, for which architecture, and what they change.

setup()
{
	TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export TOP CACHE=$BATS_TEST_TMPDIR/cache BUILD=$BATS_TEST_TMPDIR/build
	export KERNEL_REPO=$BATS_TEST_TMPDIR/kernel.git
	git init -q --bare "$KERNEL_REPO"
	tree=$(git --git-dir="$KERNEL_REPO" mktree </dev/null)
	git --git-dir="$KERNEL_REPO" update-ref refs/heads/base \
		"$(git --git-dir="$KERNEL_REPO" -c user.name=U -c user.email=u@example.org commit-tree -m base "$tree")"
}

# say_of EXPRESSION: what it prints in a script that knows ARCH, PAGES and the guest.
say_of()
{
	bash -euc '. "$TOP/scripts/lib.sh"; . "$TOP/scripts/arch.sh"; . "$TOP/scripts/kbuild.sh"
		. "$TOP/vm/guest/machine.conf"; '"$1"
}

@test "pages: a size that there is not, or not for this architecture, is refused" {
	ARCH=arm64 PAGES=8K run scripts/accel kernel
	[ "$status" -ne 0 ]
	[[ $output == *"error: PAGES=8K is not one of: 4K 16K 64K"* ]]
	ARCH=x86_64 PAGES=16K run scripts/accel kernel
	[ "$status" -ne 0 ]
	[[ $output == *"error: PAGES=16K is for ARCH=arm64, not x86_64"* ]]
}

@test "pages: 4K is the default, by itself" {
	ARCH=arm64 run say_of 'echo $LABEL; fragments debug'
	[ "${lines[0]}" = arm64 ]
	[ "$(ARCH=arm64 PAGES=4K say_of 'echo $LABEL; fragments debug')" = "$output" ]
	[[ $output != *16k* ]]
}

@test "pages: each size has a fragment that is merged, a label, and huge pages that fit" {
	for conf in "$TOP"/vm/pages/*.conf; do
		size=${conf##*/} size=${size%.conf}
		ARCH=arm64 PAGES=$size run say_of 'echo $LABEL; fragments debug'
		[ "${lines[0]}" = "arm64-$size" ]
		[ "${lines[3]}" = "$TOP/vm/config/${size,,}.config" ]
		[ "${lines[4]}" = "$TOP/vm/config/debug.config" ]
		[ -f "${lines[3]}" ]
		# A huge page is what one page of entries of 8 bytes maps.
		ARCH=arm64 PAGES=$size run say_of 'echo $((HUGEPAGES * ${PAGES%K} * ${PAGES%K} / 8)) $MEMORY_MIB'
		[ "${output% *}" -le $((${output#* } / 2)) ]
	done
}

@test "pages: a small configuration is all of itself" {
	[ "$(ARCH=arm64 say_of 'fragments small-16k')" = "$TOP/vm/config/small-16k.config" ]
}
