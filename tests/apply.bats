#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2012 # quoted for fakes to expand; our own file names
load helper
bats_require_minimum_version 1.5.0

K() { git -C "$T/kernel" "$@"; }
# What the tree holds, metadata of git apart.
state() { (cd "$T/kernel" && find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; git for-each-ref 2>/dev/null; git symbolic-ref HEAD 2>/dev/null; git ls-files -s 2>/dev/null) || true; }

@test "a git tree gets a branch, its files and current branch stay" {
	git_kernel
	echo 'uncommitted' >>"$T/kernel/mm/Makefile"
	state | grep -v refs/heads/ >"$T/before"
	run --separate-stderr scripts/apply
	[ "$status" -eq 0 ]
	[ "$output" = "git -C $T/kernel switch protection-upgrades" ]
	state | grep -v refs/heads/ | cmp - "$T/before"
	[ "$(K rev-list --count HEAD..protection-upgrades)" -eq 3 ]
	[ "$(K rev-parse protection-upgrades~3)" = "$(K rev-parse HEAD)" ]
	K checkout -q . ; K fsck
	[ "$(K rev-parse 'protection-upgrades^{tree}')" = "$(tree_of "$(scripts/compose)")" ]
	eval "$output"
	[ -f "$T/kernel/mm/upgrade.c" ]
	refused "already has a branch protection-upgrades" scripts/apply
	refused "already has the series" env BRANCH=other scripts/apply
}

@test "a part comes with those before it, and without those after it" {
	in_parts
	git_kernel
	PART=first LINUX=$T/kernel scripts/apply
	[ "$(git -C "$T/kernel" rev-list --count HEAD..protection-upgrades)" -eq 1 ]
	git -C "$T/kernel" cat-file -e protection-upgrades:mm/upgrade.c
	run git -C "$T/kernel" cat-file -e protection-upgrades:tools/check.sh
	[ "$status" -ne 0 ]
	rm -rf "$T/kernel/.git"
	PART=first LINUX=$T/kernel scripts/apply
	[ -e "$T/kernel/mm/upgrade.c" ] && [ ! -e "$T/kernel/tools/check.sh" ]
}

@test "another branch name, relative paths, a name with a space" {
	git_kernel
	mv "$T/kernel" "$T/my kernel"
	cd "$T"
	LINUX='my kernel' BRANCH=topic/x shop/scripts/apply
	git -C "$T/my kernel" rev-parse topic/x
	refused "is not a branch name" env LINUX='my kernel' BRANCH='a..b' shop/scripts/apply
}

@test "a shallow clone and a linked worktree are trees, too" {
	git_kernel
	echo >>"$T/kernel/Kbuild"; K add -A; commit "$T/kernel" second
	git clone -q --depth 1 "file://$T/kernel" "$T/shallow"
	LINUX=$T/shallow scripts/apply
	[ "$(git -C "$T/shallow" rev-list --count HEAD..protection-upgrades)" -eq 3 ]
	git -C "$T/shallow" fsck
	K worktree add -q "$T/wt" -b side
	LINUX=$T/wt scripts/apply
	K rev-parse protection-upgrades
}

@test "a git tree it does not apply to is not touched" {
	git_kernel
	sed -i '50s/.*/other/' "$T/kernel/mm/mprotect.c"
	K add -A; commit "$T/kernel" x
	state >"$T/before"; objects=$(K count-objects)
	refused "patches/mm-call.patch: hunk 2 of mm/mprotect.c (at line 47) does not apply to Linux 7.3.4" scripts/apply
	state | cmp - "$T/before"
	[ "$(K count-objects)" = "$objects" ]
}

@test "a plain tree gets the files" {
	tip=$(scripts/compose)
	chmod 600 "$T/kernel/Kbuild"
	scripts/apply
	mkdir "$T/out"; git --git-dir=build/compose.git archive "$tip" | tar -x -C "$T/out"
	diff -r "$T/kernel" "$T/out"
	[ -x "$T/kernel/tools/check.sh" ] && [ ! -x "$T/kernel/mm/upgrade.c" ]
	state >"$T/before"
	refused "already has the series" scripts/apply
	state | cmp - "$T/before"
}

@test "a plain tree it does not apply to is not touched" {
	sed -i '50s/.*/other/' "$T/kernel/mm/mprotect.c"
	state >"$T/before"
	refused "patches/mm-call.patch: hunk 2 of mm/mprotect.c (at line 47) does not apply to Linux 7.3.4" scripts/apply
	state | cmp - "$T/before"
	make_kernel "$T/kernel"
	echo >"$T/kernel/mm/upgrade.c"
	state >"$T/before"
	refused "mm/upgrade.c is to be a new file" scripts/apply
	state | cmp - "$T/before"
}

@test "interrupted while it prepares: nothing is left" {
	state >"$T/before"
	mkdir -p "$T/bin"
	printf '#!/bin/sh\ncase $* in *kernel/tools*) kill -TERM $PPID; touch %q;; esac\nexec %q "$@"\n' "$T/was" "$(command -v chmod)" >"$T/bin/chmod"
	chmod +x "$T/bin/chmod"
	run env PATH="$T/bin:$PATH" scripts/apply
	[ "$status" -eq 143 ] && [ -e "$T/was" ]
	state | cmp - "$T/before"
	[ ! -e "$T/kernel/tools" ]
	rm "$T/bin/chmod"
	scripts/apply
}

@test "refused: no LINUX, no directory, no kernel, another version" {
	refused "say which tree: make apply LINUX=/path/to/linux" env -u LINUX scripts/apply
	refused "is not a directory" env LINUX="$T/none" scripts/apply
	refused "is not a kernel tree" env LINUX="$T/shop/mm" scripts/apply
	refused "is not a kernel tree" env LINUX="$T/shop" scripts/apply
	make_kernel "$T/kernel" 6.12.1
	refused "is Linux 6.12.1, but Linux 7.3 is needed" scripts/apply
	git_kernel
	refused "is Linux 6.12.1, but Linux 7.3 is needed" scripts/apply
	mkdir "$T/e"; git -C "$T/e" init -q
	refused "has no commit" env LINUX="$T/e" scripts/apply
}
