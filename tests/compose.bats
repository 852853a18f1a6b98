#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2012 # quoted for fakes to expand; our own file names
load helper

@test "one commit per patch, message without the list of files" {
	scripts/compose
	run git --git-dir=build/compose.git log --format='%s|%an|%ae' base..series
	[ "${lines[0]}" = "tools: check|protection upgrades|series@localhost" ]
	[ "${lines[1]}" = "mm: call|protection upgrades|series@localhost" ]
	[ "${lines[2]}" = "mm: decide|protection upgrades|series@localhost" ]
	[ ${#lines[@]} -eq 3 ]
	[ "$(git --git-dir=build/compose.git log -1 --format=%B series~2)" = $'mm: decide\n\nOne decision.\n\nSecond paragraph.' ]
	[ "$(git --git-dir=build/compose.git log -1 --format=%s base)" = "Linux 7.3.4" ]
	[ "$(git --git-dir=build/compose.git rev-list --count base)" -eq 1 ]
}

@test "the composed files are the repository's and the edited kernel's" {
	git --git-dir=build/compose.git archive "$(tip)" >"$T/tar"
	mkdir "$T/out"; tar -xf "$T/tar" -C "$T/out"
	cmp mm/upgrade.c "$T/out/mm/upgrade.c"
	[ -x "$T/out/tools/check.sh" ] && [ ! -x "$T/out/mm/upgrade.c" ]
	[ "$(sed -n 20p "$T/out/mm/mprotect.c")" = decide ]
	[ "$(sed -n 50p "$T/out/mm/mprotect.c")" = "decide again" ]
	[ "$(sed -n 10p "$T/out/mm/Makefile")" = "obj-y += upgrade.o" ]
	cmp "$T/kernel/Kbuild" "$T/out/Kbuild"
}

@test "ids do not depend on who composes, where, or on git's configuration" {
	one=$(tip)
	cp -r "$T/shop" "$T/shop 2 &"; rm -rf "$T/shop 2 &/build"
	git config --global diff.noprefix true
	git config --global core.autocrlf true
	git config --global apply.whitespace fix
	git config --global apply.ignoreWhitespace change
	git config --global user.name Other
	git config --global commit.gpgSign true
	git config --global i18n.commitEncoding latin1
	two=$(cd "$T/shop 2 &"; GIT_AUTHOR_NAME=X TZ=Asia/Tokyo XDG_CACHE_HOME=$T/cache2 scripts/compose)
	[ "$one" = "$two" ]
	[ "$one" != "$(SERIES_IDENT='A B <c@d>' scripts/compose)" ]
	[ "$(git --git-dir=build/compose.git log -1 --format='%an|%ae|%cn' series)" = 'A B|c@d|A B' ]
}

@test "nothing is composed twice, and every input counts" {
	last=$(tip)
	run scripts/compose
	[[ $output != *composed* ]]
	for change in 'echo "/* */" >>mm/upgrade.c' 'chmod +x mm/upgrade.h' 'sed -i s/Somebody/Nobody/ MAINTAINERS' \
		      'sed -i "s/Call it/Call/" patches/mm-call.patch' 'sed -i /tools-check/d patches/series; rm patches/tools-check.patch tools/check.sh; sed -i /check/d MAINTAINERS'; do
		eval "$change"
		now=$(tip)
		[ "$now" != "$last" ] || { echo "$change"; false; }
		last=$now
	done
}

@test "parts: the series up to the end of one, and what is no part" {
	all=$(tip)
	in_parts
	[ "$(tip)" = "$all" ]
	[ "$(PART=first scripts/compose)" = "$(git --git-dir=build/compose.git rev-parse "$all~2")" ]
	[ "$(PART=second scripts/compose)" = "$all" ]
	refused "PART=third is no part of the series; it has: first second" env PART=third scripts/compose
	echo 'part: last' >>patches/series
	refused "the part last has no patch" scripts/compose
	sed -i 's/^part: last/part: first/' patches/series
	refused "there are two parts first" scripts/compose
	sed -i -e '$d' -e '/^part: first/d' patches/series
	refused "there are patches before the first part" scripts/compose
	sed -i 's/^part: second/part: 2 nd/' patches/series
	refused "'2 nd' is not the name of a part" scripts/compose
}

@test "MAINTAINERS: in order, from the first patch that has the files, only patterns that match" {
	scripts/compose
	show() { git --git-dir=build/compose.git show "$1:MAINTAINERS"; }
	cmp <(show base) "$T/kernel/MAINTAINERS"
	show series~2 | grep -q 'F:	mm/upgrade'
	! show series~2 | grep -q tools/check.sh || false
	cmp <(show series~2) <(show series~1)
	show series | grep -q tools/check.sh
	# 3C59X, ZSWAP (misplaced), PAGE CACHE, PAGE TABLE CHECK, ours, THE REST
	show series | awk '/^[A-Z]:/ && p != "" && p !~ /^[A-Z]:/ { print p } { p = $0 }' >"$T/titles"
	[ "$(sed -n 5p "$T/titles")" = "PROTECTION UPGRADES" ]
	# taking our section out gives back the kernel's file
	show series | sed '/^PROTECTION UPGRADES/,/^$/d' | cmp - "$T/kernel/MAINTAINERS"
}

@test "MAINTAINERS: pattern rules" {
	printf 'A NEW FIRST\nM:\tx <x@y>\nF:\tmm/\n\nPROTECTION UPGRADES\nM:\ts <s@y>\nF:\t*/*.sh\nF:\ttools\n' >MAINTAINERS
	scripts/compose
	git --git-dir=build/compose.git show series:MAINTAINERS >"$T/m"
	[ "$(awk '/^A NEW FIRST/ {print NR}' "$T/m")" -gt "$(awk '/^3C59X/ {print NR}' "$T/m")" ]
	for pattern in '*.c' 'mm/up' 'mm/upgrade?h?' 'tool*' 'm*/'; do
		printf 'PROTECTION UPGRADES\nM:\ts <s@y>\nF:\tmm/\nF:\t%s\n' "$pattern" >MAINTAINERS
		case $pattern in
		'tool*' | 'm*/') scripts/compose ;;
		*) refused "matches no file of the series" scripts/compose ;;
		esac
	done
}

@test "MAINTAINERS: a section the kernel has is refused" {
	sed -i 's/^PROTECTION UPGRADES/PAGE TABLE CHECK/' MAINTAINERS
	refused "MAINTAINERS: the kernel already has a section 'PAGE TABLE CHECK'" scripts/compose
}

@test "a new file claimed by no patch" {
	echo x >mm/stray.c
	refused "mm/stray.c is claimed by no patch" scripts/compose
	echo /mm/stray.c >>.gitignore
	scripts/compose
}

@test "a new file claimed by two patches names both" {
	sed -i 's,- tools/check.sh,&\n- mm/upgrade.c,' patches/tools-check.patch
	refused "mm/upgrade.c is claimed by two patches, mm-decide.patch and tools-check.patch" scripts/compose
}

@test "a listed file that is missing" {
	rm mm/upgrade.c
	refused "patches/mm-decide.patch lists mm/upgrade.c, but the repository has no such file" scripts/compose
}

@test "a new file that the kernel already has" {
	echo >mm/swap.c
	echo >"$T/kernel/mm/swap.c"
	sed -i 's,- tools/check.sh,&\n- mm/swap.c,' patches/tools-check.patch
	refused "mm/swap.c is to be a new file (tools-check.patch), but Linux 7.3.4 already has it" scripts/compose
}

@test "a link is no new file" {
	ln -s upgrade.c mm/link.c
	sed -i 's,- tools/check.sh,&\n- mm/link.c,' patches/tools-check.patch
	refused "mm/link.c, which is not a regular file" scripts/compose
}

@test "a workshop file is no new file" {
	sed -i 's,- tools/check.sh,&\n- patches/series,' patches/tools-check.patch
	refused "patches/series belongs to the workshop" scripts/compose
}

@test "a patch that is not in series, and a name without patch" {
	cp patches/mm-call.patch patches/extra.patch
	refused "patches/extra.patch is not named in patches/series" scripts/compose
	rm patches/extra.patch
	echo gone >>patches/series
	refused "patches/series names gone, but patches/gone.patch does not exist" scripts/compose
	sed -i '$s/.*/mm-call/' patches/series
	refused "patches/series names mm-call twice" scripts/compose
	sed -i '$s/.*/mm-call.patch/' patches/series
	refused "without .patch" scripts/compose
}

@test "a series without its base" {
	sed -i 1d patches/series
	refused "the first line must read 'base: v'" scripts/compose
}

@test "a patch that edits a new file" {
	printf 'diff --git a/mm/upgrade.c b/mm/upgrade.c\n--- a/mm/upgrade.c\n+++ b/mm/upgrade.c\n@@ -1 +1 @@\n-int decide(void) { return 1; }\n+int decide(void) { return 0; }\n' >>patches/tools-check.patch
	refused "patches/tools-check.patch edits mm/upgrade.c, a new file of mm-decide.patch" scripts/compose
}

@test "a patch that adds, renames or edits what a diff may not" {
	cp patches/tools-check.patch "$T/p"
	printf 'diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n' >>patches/tools-check.patch
	refused "the diff may only edit files, but it has a 'new file' line" scripts/compose
	cp "$T/p" patches/tools-check.patch
	printf 'diff --git a/Kbuild b/K\nsimilarity index 100%%\nrename from Kbuild\nrename to K\n' >>patches/tools-check.patch
	refused "'rename' line" scripts/compose
	cp "$T/p" patches/tools-check.patch
	edit_diff 1s/List/Lists/ MAINTAINERS >>patches/tools-check.patch
	refused "patches/tools-check.patch edits MAINTAINERS" scripts/compose
}

@test "a hunk that does not apply: patch, file, hunk, line and kernel are named" {
	sed -i '50s/.*/other/' "$T/kernel/mm/mprotect.c"
	refused "patches/mm-call.patch: hunk 2 of mm/mprotect.c (at line 47) does not apply to Linux 7.3.4" scripts/compose
	make_kernel "$T/kernel"
	sed -i '33s/.*/fuzzy context/' "$T/kernel/mm/memory.c"
	refused "patches/mm-call.patch: hunk 1 of mm/memory.c (at line 27) does not apply to Linux 7.3.4" scripts/compose
}

@test "offsets are fine, a missing file is not" {
	sed -i '1i added\nadded' "$T/kernel/mm/mprotect.c"
	scripts/compose
	rm "$T/kernel/mm/memory.c"
	refused "patches/mm-call.patch does not apply to Linux 7.3.4: mm/memory.c: does not exist" scripts/compose
}

@test "malformed patches" {
	cp patches/mm-call.patch "$T/p"
	sed -i 1d patches/mm-call.patch
	refused 'patches/mm-call.patch: the first line must be "Subject: "' scripts/compose
	grep -v '^---$' "$T/p" >patches/mm-call.patch
	refused 'no line "---"' scripts/compose
	sed '/^---$/,$d' "$T/p" >patches/mm-call.patch
	refused "it changes nothing" scripts/compose
	head -n -5 "$T/p" >patches/mm-call.patch
	refused "patches/mm-call.patch: git cannot read the diff" scripts/compose
	: >patches/mm-call.patch
	refused "it is empty" scripts/compose
	sed -i 's,- tools/check.sh,&\nmore text,' patches/tools-check.patch
	cp "$T/p" patches/mm-call.patch
	refused 'after "New files:" only' scripts/compose
}

@test "odd file names" {
	local names=('mm/a b.c' 'mm/quo"te.c' "mm/it's.c" 'mm/grüße.c' '-dash.c' 'mm/back\slash.c' 'mm/st*r[x].c' '@' 'mm/do$(l).c' 'tab	name' 'mm/]' 'amp&' ' lead' 'trail ') name
	for name in "${names[@]}"; do
		printf '%s\n' "content of $name" >"./$name"
		printf -- '- %s\n' "$name"
	done >"$T/list"
	sed -i "/^New files:/r $T/list" patches/tools-check.patch
	tip=$(scripts/compose)
	for name in "${names[@]}"; do
		[ "$(git --git-dir=build/compose.git cat-file blob "$tip:$name")" = "content of $name" ] || { echo "$name"; false; }
	done
}

@test "a line break in a file name is refused" {
	echo >$'mm/two\nlines.c'
	refused "has a line break" scripts/compose
}

@test "odd names of edited kernel files" {
	local name
	for name in 'mm/a b.c' 'mm/quo"te.c' 'mm/grüße.c' 'mm/back\slash.c'; do
		seq 1 20 >"$T/kernel/$name"
	done
	git_kernel
	for name in 'mm/a b.c' 'mm/quo"te.c' 'mm/grüße.c' 'mm/back\slash.c'; do
		sed -i 10s/.*/ten/ "$T/kernel/$name"
	done
	git -C "$T/kernel" diff >>patches/mm-call.patch
	git -C "$T/kernel" stash -q 2>/dev/null || git -C "$T/kernel" checkout -q .
	tip=$(scripts/compose)
	[ "$(git --git-dir=build/compose.git cat-file blob "$tip:mm/quo\"te.c" | sed -n 10p)" = ten ]
	sed -i '9s/.*/nine/' "$T/kernel/mm/quo\"te.c"
	git -C "$T/kernel" add -A; commit "$T/kernel" changed
	refused 'hunk 1 of mm/quo"te.c (at line 7) does not apply' scripts/compose
}

@test "another base: composed anew" {
	one=$(tip)
	echo >>"$T/kernel/Kbuild"
	two=$(tip)
	[ "$one" != "$two" ]
	[ "$(git --git-dir=build/compose.git show base:Kbuild | wc -l)" -eq 2 ]
	make_kernel "$T/kernel" 7.3.9
	sed -i '50s/.*/other/' "$T/kernel/mm/mprotect.c"
	refused "does not apply to Linux 7.3.9" scripts/compose
}

@test "two runs at once agree" {
	scripts/compose >"$T/1" & scripts/compose >"$T/2" & scripts/compose >"$T/3" &
	wait
	[ -s "$T/1" ] && cmp "$T/1" "$T/2" && cmp "$T/2" "$T/3"
	[ -z "$(find build cache -name 'tmp.*' 2>/dev/null)" ]
}

@test "a copy without .git composes to the same" {
	one=$(tip)
	rm -rf .git
	echo '#' >>patches/series
	[ "$(tip)" = "$one" ]
	echo x >mm/stray.c
	refused "mm/stray.c is claimed by no patch" scripts/compose
}
