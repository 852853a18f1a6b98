#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2012 # quoted for fakes to expand; our own file names
load helper

L() { git -C build/linux -c user.name=U -c user.email=u@example.org -c core.editor=true "$@"; }
clean() { [ -z "$(git status --porcelain)" ] || { git status --porcelain; git diff; return 1; }; }
# rewrite COMMIT-SUBJECT COMMAND: the command's edit folded into that commit.
rewrite()
{
	L checkout -q --detach "$(L log --format=%h --grep "^$1" series)"
	(cd build/linux && eval "$2")
	L add -A
	L commit -q --amend --no-edit
	L rebase -q --onto HEAD "$(L log --format=%h --grep "^$1" series)" series
}

@test "tree: a repository that stands by itself" {
	path=$(scripts/tree)
	[ "$path" = "$PWD/build/linux" ]
	[ "$(L symbolic-ref --short HEAD)" = series ]
	[ "$(L rev-list --count base..series)" -eq 3 ]
	[ -z "$(L status --porcelain)" ]
	[ -x build/linux/tools/check.sh ] && [ -f build/linux/mm/upgrade.c ]
	mv "$T/cache" "$T/gone"
	rm -rf build/compose.git
	L fsck --full
	[ ! -e build/linux/.git/objects/info/alternates ]
	[ -z "$(L remote)" ]
}

@test "tree: again, and moved when the series changed" {
	scripts/tree
	echo keep >build/linux/x.o
	scripts/tree
	echo '/* more */' >>mm/upgrade.c
	scripts/tree
	cmp mm/upgrade.c build/linux/mm/upgrade.c
	[ -z "$(L status --porcelain)" ] && [ -f build/linux/x.o ]
	[ "$(L rev-parse HEAD)" = "$(scripts/compose)" ]
	# another base
	echo >>"$T/kernel/Kbuild"
	scripts/tree
	[ "$(L rev-parse base)" = "$(git --git-dir=build/compose.git rev-parse base)" ]
	scripts/refresh
}

@test "tree: stops for what would be lost" {
	scripts/tree
	echo x >>build/linux/mm/memory.c
	refused "1 uncommitted files (mm/memory.c), which would be lost; run 'make refresh'" scripts/tree
	L commit -qam more
	refused "1 commits on branch series that were not composed" scripts/tree
	L checkout -q base
	refused "a checkout that is not branch series" scripts/tree
	L reset -q --hard; rm -rf build/linux; mkdir build/linux
	refused "was not made by this script" scripts/tree
}

@test "round trip without an edit changes no byte, hand-formatted patches included" {
	sed -i 's/^diff --git a.mm.memory/index 1234567..89abcde 100644\n&/; /^---$/a some notes\n' patches/mm-call.patch
	sed -i 's,^- mm/upgrade.c,,; s,^- mm/upgrade.h,- mm/upgrade.c\n- mm/upgrade.h,' patches/mm-decide.patch
	printf '\n# the end' >>patches/series
	git add -A; commit . hand
	scripts/tree
	scripts/refresh
	clean
	# new ids and the same content: still no byte
	L rebase -q --force-rebase base
	scripts/refresh
	clean
	# the first patch is edited: the others keep their form
	rewrite 'mm: decide' 'echo >>mm/upgrade.c'
	scripts/refresh
	[ "$(git status --porcelain)" = " M mm/upgrade.c" ]
	scripts/tree
}

@test "an edit of everything comes back" {
	scripts/tree
	rewrite 'mm: decide' 'echo "/* new */" >>mm/upgrade.h; sed -i "5s/.*/obj-y += five.o/" mm/Makefile; chmod +x mm/upgrade.c; echo more >mm/more.c'
	L commit -q --amend -m 'tools: check, "better" (v2)!' -m 'Reworded.'
	echo fourth >build/linux/mm/upgrade_bench.c
	sed -i 40s/.*/forty/ build/linux/mm/memory.c
	L add -A; L commit -qm $'mm: fourth\n\nText.'
	scripts/refresh
	grep -q new mm/upgrade.h && [ -x mm/upgrade.c ] && [ "$(cat mm/upgrade_bench.c)" = fourth ]
	grep -q '^- mm/more.c$' patches/mm-decide.patch
	[ ! -e patches/tools-check.patch ] && [ "$(head -n 1 patches/tools-check-better-v2.patch)" = 'Subject: tools: check, "better" (v2)!' ]
	grep -q '^- mm/upgrade_bench.c$' patches/mm-fourth.patch
	grep -q '^+forty$' patches/mm-fourth.patch
	! grep -rq '^index ' patches || false
	[ "$(cat patches/series)" = $'base: v7.3.4\n# The whole series.\n\n# first the decision\nmm-decide\n# then its callers\nmm-call\ntools-check-better-v2\nmm-fourth' ]
	[ "$(scripts/compose)" = "$(L rev-parse series)" ]
	git add -A; commit . edited
	scripts/refresh; clean
	scripts/tree; scripts/refresh; clean
}

@test "commits dropped, reordered; files removed" {
	scripts/tree
	L rebase -q --onto series~2 series~1 series
	scripts/refresh
	[ "$(grep -v '^#' patches/series | tr '\n' ' ')" = "base: v7.3.4  mm-decide tools-check " ]
	[ ! -e patches/mm-call.patch ]
	! grep -q callers patches/series || false
	rewrite 'tools: check' 'git mv tools/check.sh tools/run.sh; sed -i s/check.sh/run.sh/ MAINTAINERS'
	scripts/refresh
	[ ! -e tools/check.sh ] && [ -x tools/run.sh ]
	grep -q 'tools/run.sh' MAINTAINERS
	[ "$(scripts/compose)" = "$(L rev-parse series)" ]
	L reset -q --hard series~1
	scripts/refresh
	[ ! -e tools ] && [ ! -e patches/tools-check.patch ]
	! grep -q tools MAINTAINERS || false
}

@test "parts keep their patches; a new one joins the one before it" {
	in_parts
	git add -A
	commit . parts
	scripts/tree
	L=build/linux
	echo more >>$L/mm/memory.c
	git -C $L add -A
	commit $L "mm: more"
	GIT_SEQUENCE_EDITOR='sed -i "1{h;d};2{G}"' git -C $L -c user.name=U -c user.email=u@x rebase -q -i series~2
	scripts/refresh
	[ "$(grep -v '^#' patches/series | tr -s '\n' ' ')" = "base: v7.3.4 part: first mm-decide part: second mm-more tools-check mm-call " ] ||
	[ "$(grep -v '^#' patches/series | tr -s '\n' ' ')" = "base: v7.3.4 part: first mm-decide part: second mm-call mm-more tools-check " ]
	grep -B 1 '^part: second' patches/series | head -n 1 | grep -q '^# then its callers'
	# a patch that is moved to another part belongs there
	GIT_SEQUENCE_EDITOR='sed -i "1{h;d};\$G"' git -C $L -c user.name=U -c user.email=u@x rebase -q -i series~2
	scripts/refresh
	first=$(sed -n '/^part: first/,/^part: second/p' patches/series | grep -v '^#\|^part\|^$' | tr '\n' ' ')
	[ "$first" = "mm-decide " ]
	[ "$(grep -c '^part: ' patches/series)" -eq 2 ]
}

@test "diffs do not depend on git's configuration" {
	for setting in diff.noprefix diff.mnemonicPrefix color.ui=always diff.algorithm=patience diff.context=9 core.quotepath diff.renames=copies diff.external=/bin/false; do
		git config --global "${setting%%=*}" "$([[ $setting == *=* ]] && echo "${setting#*=}" || echo true)"
	done
	echo 'mm/*.c -diff' >"$T/kernel/.gitattributes"
	rm -rf build; scripts/tree
	git config -f build/linux/.git/config diff.noprefix true
	rewrite 'mm: call' 'sed -i 10s/.*/ten/ mm/mprotect.c'
	scripts/refresh
	{ sed '/^---$/q' patches/mm-call.patch
	  edit_diff '30s/.*/decide/' mm/memory.c
	  edit_diff '10s/.*/ten/; 20s/.*/decide/; 50s/.*/decide again/' mm/mprotect.c; } >"$T/want"
	diff <(sed 's/^\(@@ .* @@\).*/\1/' patches/mm-call.patch) "$T/want"
}

@test "odd names come back" {
	scripts/tree
	local names=('mm/a b.c' 'mm/quo"te.c' 'mm/grüße.c' '-dash.c' 'mm/back\slash.c' 'mm/st*r[x].c' '@' 'mm/do$(l).c') name
	for name in "${names[@]}"; do echo "content of $name" >"build/linux/$name"; done
	L add -A; L commit -qm "odd names"
	scripts/refresh
	for name in "${names[@]}"; do cmp "./$name" "build/linux/$name"; done
	git add -A; commit . odd
	scripts/refresh; clean
}

@test "refused: nothing made yet, uncommitted, untracked, in progress, other branch" {
	refused "run 'make tree' first" scripts/refresh
	scripts/tree
	echo x >>build/linux/mm/memory.c
	refused "uncommitted or untracked changes (mm/memory.c)" scripts/refresh
	L checkout -q .
	echo x >build/linux/mm/untracked.c
	refused "uncommitted or untracked changes (mm/untracked.c)" scripts/refresh
	rm build/linux/mm/untracked.c
	for state in rebase-merge:rebase rebase-apply:rebase MERGE_HEAD:merge CHERRY_PICK_HEAD:cherry-pick REVERT_HEAD:revert; do
		mkdir "build/linux/.git/${state%%:*}"
		refused "${state#*:}" scripts/refresh
		rmdir "build/linux/.git/${state%%:*}"
	done
	L checkout -q -b other
	refused "is not on branch series" scripts/refresh
	L checkout -q --detach
	refused "is not on branch series" scripts/refresh
	clean
}

@test "refused: base moved, series not on base, a merge" {
	scripts/tree
	L branch -qf base series
	refused "branch base of" scripts/refresh
	L branch -qf base series~3
	L checkout -q -b side series~1
	L commit -q --allow-empty -m side
	L checkout -q series
	L merge -q --no-ff -m merge side
	refused "is a merge" scripts/refresh
	L reset -q --hard "$(L commit-tree -m root 'series^{tree}')"
	refused "is not based on branch base" scripts/refresh
	clean
}

@test "refused: an edit of an earlier commit's new file" {
	scripts/tree
	echo x >>build/linux/mm/upgrade.c
	L commit -qam "mm: fix"
	refused 'edits mm/upgrade.c, a new file that commit' scripts/refresh
	L reset -q --hard HEAD~
	L rm -q mm/upgrade.h; L commit -qm "mm: remove"
	refused 'edits mm/upgrade.h, a new file that commit' scripts/refresh
	clean
}

@test "refused: empty, symlink, submodule, binary, MAINTAINERS" {
	scripts/tree
	L commit -q --allow-empty -m empty
	refused '("empty") is empty' scripts/refresh
	L reset -q --hard HEAD~
	ln -s memory.c build/linux/mm/link; L add -A; L commit -qm link
	refused 'changes mm/link, a symbolic link' scripts/refresh
	L reset -q --hard HEAD~
	L update-index --add --cacheinfo "160000,$(L rev-parse HEAD),mm/sub"; L commit -qm sub; mkdir build/linux/mm/sub
	refused 'changes mm/sub, a submodule' scripts/refresh
	rmdir build/linux/mm/sub; L reset -q --hard HEAD~
	printf '\0\1' >build/linux/mm/blob; L add -A; L commit -qm blob
	refused 'changes mm/blob, a binary file' scripts/refresh
	L reset -q --hard HEAD~
	sed -i 's/^M:.Linus.*/M:	Me/' build/linux/MAINTAINERS; L commit -qam maint
	refused 'changes MAINTAINERS only' scripts/refresh
	echo x >build/linux/mm/more.c; L add -A; L commit -q --amend --no-edit
	refused 'has a MAINTAINERS other than' scripts/refresh
	L reset -q --hard HEAD~
	clean
}

@test "refused: a workshop name, two commits with one name, no name, a message that ends the patch" {
	scripts/tree
	for name in README.md scripts/new tests/x; do
		mkdir -p build/linux/{scripts,tests}
		echo x >"build/linux/$name"; L add -Af; L commit -qm "add"
		refused "adds $name, but that name belongs to the workshop" scripts/refresh
		L reset -q --hard HEAD~
	done
	sed -i 1s/.*/x/ build/linux/mm/memory.c; L commit -qam 'mm: one!'
	sed -i 2s/.*/x/ build/linux/mm/memory.c; L commit -qam 'mm, one?'
	refused 'would both be patches/mm-one.patch' scripts/refresh
	L commit -q --amend -m '???'
	refused 'has a subject without letters' scripts/refresh
	L commit -q --amend -m $'mm: two\n\nText\n---\nmore'
	refused 'in its message, where the patch would end' scripts/refresh
	L commit -q --amend -m $'mm: two\nsecond line'
	refused 'whose second line is not empty' scripts/refresh
	clean
}

@test "refused: the repository was edited since make tree" {
	scripts/tree
	rewrite 'mm: call' 'sed -i 10s/.*/ten/ mm/mprotect.c'
	echo '/* edited here */' >>mm/upgrade.c
	refused "were edited since 'make tree'" scripts/refresh
	git checkout -q mm/upgrade.c
	sed -i 's/Call it/Call/' patches/mm-call.patch
	refused "were edited since 'make tree'" scripts/refresh
	git checkout -q patches
	echo x >mm/stray.c
	refused "claimed by no patch" scripts/refresh
	rm mm/stray.c
	scripts/refresh
	grep -q '^+ten$' patches/mm-call.patch
}
