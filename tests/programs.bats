#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # quoted for the fake programs to expand
# scripts/realprograms: fetched once, whole or not at all, again when asked for
# something else. apt-get is a fake that offers one tiny package. And what
# scripts/calls.awk makes of a trace.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	T=$BATS_TEST_TMPDIR
	export CACHE=$T/cache BUILD=$T/build ARCH=x86_64 T
	mkdir -p "$T/shop/vm/programs/hello" "$T/bin" "$T/deb/DEBIAN" "$T/deb/usr/bin" "$T/deb/usr/lib"
	cp -r "$HERE/scripts" "$T/shop/"
	cp -r "$HERE/vm/arch" "$T/shop/vm/"
	printf 'RELEASE=bookworm\nPACKAGE=hello\n' >"$T/shop/vm/programs/hello/conf"
	echo hello | tee "$T/deb/usr/bin/hello" >"$T/deb/usr/lib/of-no-use"
	printf 'Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n' >"$T/deb/DEBIAN/control"
	dpkg-deb -b "$T/deb" "$T/hello.deb" >/dev/null
	cat >"$T/bin/apt-get" <<-'END'
	#!/bin/bash
	echo "$*" >>"$T/apt.log"
	case $* in
	*indextargets*) echo 'Debian|Debian|http://mirror.example/debian/' ;;
	*" source "*) touch hello.dsc ;;
	*" install "*)
		[[ $* =~ Dir::Cache::Archives=([^ ]*) ]]
		cp "$T/hello.deb" "${BASH_REMATCH[1]}/"
		[ ! -e "$T/break" ] || head -c 300 "$T/hello.deb" >"${BASH_REMATCH[1]}/hello.deb" ;;
	esac
	END
	chmod +x "$T/bin/apt-get"
	PATH=$T/bin:$PATH
	cd "$T/shop" || return
}

fetches() { grep -c ' install ' "$T/apt.log"; }

@test "fetched once, from the release that is asked for, by lists of our own" {
	all=$(scripts/realprograms 2>/dev/null)
	[ "$(cat "$all/hello/usr/bin/hello")" = hello ]
	grep -q 'http://mirror.example/debian/ bookworm main' "$CACHE"/apt-*/sources.list
	[ "$(grep update "$T/apt.log" | grep -vc 'Dir::Etc::SourceParts=')" -eq 0 ]
	scripts/realprograms 2>/dev/null
	[ "$(fetches)" -eq 1 ]
}

@test "another release or package is fetched anew" {
	scripts/realprograms 2>/dev/null
	sed -i s/bookworm/trixie/ vm/programs/hello/conf
	all=$(scripts/realprograms 2>/dev/null)
	[ "$(fetches)" -eq 2 ]
	[ "$(cat "$all/hello/package")" = "trixie hello" ]
}

@test "a broken download is one clear sentence, and nothing of it is used" {
	touch "$T/break"
	run scripts/realprograms
	[ "$status" -ne 0 ]
	[ "$(grep -c '^error: could not fetch hello of Debian bookworm' <<<"$output")" -eq 1 ]
	[ ! -e "$CACHE/programs-amd64/hello" ]
	rm "$T/break"
	all=$(scripts/realprograms 2>/dev/null)
	[ "$(cat "$all/hello/usr/bin/hello")" = hello ]
	[ "$(find "$all" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
}

@test "several packages, less what is not needed, and with the directories that Debian merged" {
	printf 'PACKAGE="hello world"\nDROP="usr/lib/of-* usr/none"\n' >>vm/programs/hello/conf
	all=$(scripts/realprograms 2>/dev/null)
	grep -q ' install hello world$' "$T/apt.log"
	[ -e "$all/hello/bin/hello" ] && [ -d "$all/hello/lib" ]
	[ ! -e "$all/hello/usr/lib/of-no-use" ]
	scripts/realprograms 2>/dev/null
	[ "$(fetches)" -eq 1 ]
	sed -i '/^DROP/d' vm/programs/hello/conf
	scripts/realprograms 2>/dev/null
	[ "$(fetches)" -eq 2 ]
	[ -e "$all/hello/usr/lib/of-no-use" ]
}

@test "what is built of a source package belongs to the program" {
	cp "$HERE/vm/packages" vm/
	printf '#!/bin/sh\ncp "$2/words" "$1/built"; echo "$4" >>"$1/built"\n' >vm/programs/hello/build
	printf '#!/bin/sh\nmkdir "$3" && echo made >"$3/words"\n' >"$T/bin/dpkg-source"
	chmod +x vm/programs/hello/build "$T/bin/dpkg-source"
	printf 'SOURCE=hello\nTHREADS=3\n' >>vm/programs/hello/conf
	all=$(scripts/realprograms 2>/dev/null)
	[ "$(paste -s "$all/hello/built")" = "made	3" ]
	grep -q '^deb-src .*bookworm main' "$CACHE"/apt-source-bookworm/sources.list
	printf '#!/bin/sh\necho no compiler; exit 1\n' >vm/programs/hello/build
	rm -r "$all/hello"
	run scripts/realprograms
	[ "$status" -ne 0 ]
	[[ $output == *"could not build hello of Debian's source hello: no compiler"* ]]
	[ ! -e "$all/hello" ]
}

@test "calls: what gives permissions, takes them, or both, page by page" {
	cat >trace <<-'END'
	7  mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7ffff7ff2000
	7  clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 9
	7  clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 8
	7  mprotect(0x7ffff7ff2000, 8192, PROT_READ <unfinished ...>
	8  --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_ACCERR, si_addr=0x7ffff7ff3008} ---
	8  mprotect(0x7ffff7ff3000, 4096, PROT_READ|PROT_WRITE) = 0
	7  <... mprotect resumed>)            = 0
	8  mprotect(0x7ffff7ff3000, 4096, PROT_READ|PROT_WRITE) = 0
	8  mprotect(0x7ffff7ff2000, 8192, PROT_READ|PROT_WRITE) = 0
	8  mprotect(0x7ffff7ff2000, 4096, PROT_READ|PROT_EXEC) = 0
	8  mprotect(0x1000, 4096, PROT_READ) = -1 ENOMEM (Cannot allocate memory)
	8  ioctl(3, UFFDIO_WRITEPROTECT, 0x7ffff7ff1000) = 0
	END
	run awk -v name=x -v unit=page -v units=2 -f scripts/calls.awk trace
	[ "$(awk '{ print $3, $4, $5, $6, $7, $8, $9 }' <<<"$output")" = "2 1.00 0.50 0.50 0.50 0.50 0.50" ]
}
