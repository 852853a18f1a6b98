# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The series as the repository holds it, and how it becomes commits. Source it
# after lib.sh. Promise: the same files on the same base give the same commit
# ids, whoever composes them and wherever.

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# One date for everything, or no two runs would agree.
SERIES_DATE='1767225600 +0000'
IDENT=${SERIES_IDENT:-protection upgrades <series@localhost>}
# Top-level names that are the workshop's; all other files go into the kernel.
WORKSHOP=(.ci .gitignore .git BENCHMARK.md COPYING Makefile README.md RESULTS.md results
	  patches scripts tests vm models build MAINTAINERS)
GIT=(env -u GIT_CONFIG_PARAMETERS -u GIT_CONFIG_COUNT -u GIT_OBJECT_DIRECTORY
     -u GIT_ALTERNATE_OBJECT_DIRECTORIES LANGUAGE=en GIT_NO_REPLACE_OBJECTS=1
     "GIT_CONFIG_GLOBAL=$SCRIPTS/gitconfig" GIT_CONFIG_NOSYSTEM=1
     GIT_ATTR_NOSYSTEM=1 GIT_LITERAL_PATHSPECS=1 git)
# shellcheck disable=SC2034 # for refresh
DIFF=(diff-tree -p --no-renames --no-color --no-ext-diff --no-textconv
      --src-prefix=a/ --dst-prefix=b/ -U3 --inter-hunk-context=0
      --diff-algorithm=myers --indent-heuristic --full-index --no-relative
      --submodule=short -O/dev/null)

# Git without anybody's configuration; user_git is git with it.
g() { "${GIT[@]}" "$@"; }
user_git() { git "$@"; }

# new_work NAME [DIR]: $WORK, a temporary directory that goes with this shell.
# Those of dead runs go now.
new_work()
{
	local old pid dir=${2:-$BUILD}

	for old in "$dir/tmp.$1".*; do
		pid=${old#"$dir/tmp.$1."}
		[ ! -d "$old" ] || kill -0 "${pid%%.*}" 2>/dev/null || rm -rf "$old"
	done
	WORK=$(mktemp -d "$dir/tmp.$1.$$.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# lock_clone NAME: one run at a time in this clone, not in all of them.
lock_clone() { lock "$1-$(printf %s "$BUILD" | sha256sum | cut -c 1-16)"; }

# make_repo DIR [OBJECTS]: an empty bare repository that may borrow OBJECTS.
make_repo()
{
	g init -q --bare --template= "$1"
	mkdir -p "$1/info" "$1/objects/info"
	# Bytes as they are; hunk headers that do not depend on the tree.
	printf '%s\n' '* -text -filter -ident -working-tree-encoding !diff' \
		'*.[ch] diff=cpp' >"$1/info/attributes"
	[ -z "${2-}" ] || printf '%s\n' "$2" >"$1/objects/info/alternates"
}

# The version a kernel's Makefile (on standard input) claims, or nothing.
makefile_version()
{
	awk '$2 == "=" && $1 ~ /^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)$/ &&
	     !($1 in v) { v[$1] = $3 }
	     END { if (("VERSION" in v) && ("PATCHLEVEL" in v) && ("SUBLEVEL" in v))
			print v["VERSION"] "." v["PATCHLEVEL"] "." v["SUBLEVEL"] v["EXTRAVERSION"] }'
}

# dir_version DIR, commit_version REPO COMMIT: the kernel's version; nothing
# if that is no kernel.
dir_version()
{
	[ -f "$1/Makefile" ] && [ -f "$1/MAINTAINERS" ] && [ -f "$1/Kbuild" ] &&
		[ -d "$1/mm" ] || return 0
	makefile_version <"$1/Makefile"
}

commit_version()
{
	local n

	n=$(g --git-dir="$1" ls-tree --name-only "$2" Makefile MAINTAINERS Kbuild mm | wc -l)
	[ "$n" -eq 4 ] || return 0
	g --git-dir="$1" cat-file blob "$2:Makefile" | makefile_version
}

# want_version WHAT VERSION WANTED: refuse what is not a kernel of that line.
want_version()
{
	local line

	line=$(cut -d. -f1,2 <<<"$3")
	[ -n "$2" ] || die "$1 is not a kernel tree; give the top directory of Linux $line"
	case $2 in
	"$line".*) ;;
	*) die "$1 is Linux $2, but Linux $line is needed" ;;
	esac
}

# require_base: $BASE_VERSION, from the first line of patches/series.
require_base()
{
	[ -f "$TOP/patches/series" ] || die "patches/series is missing"
	BASE_VERSION=$(series_base)
	[ -n "$BASE_VERSION" ] ||
		die "patches/series: the first line must read 'base: v' and a version, as in 'base: v7.3.4'"
}

# Paths of the repository's files, NUL-terminated.
workshop_files()
{
	if [ "$(user_git -C "$TOP" rev-parse --show-toplevel 2>/dev/null)" = "$TOP" ]; then
		user_git -C "$TOP" ls-files -coz --exclude-standard | sort -zu
	else # a copy without .git
		make_repo "$WORK/list.git"
		(cd "$TOP" && user_git --git-dir="$WORK/list.git" --work-tree=. \
			ls-files -oz --exclude-standard)
	fi
}

is_workshop()
{
	local name

	for name in "${WORKSHOP[@]}"; do
		case $1 in "$name" | "$name"/*) return 0 ;; esac
	done
	return 1
}

# split_patch NAME DIR: patches/NAME.patch into DIR/msg, DIR/new, DIR/diff,
# and DIR/touched, the files the diff edits.
split_patch()
{
	local file=$TOP/patches/$1.patch dir=$2 why

	mkdir -p "$dir"
	: >"$dir/msg"; : >"$dir/new"; : >"$dir/diff"; : >"$dir/touched"
	why=$(OUT=$dir LC_ALL=C awk '
	function bad(why) { print why; failed = 1; exit }
	BEGIN { msg = ENVIRON["OUT"] "/msg"; list = ENVIRON["OUT"] "/new"; diff = ENVIRON["OUT"] "/diff" }
	NR == 1 { if ($0 !~ /^Subject: [^ ]/) bad("the first line must be \"Subject: \" and the subject")
		  print substr($0, 10) >msg; next }
	NR == 2 { if ($0 != "") bad("the second line must be empty"); next }
	in_diff { print >diff; next }
	$0 == "---" { in_diff = 1; next }
	/^diff --git / { bad("line " NR " starts a diff, but no line \"---\" stands before it") }
	$0 == "New files:" { if (in_new) bad("\"New files:\" stands there twice"); in_new = 1; next }
	in_new && $0 == "" { next }
	in_new && /^- ./ { print substr($0, 3) >list; next }
	in_new { bad("line " NR ": after \"New files:\" only \"- path\" lines may come, up to \"---\"") }
	{ body[n++] = $0 }
	END { if (failed) exit
	      if (!NR) { print "it is empty"; exit }
	      while (n && body[n - 1] == "") n--
	      if (n) print "" >msg
	      for (i = 0; i < n; i++) print body[i] >msg }' "$file")
	[ -z "$why" ] || die "patches/$1.patch: $why"
	grep -q '[^[:space:]]' "$dir/diff" || : >"$dir/diff"
	[ -s "$dir/diff" ] || [ -s "$dir/new" ] ||
		die "patches/$1.patch: it changes nothing: no \"New files:\" and no diff"
	[ ! -s "$dir/diff" ] || check_diff "$1" "$dir"
}

check_diff()
{
	local what err

	what=$(LC_ALL=C grep -aEom1 '^(rename|copy|new file|GIT binary|Binary files)\>' "$2/diff") &&
		die "patches/$1.patch: the diff may only edit files, but it has a '$what' line; new files stand in the repository and are named under \"New files:\""
	err=$(g --git-dir="$WORK/none" apply --numstat -z "$2/diff" 2>&1 >"$2/numstat") ||
		die "patches/$1.patch: git cannot read the diff: ${err%%$'\n'*}"
	tr '\0' '\n' <"$2/numstat" | cut -f3- >"$2/touched"
	! grep -qx MAINTAINERS "$2/touched" ||
		die "patches/$1.patch edits MAINTAINERS; write the section into the repository's MAINTAINERS instead"
}

# begin_part NAME LINE: a part of the series begins, that is posted by itself.
begin_part()
{
	[[ $1 =~ ^[a-z][a-z0-9-]*$ ]] ||
		die "patches/series: line $2: '$1' is not the name of a part; use small letters, digits and dashes"
	[ "${#PARTS[@]}" -eq "${#PART_ENDS[@]}" ] ||
		die "patches/series: line $2: the part before it, ${PARTS[-1]}, has no patch"
	[ ${#PARTS[@]} -gt 0 ] || [ ${#NAMES[@]} -eq 0 ] ||
		die "patches/series: line $2: there are patches before the first part; give them one"
	[[ " ${PARTS[*]} " != *" $1 "* ]] || die "patches/series: line $2: there are two parts $1"
	PARTS+=("$1")
}

# end_of PART: how many patches it and the parts before it have; of nothing, all.
end_of()
{
	local i

	[ -n "$1" ] || { echo ${#NAMES[@]}; return; }
	for i in "${!PARTS[@]}"; do
		[ "${PARTS[i]}" != "$1" ] || { echo "${PART_ENDS[i]}"; return; }
	done
	die "PART=$1 is no part of the series; it has: ${PARTS[*]:-none}"
}

# load_series: $NAMES in order, $WORK/split/NAME for each, $OWNER of every new
# file; $PARTS, and for each how many patches there are up to its end, $PART_ENDS.
# Everything that can be said without a base is checked here.
load_series()
{
	local line n=1 name path

	require_base
	NAMES=()
	NEW=()
	PARTS=()
	PART_ENDS=()
	declare -gA OWNER=() LISTED=()
	while IFS= read -r line || [ -n "$line" ]; do
		n=$((n + 1))
		case $line in
		'' | '#'*) continue ;;
		'part: '*) begin_part "${line#part: }" "$n"; continue ;;
		esac
		[[ $line =~ ^[A-Za-z0-9_][A-Za-z0-9._+-]*$ && $line != *.patch ]] ||
			die "patches/series: line $n: '$line' is not the name of a patch; one name per line, without .patch"
		[ -z "${LISTED[$line]-}" ] || die "patches/series names $line twice"
		[ -f "$TOP/patches/$line.patch" ] ||
			die "patches/series names $line, but patches/$line.patch does not exist"
		LISTED[$line]=1
		NAMES+=("$line")
		[ ${#PARTS[@]} -eq 0 ] || PART_ENDS[${#PARTS[@]}-1]=${#NAMES[@]}
	done < <(tail -n +2 "$TOP/patches/series")
	[ "${#PARTS[@]}" -eq "${#PART_ENDS[@]}" ] || die "patches/series: the part ${PARTS[-1]} has no patch"
	for path in "$TOP"/patches/*.patch; do
		name=${path##*/}
		name=${name%.patch}
		[ ! -e "$path" ] || [ -n "${LISTED[$name]-}" ] ||
			die "patches/$name.patch is not named in patches/series; name it there or remove it"
	done
	rm -rf "$WORK/split"
	for name in "${NAMES[@]}"; do
		split_patch "$name" "$WORK/split/$name"
		claim_files "$name" "$WORK/split/$name/new"
	done
	check_claims
	for name in "${NAMES[@]}"; do
		while IFS= read -r path; do
			[ -z "${OWNER["/$path"]-}" ] ||
				die "patches/$name.patch edits $path, a new file of ${OWNER["/$path"]}.patch; edit the file itself in the repository"
		done <"$WORK/split/$name/touched"
	done
}

claim_files()
{
	local path

	while IFS= read -r path; do
		[ -z "${OWNER["/$path"]-}" ] ||
			die "$path is claimed by two patches, ${OWNER["/$path"]}.patch and $1.patch; keep it in one"
		! is_workshop "$path" ||
			die "patches/$1.patch: $path belongs to the workshop and cannot be a new kernel file"
		[ -e "$TOP/$path" ] || [ -L "$TOP/$path" ] ||
			die "patches/$1.patch lists $path, but the repository has no such file"
		[[ -f $TOP/$path && ! -L $TOP/$path ]] ||
			die "patches/$1.patch lists $path, which is not a regular file"
		OWNER["/$path"]=$1
		NEW+=("$path")
	done <"$2"
}

# Every file that is not the workshop's must be claimed.
check_claims()
{
	local path

	while IFS= read -r -d '' path; do
		is_workshop "$path" && continue
		[ -e "$TOP/$path" ] || [ -L "$TOP/$path" ] || continue
		[[ $path != *$'\n'* ]] ||
			die "the name of $(printf %q "$path") has a line break, which a patch cannot carry; rename the file"
		[ -n "${OWNER["/$path"]-}" ] ||
			die "$path is claimed by no patch; name it under \"New files:\" in one, or remove it"
	done < <(workshop_files)
}

# own_sections FILES: of the repository's MAINTAINERS the sections with a
# pattern that matches one of FILES (a list), and of their patterns those only.
# What matches nothing is left in $WORK/unmatched.
own_sections()
{
	local line pattern keep='' section=()

	: >"$WORK/unmatched"
	[ -f "$TOP/MAINTAINERS" ] || return 0
	mapfile -t present <"$1"
	while IFS= read -r line; do
		case $line in
		'')
			[ -z "$keep" ] || printf '%s\n' "${section[@]}" ''
			keep='' section=()
			continue ;;
		F:* | X:*)
			pattern=${line#?:}
			pattern=${pattern#"${pattern%%[![:space:]]*}"}
			pattern=${pattern%"${pattern##*[![:space:]]}"}
			if ! matches_any "$pattern"; then
				printf '%s\n' "$line" >>"$WORK/unmatched"
				continue
			fi
			[[ $line != F:* ]] || keep=1 ;;
		esac
		section+=("$line")
	done < <(cat "$TOP/MAINTAINERS"; echo; echo)
}

# get_maintainer.pl's rule: a directory means all below it, * and ? do not
# cross a slash, ** does.
matches_any()
{
	local path re

	re=$(sed -e 's/[][\\.^$+(){}|]/\\&/g' -e 's/?/[^\/]/g' -e 's/\*\*/\n/g' \
		 -e 's/\*/[^\/]*/g' -e 's/\n/.*/g' -e 's/[^\/]$/&(\/|$)/' <<<"$1")
	for path in "${present[@]}"; do
		[[ ! $path =~ ^$re ]] || return 0
	done
	return 1
}

# merge_sections SECTIONS BASE: the kernel's MAINTAINERS with ours put where
# the fewest titles are out of order (the kernel's own list is not quite
# sorted). The order is that of scripts/parse-maintainers.pl.
merge_sections()
{
	LC_ALL=C awk '
	function key(t) { t = toupper(t); gsub(/THE REST/, "ZZZZZZ", t); return t }
	NR == FNR { if ($0 == "") { if (text) own[++m] = text; text = "" }
		    else { if (!text) title[m + 1] = $0; text = text $0 "\n" }
		    next }
	{ line[++n] = $0 }
	/^Maintainers List/ { t = 0 }
	/^[A-Z]:/ && line[n - 1] != "" && line[n - 1] !~ /^[A-Z]:/ { at[++t] = n - 1; k[t] = key(line[n - 1]) }
	END {
		for (i = 1; i <= m; i++) {
			mine = key(title[i]); cost = 0
			for (j = 1; j <= t; j++) {
				if (k[j] == mine) { print title[i] >"/dev/stderr"; exit 3 }
				if (k[j] < mine) cost++
			}
			best = cost; pos[i] = 1
			for (j = 1; j <= t; j++) {
				cost += k[j] > mine ? 1 : -1
				if (cost < best) { best = cost; pos[i] = j + 1 }
			}
			mk[i] = mine; order[i] = i
			for (j = i; j > 1 && mk[order[j - 1]] > mine; j--) order[j] = order[j - 1]
			order[j] = i
		}
		for (i = 1; i <= m; i++) {
			s = order[i]
			if (pos[s] > t) tail = tail "\n" own[s]
			else before[at[pos[s]]] = before[at[pos[s]]] own[s] "\n"
		}
		for (i = 1; i <= n; i++) { printf "%s", before[i]; print line[i] }
		printf "%s", tail
	}' "$1" "$2"
}

# compose_onto REPO BASE: the series as commits on BASE; their ids go to the
# array COMMITS, the last one to TIP. With PART=name, those up to the end of this
# part. load_series comes before.
compose_onto()
{
	local name path oid i dir
	local repo=$1 parent=$2 sections='' version
	declare -A blob=() mode=()

	version=$(commit_version "$repo" "$2")
	want_version "the base" "$version" "$BASE_VERSION"
	check_absent "$repo" "$2" "$version"
	[[ $IDENT =~ ^(.*[^[:space:]])[[:space:]]*\<([^\<\>]+)\>$ ]] ||
		die "SERIES_IDENT must read 'Name <mail>', not '$IDENT'"
	local -x GIT_INDEX_FILE=$WORK/index
	local -x GIT_AUTHOR_NAME=${BASH_REMATCH[1]} GIT_AUTHOR_EMAIL=${BASH_REMATCH[2]} GIT_AUTHOR_DATE=$SERIES_DATE
	local -x GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_COMMITTER_DATE=$SERIES_DATE
	rm -f "$WORK/index"
	g --git-dir="$repo" read-tree "$2"
	g --git-dir="$repo" cat-file blob "$2:MAINTAINERS" >"$WORK/base-maintainers"
	if [ ${#NEW[@]} -gt 0 ]; then
		i=0
		while IFS= read -r oid; do
			path=${NEW[i]}
			blob["/$path"]=$oid
			mode["/$path"]=100644
			[ ! -x "$TOP/$path" ] || mode["/$path"]=100755
			i=$((i + 1))
		done < <(for path in "${NEW[@]}"; do printf '%s/%s\n' "$TOP" "$path"; done |
			 g --git-dir="$repo" hash-object -w --no-filters --stdin-paths)
		[ "$i" -eq ${#NEW[@]} ] || die "could not store ${NEW[i]} in $repo"
	fi
	: >"$WORK/present"
	: >"$WORK/unmatched"
	COMMITS=()
	TIP=$2
	for name in "${NAMES[@]}"; do
		dir=$WORK/split/$name
		if [ -s "$dir/diff" ]; then
			g --git-dir="$repo" apply --cached --whitespace=nowarn "$dir/diff" 2>"$dir/err" ||
				explain_apply "$name" "$dir" "$version"
		fi
		cat "$dir/new" "$dir/touched" >>"$WORK/present"
		{
			while IFS= read -r path; do
				printf '%s %s\t%s\0' "${mode["/$path"]}" "${blob["/$path"]}" "$path"
			done <"$dir/new"
			own_sections "$WORK/present" >"$WORK/sections"
			if [ -s "$WORK/sections" ] && [ "$(<"$WORK/sections")" != "$sections" ]; then
				sections=$(<"$WORK/sections")
				put_maintainers "$repo"
			fi
		} >"$WORK/index-info"
		[ ! -s "$WORK/index-info" ] ||
			g --git-dir="$repo" update-index -z --add --index-info <"$WORK/index-info" ||
			die "patches/$name.patch: its new files cannot be put into Linux $version"
		parent=$(g --git-dir="$repo" commit-tree -p "$parent" -F "$dir/msg" \
			"$(g --git-dir="$repo" write-tree)")
		COMMITS+=("$parent")
		# shellcheck disable=SC2034 # the callers' result
		TIP=$parent
	done
	i=$(end_of "${PART-}")
	COMMITS=("${COMMITS[@]:0:i}")
	[ "$i" -eq 0 ] || TIP=${COMMITS[i-1]}
	[ ! -s "$WORK/unmatched" ] ||
		die "MAINTAINERS: '$(head -n 1 "$WORK/unmatched" | tr '\t' ' ')' matches no file of the series"
}

put_maintainers()
{
	local title

	title=$(merge_sections "$WORK/sections" "$WORK/base-maintainers" 2>&1 >"$WORK/maintainers") ||
		die "MAINTAINERS: the kernel already has a section '$title'"
	printf '100644 %s\tMAINTAINERS\0' \
		"$(g --git-dir="$1" hash-object -w --no-filters "$WORK/maintainers")"
}

# check_absent REPO BASE VERSION: no new file may be in the base.
check_absent()
{
	local path there

	[ ${#NEW[@]} -gt 0 ] || return 0
	for path in "${NEW[@]}"; do printf '%s:%s\n' "$2" "$path"; done |
		g --git-dir="$1" cat-file --batch-check=there >"$WORK/there"
	there=$(awk '/^there$/ { print NR - 1; exit }' "$WORK/there")
	[ -z "$there" ] ||
		die "${NEW[there]} is to be a new file (${OWNER["/${NEW[there]}"]}.patch), but Linux $3 already has it"
}

# explain_apply NAME DIR VERSION: what git said, as one sentence with the hunk.
explain_apply()
{
	local line file hunk why

	why=$(grep -m1 '^error: ' "$2/err" || head -n 1 "$2/err")
	if [[ $why =~ ^'error: patch failed: '(.*):([0-9]+)$ ]]; then
		file=${BASH_REMATCH[1]} line=${BASH_REMATCH[2]}
		hunk=$(FILE=$file LC_ALL=C awk -v at="$line" '
			NR == FNR { name[NR] = $0; next }
			/^diff --git / { d++; h = 0 }
			/^@@ -/ { h++; split(substr($2, 2), from, ",")
				  if (name[d] == ENVIRON["FILE"] && from[1] == at) { print h; exit } }' \
			"$2/touched" "$2/diff")
		die "patches/$1.patch: hunk ${hunk:-?} of $file (at line $line) does not apply to Linux $3"
	fi
	why=${why#error: }
	die "patches/$1.patch does not apply to Linux $3: ${why/does not exist in index/does not exist there}"
}

# use_base: $BASE_GIT (the cache's repository) and $BASE, its commit.
use_base()
{
	require_base
	BASE_GIT=$("$SCRIPTS/kernel" "$BASE_VERSION")
	BASE=$(g --git-dir="$BASE_GIT" rev-parse refs/heads/base)
}

# compose REF: the series on the base in $REPO, which is made anew if the base
# is another one; sets TIP, and REF to it. Nothing is done twice.
compose()
{
	local key who

	REPO=$BUILD/compose.git
	use_base
	if [ "$(cat "$REPO/objects/info/alternates" 2>/dev/null)" != "$BASE_GIT/objects" ] ||
	   [ "$(g --git-dir="$REPO" rev-parse -q --verify refs/heads/base 2>/dev/null)" != "$BASE" ]; then
		rm -rf "$REPO"
		make_repo "$WORK/compose.git" "$BASE_GIT/objects"
		g --git-dir="$WORK/compose.git" update-ref refs/heads/base "$BASE"
		mv -T "$WORK/compose.git" "$REPO"
	fi
	key=$(series_key)
	who=$(printf %s "$IDENT ${PART-}" | sha256sum | cut -c 1-16)
	TIP=$(cat "$REPO/composed-$who-$key" 2>/dev/null) || TIP=
	if ! g --git-dir="$REPO" cat-file -e "$TIP^{commit}" 2>/dev/null; then
		load_series
		compose_onto "$REPO" "$BASE"
		say "composed ${#COMMITS[@]} patches${PART:+, up to the part $PART,} on Linux $(commit_version "$REPO" "$BASE")"
		rm -f "$REPO/composed-$who"-*
		printf '%s\n' "$TIP" >"$REPO/composed-$who-$key"
	fi
	g --git-dir="$REPO" update-ref "$1" "$TIP"
}

# All that decides the outcome, as one hash.
series_key()
{
	local path

	{
		printf '%s\n' "$BASE" "$IDENT"
		sha256sum <"$SCRIPTS/series.sh"
		while IFS= read -r -d '' path; do
			case $path in
			MAINTAINERS | patches/series | patches/*.patch) ;;
			*) ! is_workshop "$path" || continue ;;
			esac
			printf '%s\0' "$TOP/$path"
		done < <(workshop_files) >"$WORK/inputs"
		xargs -0r stat --printf='%A %n\0' -- <"$WORK/inputs" 2>/dev/null || true
		xargs -0r sha256sum -z -- <"$WORK/inputs" 2>/dev/null || true
	} | sha256sum | cut -c 1-40
}
