# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Kernel sources and objects in the cache: one work tree per base, one object
# tree per base, architecture and configuration. git changes only the files that
# differ, so make builds only what they change. Source it after arch.sh.

git_dir=${KERNEL_REPO:-$BUILD/compose.git}
base=$(git --git-dir="$git_dir" rev-parse --short=12 refs/heads/base)
src=$CACHE/src/$base

# hold_sources COMMIT: wait until no other run uses $src, then check COMMIT out.
hold_sources()
{
	[ -n "${HELD:-}" ] || lock "build-${src##*/}"
	HELD=yes
	mkdir -p "$src"
	GIT_DIR=$git_dir GIT_WORK_TREE=$src GIT_INDEX_FILE=$src.index \
		git read-tree --reset -u "$1"
	SOURCES=$1
}

# kconfig_id: changes whenever a Kconfig file of the sources does.
kconfig_id()
{
	git --git-dir="$git_dir" ls-tree -r "$SOURCES" |
		awk -F'\t' '$2 ~ /(^|\/)Kconfig/' | sha256sum
}

# fragments CONFIG: its parts in vm/config/, in the order they are merged. One whose
# name begins with "small-" is all of a configuration.
fragments()
{
	if [[ $1 = small-* && -f $TOP/vm/config/$1.config ]]; then
		printf '%s\n' "$TOP/vm/config/$1.config"
		return
	fi
	[ "$1" = plain ] || [ -f "$TOP/vm/config/$1.config" ] ||
		die "CONFIG=$1 is not plain, debug or bench"
	printf '%s\n' "$TOP/vm/config/common.config" "$TOP/vm/config/$ARCH.config"
	[ "$PAGES" = 4K ] || printf '%s\n' "$TOP/vm/config/${PAGES,,}.config"
	[ "$1" != coverage ] || printf '%s\n' "$TOP/vm/config/debug.config"
	[ "$1" = plain ] || printf '%s\n' "$TOP/vm/config/$1.config"
}

# configure OBJ strict|loose FRAGMENT...: merge the fragments onto allnoconfig,
# if they or the Kconfig files have changed. strict: every option must take.
configure()
{
	local obj=$1 how=$2 missing

	shift 2
	mkdir -p "$obj"
	{ kconfig_id; cat "$@"; } >"$obj/fragments.new"
	if [ -f "$obj/.config" ] && cmp -s "$obj/fragments.new" "$obj/fragments"; then
		return 0
	fi
	rm -f "$obj/fragments"
	(cd "$src" && ARCH=${ARCH/riscv64/riscv} CROSS_COMPILE=$CROSS KCONFIG_CONFIG=$obj/.config \
		./scripts/kconfig/merge_config.sh -n -O "$obj" "$@") \
		>"$obj/merge.log" 2>&1 ||
		{ tail -n 20 "$obj/merge.log" >&2; die "merge_config.sh failed; its output is in $obj/merge.log"; }
	missing=$(awk '/^WARNING: Value requested for/ { print $5 }' "$obj/merge.log")
	[ "$how" = loose ] || [ -z "$missing" ] ||
		die "options of vm/config/ that $ARCH does not take: ${missing//$'\n'/ }"
	kmake -s -C "$src" O="$obj" olddefconfig >>"$obj/merge.log" 2>&1
	mv "$obj/fragments.new" "$obj/fragments"
}

# build_kernel LOG OBJ ARGUMENT... TARGET: run the kernel's make there, and say how far it is.
# How many files it will compile takes some seconds to find out, so that is only asked
# where there is no kernel yet.
build_kernel()
{
	local log=$1 obj=$2 WHOLE=0 STEP='^  (CC|AS) '

	shift 2
	if [ ! -e "$obj/vmlinux" ]; then
		run_logged "$log" kmake -C "$src" O="$obj" "${@:1:$#-1}" prepare
		WHOLE=$(kmake -n -C "$src" O="$obj" "$@" 2>/dev/null | grep -cE "echo '${STEP#^}") || :
		[ "$WHOLE" -eq 0 ] || say "$WHOLE files to compile"
	fi
	run_logged "$log" kmake -C "$src" O="$obj" "$@"
}
