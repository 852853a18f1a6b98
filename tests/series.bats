#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2012 # quoted for fakes to expand; our own file names
load helper

@test "git am of the mails on the pristine tree gives the composed tree" {
	printf 'no newline at the end' >mm/odd\ name.c
	printf '\tform\f feed, nul-free \xff\xfe latin1\n\n\n' >mm/grüße.c
	sed -i 's,^- tools/check.sh,&\n- mm/odd name.c\n- mm/grüße.c,' patches/tools-check.patch
	git_kernel
	tip=$(scripts/compose)
	scripts/mailseries
	git -C "$T/kernel" -c user.name=U -c user.email=u@x am -q "$PWD"/build/series/*[1-9]-*.patch
	[ "$(git -C "$T/kernel" rev-parse 'HEAD^{tree}')" = "$(tree_of "$tip")" ]
	[ "$(git -C "$T/kernel" rev-list --count HEAD)" -eq 4 ]
}

@test "cover letter, numbers, base" {
	git_kernel
	scripts/mailseries
	[ "$(ls build/series | wc -l)" -eq 4 ]
	grep -q '^Subject: \[PATCH 0/3\] ' build/series/0000-cover-letter.patch
	grep -q '^Subject: \[PATCH 2/3\] mm: call$' build/series/0002-*
	grep -q '^Why\.$' build/series/0000-*
	grep -q '^base: Linux v7.3.4$' build/series/0000-*
	grep -q "^base-commit: $(git -C "$T/kernel" rev-parse HEAD)$" build/series/0000-*
	grep -q 'files changed' build/series/0000-*
	! grep -rq 'HERE \*\*\*' build/series || false
	! grep -rq 'New files:' build/series || false
}

@test "a plain base has no base-commit; a long series has wide numbers" {
	for i in $(seq 1 9); do
		echo "$i" >"mm/more$i.c"
		printf 'Subject: more %s\n\nNew files:\n- mm/more%s.c\n---\n' "$i" "$i" >"patches/more-$i.patch"
		echo "more-$i" >>patches/series
	done
	scripts/mailseries
	! grep -rq base-commit build/series || false
	grep -q '^Subject: \[PATCH 00/12\] ' build/series/0000-cover-letter.patch
	grep -q '^Subject: \[PATCH 12/12\]' build/series/0012-*
}

@test "parts: a directory, a cover letter and prerequisites for each" {
	in_parts
	git_kernel
	scripts/mailseries
	[ "$(cd build/series && echo *)" = "1-first 2-second" ]
	[ "$(ls build/series/1-first | wc -l)" -eq 2 ]
	[ "$(ls build/series/2-second | wc -l)" -eq 3 ]
	grep -q '^Subject: \[PATCH 0/2\] callers$' build/series/2-second/0000-*
	grep -q '^Subject: \[PATCH 2/2\] tools: check$' build/series/2-second/0002-*
	! grep -q prerequisite-patch-id build/series/1-first/0000-* || false
	id=$(git --git-dir=build/compose.git show mail~2 | git patch-id --stable | cut -d' ' -f1)
	grep -q "^prerequisite-patch-id: $id$" build/series/2-second/0000-*
	grep -q "^base-commit: $(git -C "$T/kernel" rev-parse HEAD)$" build/series/2-second/0000-*
	PART=second VERSION=2 scripts/mailseries
	[ "$(cd build/series && echo *)" = 2-second ]
	grep -q '^Subject: \[PATCH v2 1/2\] mm: call$' build/series/2-second/v2-0001-*
	refused "PART=third is no part of the series; it has: first second" env PART=third scripts/mailseries
	refused "VERSION=two is not the version" env VERSION=two scripts/mailseries
	rm patches/cover-letter-second
	refused "patches/cover-letter-second is missing" scripts/mailseries
}

@test "rangediff: the patch that has changed, by parts" {
	in_parts
	git add -A
	commit . parts
	git tag v1-second
	sed -i 's/^Call it\.$/Call it twice./' patches/mm-call.patch
	run scripts/rangediff
	[[ $output == *"say since when"* ]]
	SINCE=v1-second scripts/rangediff >"$T/diff"
	grep -q '^first:$' "$T/diff"
	grep -q '^1: .* = 1: .* mm: decide$' "$T/diff"
	grep -q '^1: .* ! 1: .* mm: call$' "$T/diff"
	grep -q '+Call it twice' <(tr -d ' ' <"$T/diff" | sed 's/Callittwice/Call it twice/')
	SINCE=v1-second PART=second scripts/rangediff >"$T/diff"
	! grep -q 'mm: decide' "$T/diff" || false
	refused "SINCE=v9 is no tag" env SINCE=v9 scripts/rangediff
}

@test "reproducible, and old mails go" {
	scripts/mailseries
	cp -r build/series "$T/one"
	touch build/series/0009-old.patch
	sleep 1.1
	git config --global format.signature mine
	git config --global format.signOff true
	git config --global diff.noprefix true
	rm -rf build/compose.git
	scripts/mailseries
	diff -r "$T/one" build/series
}

@test "the sender: none, the configured one, SERIES_IDENT" {
	run scripts/mailseries
	[[ $output == *"git knows no identity of yours"* ]]
	grep -q '^From: Your Name <you@example.org>$' build/series/0001-*
	git config --global user.name 'Ann O. Nymous'
	git config --global user.email ann@example.org
	run scripts/mailseries
	[[ $output != *"no identity"* ]]
	grep -q '^From: "Ann O. Nymous" <ann@example.org>$' build/series/0001-*
	grep -q '^From: "Ann O. Nymous" <ann@example.org>$' build/series/0000-*
	! grep -rq Signed-off-by build/series || false
	SERIES_IDENT='B <b@example.org>' scripts/mailseries
	grep -q '^From: B <b@example.org>$' build/series/0001-*
	# the branch of the series itself is not renamed by that
	scripts/compose
	[ "$(git --git-dir=build/compose.git log -1 --format=%an series)" = "protection upgrades" ]
}

@test "SIGNOFF=1 is the sender's, or refused" {
	refused "SIGNOFF=1 needs a git identity" env SIGNOFF=1 scripts/mailseries
	git config user.name Ann
	git config user.email ann@example.org
	SIGNOFF=1 scripts/mailseries
	[ "$(grep -l '^Signed-off-by: Ann <ann@example.org>$' build/series/* | wc -l)" -eq 3 ]
	! grep -q Signed-off build/series/0000-* || false
	scripts/mailseries
	! grep -rq Signed-off build/series || false
}

@test "refused: no cover letter, a bad one, no patches" {
	rm patches/cover-letter
	refused "patches/cover-letter is missing" scripts/mailseries
	echo text >patches/cover-letter
	refused "the first line must be 'Subject: ...'" scripts/mailseries
	printf 'Subject: s\n\nt\n' >patches/cover-letter
	rm -rf patches/*.patch mm tools MAINTAINERS
	echo 'base: v7.3.4' >patches/series
	refused "names no patch" scripts/mailseries
}
