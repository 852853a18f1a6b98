#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The series itself, on the real kernel of the cache. Works in a copy of the
# repository: the one under test is only read.

setup_file()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export HERE COPY=$BATS_FILE_TMPDIR/repository
	unset BUILD SERIES_IDENT SIGNOFF
	mkdir "$COPY"
	(cd "$HERE" && git ls-files -coz --exclude-standard | while IFS= read -r -d '' file; do
		[ ! -e "$file" ] || printf '%s\0' "$file"
	done | xargs -0 cp -a --parents -t "$COPY" --)
	git -C "$COPY" init -q
	git -C "$COPY" add -Af
	git -C "$COPY" -c user.name=U -c user.email=u@example.org commit -qm copy
	"$COPY/scripts/compose" >"$BATS_FILE_TMPDIR/tip"
}

setup()
{
	cd "$COPY" || return
	tip=$(cat "$BATS_FILE_TMPDIR/tip")
	export GIT_DIR=$COPY/build/compose.git
	[ "$(git rev-list --count "base..$tip")" -gt 0 ] || skip "patches/series names no patch yet"
}

@test "tree and refresh leave the repository as it is" {
	unset GIT_DIR
	scripts/tree
	# other commits with the same content, so that every patch is written anew
	git -C build/linux -c user.name=U -c user.email=u@example.org rebase -q --force-rebase base
	scripts/refresh
	[ -z "$(git status --porcelain)" ] || { git status --porcelain; git diff | head -n 50; false; }
	rm -rf build/linux
}

@test "git am of the mails on the pristine kernel gives the composed tree" {
	(unset GIT_DIR; scripts/mailseries)
	# a repository that borrows the objects, with the edited files only
	objects=$GIT_DIR/objects
	git diff-tree -r --no-renames --name-only --diff-filter=MD base "$tip" | sed 's,^,/,' >"$BATS_TEST_TMPDIR/files"
	base=$(git rev-parse base)
	unset GIT_DIR
	git init -q "$BATS_TEST_TMPDIR/am"
	cd "$BATS_TEST_TMPDIR/am"
	echo "$objects" >.git/objects/info/alternates
	git sparse-checkout set --no-cone --stdin <"$BATS_TEST_TMPDIR/files"
	git checkout -q --detach "$base"
	# the parts one after the other, each from the first patch to the last
	mapfile -t mails < <(find "$COPY/build/series" -name '*.patch' ! -name '*-cover-letter.patch' | sort)
	git -c user.name=U -c user.email=u@example.org am -q --keep-cr "${mails[@]}"
	[ "$(git rev-parse 'HEAD^{tree}')" = "$(git rev-parse "$tip^{tree}")" ]
	[ "$(git rev-list --count "$base..HEAD")" -eq ${#mails[@]} ]
}

@test "every commit's MAINTAINERS names only files that are there" {
	[ -f MAINTAINERS ] || skip "the series has no MAINTAINERS section"
	for commit in $(git rev-list "base..$tip"); do
		git ls-tree -r --name-only "$commit" >"$BATS_TEST_TMPDIR/files"
		diff <(git show base:MAINTAINERS) <(git show "$commit:MAINTAINERS") |
			sed -n 's/^> F:[[:space:]]*//p' | while IFS= read -r pattern; do
			re=$(sed -e 's/[.+]/\\&/g' -e 's/\*/[^\/]*/g' -e 's/?/./g' <<<"$pattern")
			grep -q "^$re" "$BATS_TEST_TMPDIR/files" || { echo "$commit: $pattern"; exit 1; }
		done
	done
}

@test "vm/mutants.patch applies to the series, and vm/mutants-users.patch to both" {
	export GIT_INDEX_FILE=$BATS_TEST_TMPDIR/index
	git read-tree "$tip"
	git apply --cached "$COPY/vm/mutants.patch"
	git apply --cached --check "$COPY/vm/mutants-users.patch"
}

@test "vm/mutants and vm/mutants.patch have the same bugs" {
	grep -o '^+.*' vm/mutants.patch | grep -o 'MUTANT([0-9]*)' | tr -cd '0-9\n' |
		sort -nu >"$BATS_TEST_TMPDIR/patch"
	grep -v '^#' vm/mutants | awk '{ print $1 }' | sort -nu >"$BATS_TEST_TMPDIR/list"
	diff "$BATS_TEST_TMPDIR/patch" "$BATS_TEST_TMPDIR/list"
}

@test "the tests that vm/mutants and vm/mutants-users name are there" {
	while IFS=: read -r program name; do
		if [[ $program = kunit_* ]]; then
			grep -q "KUNIT_CASE($name)" "mm/tests/${program#kunit_}_kunit.c" ||
				{ echo "$program has no case $name"; false; }
			continue
		fi
		grep -qx "$program" vm/guest/tests
		grep -Eq "^TEST(_F)?(_TIMEOUT)?\((.*[ ,])?${name}[,)]" "tools/testing/selftests/mm/$program.c" ||
			{ echo "$program has no test $name"; false; }
	done < <(grep -hv '^#' vm/mutants vm/mutants-users | awk '{ print $3 }' | tr , '\n' |
		 sed -e '/^+/d' -e 's/@.*//')
}

@test "the functions and lines that vm/coverage is about are in the series" {
	while read -r line; do
		path=${line%% | *} line=${line#* | }
		function=${line%% | *} line=${line#* | }
		text=${line% | *}
		git show "$tip:$path" >"$BATS_TEST_TMPDIR/file"
		grep -q "\<$function(" "$BATS_TEST_TMPDIR/file" || { echo "$path has no $function()"; false; }
		[ "$text" = '*' ] || grep -qF "$text" "$BATS_TEST_TMPDIR/file" ||
			{ echo "$path has no line: $text"; false; }
	done < <(grep -v '^#' vm/coverage | sed '/^$/d; s/  *|  */ | /g')
}

@test "each suite of vm/kunit/suites is in the series, for each of its architectures" {
	while read -r dir archs; do
		git cat-file -e "$tip:$dir/.kunitconfig"
		for arch in $archs; do
			[ -f "vm/kunit/$arch.config" ]
		done
	done < <(grep -v '^#' vm/kunit/suites)
}
