# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # bats sets and reads these
# A tiny kernel, a tiny workshop with three patches, a cache of their own.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	T=$BATS_TEST_TMPDIR
	export XDG_CACHE_HOME=$T/cache HOME=$T/home
	unset CACHE BUILD SERIES_IDENT SIGNOFF BRANCH LINUX KERNEL_TARBALL EMAIL \
	      GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL \
	      XDG_CONFIG_HOME GIT_CONFIG_GLOBAL
	export GIT_CONFIG_NOSYSTEM=1
	mkdir -p "$HOME" "$T/bin"
	# Nothing here has to survive a power cut, and a busy disk is slow.
	printf '#!/bin/sh\n' >"$T/bin/sync"
	chmod +x "$T/bin/sync"
	PATH=$T/bin:$PATH
	git config --global core.fsync none
	make_kernel "$T/kernel"
	make_workshop "$T/shop"
	cd "$T/shop" || return
	export LINUX=$T/kernel
}

# make_kernel DIR [VERSION]
make_kernel()
{
	local v=${2:-7.3.4} major minor sub

	IFS=. read -r major minor sub <<<"$v"
	mkdir -p "$1/mm"
	printf '# SPDX\nVERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = %s\nEXTRAVERSION =\n' "$major" "$minor" "$sub" >"$1/Makefile"
	echo '# Kbuild' >"$1/Kbuild"
	printf '*.o\n.config\n' >"$1/.gitignore"
	seq -f 'line %g' 1 60 >"$1/mm/mprotect.c"
	seq -f 'memory %g' 1 60 >"$1/mm/memory.c"
	seq -f 'obj-y += %g.o' 1 20 >"$1/mm/Makefile"
	cat >"$1/MAINTAINERS" <<-'END'
	List of maintainers
	===================

	        M: *Mail* patches to

	Maintainers List
	----------------

	.. note:: alphabetical

	3C59X NETWORK DRIVER
	M:	A <a@example.org>
	S:	Odd Fixes
	F:	mm/memory.c

	ZSWAP COMPRESSED SWAP CACHING
	M:	B <b@example.org>
	F:	mm/zswap.c

	PAGE CACHE
	M:	D <d@example.org>
	F:	mm/filemap.c

	PAGE TABLE CHECK
	M:	C <c@example.org>
	F:	mm/Makefile

	THE REST
	M:	Linus <l@example.org>
	F:	*
	F:	*/
	END
}

# edit_diff SED FILE: a git diff of what SED does to the kernel's FILE.
edit_diff()
{
	local a=$T/kernel/$2

	sed "$1" "$a" >"$T/edited"
	printf 'diff --git a/%s b/%s\n' "$2" "$2"
	diff -u --label "a/$2" --label "b/$2" "$a" "$T/edited" || true
}

make_workshop()
{
	mkdir -p "$1/patches" "$1/mm" "$1/tools"
	cp -r "$HERE/scripts" "$1/"
	echo '/build/' >"$1/.gitignore"
	printf 'int decide(void);\n' >"$1/mm/upgrade.h"
	printf 'int decide(void) { return 1; }\n' >"$1/mm/upgrade.c"
	printf '#!/bin/sh\nexit 0\n' >"$1/tools/check.sh"
	chmod +x "$1/tools/check.sh"
	cat >"$1/MAINTAINERS" <<-'END'
	PROTECTION UPGRADES
	M:	Somebody <s@example.org>
	S:	Maintained
	F:	mm/upgrade.*
	F:	tools/check.sh
	END
	cat >"$1/patches/series" <<-'END'
	base: v7.3.4
	# The whole series.

	# first the decision
	mm-decide
	# then its callers
	mm-call
	tools-check
	END
	{ printf 'Subject: mm: decide\n\nOne decision.\n\nSecond paragraph.\n\nNew files:\n- mm/upgrade.h\n- mm/upgrade.c\n---\n'
	  edit_diff '10s/.*/obj-y += upgrade.o/' mm/Makefile; } >"$1/patches/mm-decide.patch"
	{ printf 'Subject: mm: call\n\nCall it.\n---\n'
	  edit_diff '20s/.*/decide/; 50s/.*/decide again/' mm/mprotect.c
	  edit_diff '30s/.*/decide/' mm/memory.c; } >"$1/patches/mm-call.patch"
	printf 'Subject: tools: check\n\nCheck it.\n\nNew files:\n- tools/check.sh\n---\n' >"$1/patches/tools-check.patch"
	printf 'Subject: cheap upgrades: a séries\n\nWhy.\n\nHow: so.\n' >"$1/patches/cover-letter"
	git -C "$1" init -q
	git -C "$1" add -A
	commit "$1" start
}

# in_parts: the same series, its first patch as a part of its own.
in_parts()
{
	sed -i -e 's/^mm-decide$/part: first\n&/' -e 's/^mm-call$/part: second\n&/' patches/series
	printf 'Subject: decide\n\nWhy.\n' >patches/cover-letter-first
	printf 'Subject: callers\n\nWhy.\n' >patches/cover-letter-second
	rm patches/cover-letter
}

commit()
{
	git -C "$1" -c user.name=U -c user.email=u@example.org commit -qm "$2"
}

# refused SENTENCE-PART COMMAND...: it fails, with one error line that says so.
refused()
{
	local part=$1

	shift
	run "$@"
	[ "$status" -ne 0 ] || { echo "not refused: $*"; return 1; }
	[[ $output == *"error: "*"$part"* ]] || { echo "wrong words: $output"; return 1; }
	[ "$(grep -c '^error: ' <<<"$output")" -eq 1 ] || { echo "not one sentence: $output"; return 1; }
}

git_kernel()
{
	git -C "$T/kernel" init -q
	git -C "$T/kernel" add -Af
	commit "$T/kernel" "a kernel"
}

# tip: the composed series' commit
tip() { scripts/compose 2>/dev/null; }
tree_of() { git --git-dir=build/compose.git rev-parse "$1^{tree}"; }
