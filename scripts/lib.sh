# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What every script here shares: places, messages, locks, long work.
# Source it after "set -euo pipefail".

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$TOP/build}
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/protection-upgrades}
SECONDS_AT_START=${SECONDS_AT_START:-$(date +%s)}
export TOP BUILD CACHE SECONDS_AT_START
export LC_ALL=C.UTF-8
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
# "make ARCH=riscv64" is for us; the kernel calls it riscv.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS
mkdir -p "$BUILD" "$CACHE"

# Version the series is made for, from the first line of patches/series.
series_base()
{
	sed -n '1s/^base: v\([0-9][0-9.]*\)$/\1/p' "$TOP/patches/series"
}

# A stage line: elapsed time, then the message. Everything meant for people
# goes to standard error; standard output carries results between scripts.
say()
{
	local t=$(($(date +%s) - SECONDS_AT_START))

	printf '[%3d:%02d] %s\n' $((t / 60)) $((t % 60)) "$*" >&2
}

# One clear sentence, then the end.
die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# lock NAME: one run at a time behind it, until this shell ends.
# A waiting run says so; the lock cannot outlive its owner. Programs started
# under it must not inherit it: pass them "{LOCK_FD}>&-" if they stay on.
lock()
{
	mkdir -p "$CACHE/locks"
	exec {LOCK_FD}>"$CACHE/locks/$1"
	if ! flock -n "$LOCK_FD"; then
		say "waiting for another run that holds '$1'"
		flock "$LOCK_FD"
	fi
}

# progress LOG: how far a command is that will print WHOLE lines like STEP (or lines of
# any kind), as a share; without WHOLE how much it has said.
progress()
{
	local log=$1 n

	n=$(grep -cE "${STEP:-.}" "$log" || :)
	if [ "${WHOLE:-0}" -gt 0 ]; then
		[ "$n" -lt "$WHOLE" ] || n=$((WHOLE - 1)) # it is not done yet
		printf '%2d %%, %d of %d: ' $((n * 100 / WHOLE)) "$n" "$WHOLE"
	else
		printf '%d lines: ' "$n"
	fi
	tail -n 1 "$log" | cut -c 1-60
}

# run_logged LOG COMMAND...: output to LOG, a line of progress every
# 20 seconds, the end of LOG if the command fails.
run_logged()
{
	local log=$1 pid rc=0 last=0 now

	shift
	set -m # a process group of its own, so that all of it can be ended
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064 # expand now: this pid, not a later one
	trap "kill -- -$pid 2>/dev/null; wait $pid 2>/dev/null; exit 130" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
		now=$SECONDS
		if [ $((now - last)) -ge 20 ] && [ "$last" -ne 0 ]; then
			say "  ... $(progress "$log")"
			last=$now
		fi
		[ "$last" -ne 0 ] || last=$now
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	[ "$rc" -eq 0 ] && return 0
	tail -n 30 "$log" >&2
	printf 'error: "%s" ended with status %d; all of its output is in %s\n' \
	       "$*" "$rc" "$log" >&2
	return "$rc"
}

# t NAME COMMAND...: a test that passes if the command does; one line of TAP,
# and what the command printed if it fails.
TESTS=0
t()
{
	local name=$1 out rc=0

	shift
	TESTS=$((TESTS + 1))
	out=$("$@" 2>&1 </dev/null) || rc=$?
	if [ "$rc" -eq 0 ]; then
		echo "ok $TESTS $name"
	else
		echo "not ok $TESTS $name"
		tail -n 40 <<<"$out" | sed 's/^/# /'
	fi
}
