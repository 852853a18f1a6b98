#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2012 # quoted for fakes to expand; our own file names
load helper

# base_of REPO: the tree of its one commit, which must be the only one.
base_of()
{
	[ "$(git --git-dir="$1" rev-list --count refs/heads/base)" -eq 1 ] &&
		git --git-dir="$1" rev-parse refs/heads/base
}

# A program of this name on PATH: fake NAME <<SCRIPT
fake()
{
	mkdir -p "$T/bin"
	{ echo '#!/bin/bash'; cat; } >"$T/bin/$1"
	chmod +x "$T/bin/$1"
	PATH=$T/bin:$PATH
}

no_apt() { fake apt-get <<<'exit 100'; fake apt-cache <<<'exit 100'; unset LINUX; }

# A site with the kernel's tarball, served by a curl that can break off.
fake_site()
{
	tar -C "$T" --transform 's,^kernel,linux-7.3.4,' -cJf "$T/linux-7.3.4.tar.xz" kernel
	{ echo '-----BEGIN PGP SIGNED MESSAGE-----'; (cd "$T" && sha256sum linux-7.3.4.tar.xz); } >"$T/sha256sums.asc"
	fake curl <<-END
	echo "\$*" >>$T/curl.log
	while [ \$# -gt 1 ]; do [ "\$1" != -o ] || out=\$2; [ "\$1" != -C ] || resume=1; shift; done
	file=$T/\${1##*/}
	[ -f "\$file" ] || exit 22
	if [ -n "\$resume" ]; then
		size=\$(stat -c %s "\$out" 2>/dev/null || echo 0)
		[ ! -e $T/break ] || { head -c 700 "\$file" >"\$out"; rm $T/break; kill -9 \$\$; }
		tail -c +\$((size + 1)) "\$file" >>"\$out"
	else
		cp "\$file" "\$out"
	fi
	END
}

@test "git, plain tree and tarball give the same commit; LINUX is only read" {
	find "$T/kernel" -type f -exec sha256sum {} + -exec stat -c '%n %Y %Z' {} + >"$T/before"
	plain=$(base_of "$(scripts/kernel)")
	tar -C "$T" -czf "$T/k.tar.gz" kernel
	tar=$(base_of "$(LINUX='' KERNEL_TARBALL=$T/k.tar.gz scripts/kernel)")
	find "$T/kernel" -type f -exec sha256sum {} + -exec stat -c '%n %Y %Z' {} + | cmp - "$T/before"
	[ "$plain" = "$tar" ]
	git_kernel
	git=$(base_of "$(scripts/kernel)")
	[ "$git" = "$plain" ]
	[ "$(git --git-dir="$(scripts/kernel)" config series.origin)" = "$(git -C "$T/kernel" rev-parse HEAD)" ]
	git --git-dir="$(scripts/kernel)" fsck
	[ -z "$(ls -d "$T"/cache/*/tmp.* 2>/dev/null)" ]
}

@test "a second run is the cache's; a change of the tree is seen" {
	one=$(scripts/kernel)
	run scripts/kernel
	[ "$output" = "$one" ]
	echo >>"$T/kernel/Kbuild"
	[ "$(scripts/kernel)" != "$one" ]
}

@test "uncommitted changes of a git tree are said and not used" {
	git_kernel
	one=$(scripts/kernel)
	echo >>"$T/kernel/Kbuild"
	run scripts/kernel
	[[ $output == *"has uncommitted changes"* && $output == *"$one" ]]
}

@test "a tree that was built in comes without what is ignored" {
	touch "$T/kernel/.config" "$T/kernel/mm/x.o"
	run scripts/kernel
	[[ $output == *"has been built in"* ]]
	! git --git-dir="${lines[-1]}" ls-tree -r --name-only base | grep -E 'x.o|config' || false
	rm "$T/kernel/.config"
	git --git-dir="$(scripts/kernel)" ls-tree -r --name-only base | grep x.o
}

@test "tarballs: no top directory, broken, missing" {
	unset LINUX
	tar -C "$T/kernel" -cf "$T/flat.tar" .
	KERNEL_TARBALL=$T/flat.tar scripts/kernel
	tar -C "$T" -cJf "$T/k.tar.xz" kernel
	head -c 500 "$T/k.tar.xz" >"$T/half.tar.xz"
	KERNEL_TARBALL=$T/half.tar.xz run scripts/kernel
	[ "$status" -ne 0 ] && [[ $output == *"cannot be unpacked"* ]]
	refused "is not a file" env KERNEL_TARBALL="$T/none" scripts/kernel
	tar -C "$T" -cf "$T/shop.tar" shop/mm shop/tools
	refused "is not a kernel tree" env KERNEL_TARBALL="$T/shop.tar" scripts/kernel
	[ -z "$(ls -d "$T"/cache/*/tmp.* 2>/dev/null)" ]
}

@test "refused: no directory, no kernel, another version" {
	refused "is not a directory" env LINUX="$T/none" scripts/kernel
	refused "is not a kernel tree" env LINUX="$T/shop/mm" scripts/kernel
	make_kernel "$T/old" 6.12.9
	refused "is Linux 6.12.9, but Linux 7.3 is needed" env LINUX="$T/old" scripts/kernel
	LINUX=$T/old scripts/kernel 6.12
	refused "is Linux 7.3.4, but Linux 6.12 is needed" scripts/kernel 6.12
	refused "is not a kernel version" scripts/kernel latest
	mkdir "$T/e"; git -C "$T/e" init -q
	refused "has no commit" env LINUX="$T/e" scripts/kernel
}

@test "the kernel's site, when apt has no such package" {
	plain=$(base_of "$(scripts/kernel)")
	no_apt; fake_site
	run scripts/kernel
	[ "$status" -eq 0 ]
	[[ $output == *"only https vouches"* ]]
	[ "$(base_of "${lines[-1]}")" = "$plain" ]
}

@test "a signature that is wrong" {
	no_apt; fake_site
	fake gpg <<<'echo "[GNUPG:] BADSIG 1234 Somebody" >&3; exit 1'
	refused "the signature of" scripts/kernel
}

@test "a signature that is right counts; unsigned lines do not" {
	no_apt; fake_site
	cp "$T/sha256sums.asc" "$T/good"
	echo "$(printf '0%.0s' {1..64})  linux-7.3.4.tar.xz" >"$T/sha256sums.asc"
	fake gpg <<-END
	while [ \$# -gt 1 ]; do [ "\$1" != --output ] || cp $T/good "\$2"; shift; done
	echo "[GNUPG:] GOODSIG 1234 autosigner" >&3
	END
	run scripts/kernel
	[ "$status" -eq 0 ] && [[ $output != *"vouches"* ]]
}

@test "a bad checksum is refused, and nothing of it is used later" {
	no_apt; fake_site
	cp "$T/linux-7.3.4.tar.xz" "$T/good"
	echo garbage >>"$T/linux-7.3.4.tar.xz"
	refused "does not have the checksum" scripts/kernel
	[ -z "$(ls "$T"/cache/*/downloads)" ]
	cp "$T/good" "$T/linux-7.3.4.tar.xz"
	scripts/kernel
}

@test "a download that dies half-way is taken up again" {
	no_apt; fake_site
	touch "$T/break"
	run scripts/kernel
	[ "$status" -ne 0 ]
	[ -z "$(ls -d "$T"/cache/*/linux-* 2>/dev/null)" ]
	[ "$(stat -c %s "$T"/cache/*/downloads/*.part)" -eq 700 ]
	scripts/kernel
	grep -c linux-7.3.4.tar.xz "$T/curl.log" | grep -qx 2
	[ -z "$(ls "$T"/cache/*/downloads)" ]
}

@test "nothing to be had: one sentence that says what to do" {
	no_apt; fake curl <<<'exit 6'
	run scripts/kernel
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == "error: no source of Linux 7.3.4 was found; give LINUX="* ]]
}

# A distribution with the package: fake_apt VERSION. $T/break: dies half-way.
fake_apt()
{
	unset LINUX
	mkdir -p "$T/deb/DEBIAN" "$T/deb/usr/src"
	tar -C "$T" --transform 's,^kernel,linux-source-7.3,' -cJf "$T/deb/usr/src/linux-source-7.3.tar.xz" kernel
	printf 'Package: linux-source-7.3\nVersion: %s\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n' "$1" >"$T/deb/DEBIAN/control"
	dpkg-deb -b "$T/deb" "$T/k.deb" >/dev/null
	fake apt-get <<-END
	echo "\$*" >>$T/apt.log
	case \$* in
	*indextargets*) echo 'Debian|Debian|http://mirror.example/debian/'; echo 'Other|Other|http://other.example/' ;;
	*update*) cp $T/cache/*/apt/kernel.list $T/list ;;
	*download*)
		[ ! -e $T/break ] || { rm $T/break; head -c 300 $T/k.deb >linux.deb; kill -9 \$\$; }
		cp $T/k.deb linux-source.deb ;;
	esac
	END
	fake apt-cache <<-END
	case \$* in *Dir::State::Lists*) echo ' linux-source-7.3 | $1 | http://mirror.example trixie-backports/main' ;; esac
	END
}

@test "the distribution's package, from lists of our own on its own mirror" {
	plain=$(base_of "$(scripts/kernel)")
	fake_apt '7.3.4-1~bpo13+1'
	repo=$(scripts/kernel)
	[ "$(base_of "$repo")" = "$plain" ]
	[[ $(cat "$T/list") == "deb "*"http://mirror.example/debian/ trixie-backports main" ]]
	grep -q "download linux-source-7.3=7.3.4-1~bpo13+1" "$T/apt.log"
	grep update "$T/apt.log" | grep -q 'Dir::Etc::SourceParts=.*Dir::State::Lists='
}

@test "the package's download dies half-way: nothing of it is used later" {
	fake_apt '7.3.4-1'
	fake curl <<<'exit 6'
	touch "$T/break"
	# what is left is tried again at once, as the last resort
	run scripts/kernel
	[ "$(grep -c download "$T/apt.log")" -eq 2 ]
	[ "$status" -eq 0 ]
	[ -z "$(find "$T/cache" -name '*.deb')" ]
	git --git-dir="${lines[-1]}" cat-file -e base:mm/memory.c
}

@test "the exact version is preferred, a near one is said" {
	make_kernel "$T/kernel" 7.3.6
	fake_apt '7.3.6-1'
	fake curl <<<'exit 6'
	run scripts/kernel
	[ "$status" -eq 0 ]
	[[ $output == *"Linux 7.3.4 itself was not to be had; 7.3.6-1 is used"* ]]
	[ "$(git --git-dir="${lines[-1]}" log -1 --format=%s base)" = "Linux 7.3.6" ]
	rm -rf "$T/cache"
	make_kernel "$T/kernel"
	fake_site
	[ "$(git --git-dir="$(scripts/kernel)" log -1 --format=%s base)" = "Linux 7.3.4" ]
}

@test "leftovers of a dead run go, and a run that is killed leaves no repository" {
	mkdir -p "$T/cache/protection-upgrades/tmp.kernel.1.dead/repo"
	fake sync <<<'kill -9 $(cut -d" " -f4 /proc/$PPID/stat)'
	run scripts/kernel
	[ "$status" -ne 0 ]
	[ -z "$(ls -d "$T"/cache/*/linux-* 2>/dev/null)" ]
	fake sync <<<'exit 0'
	scripts/kernel
	[ -z "$(ls -d "$T"/cache/*/tmp.* 2>/dev/null)" ]
}

@test "two runs at once make one repository" {
	scripts/kernel >"$T/1" & scripts/kernel >"$T/2" & wait
	[ -s "$T/1" ] && cmp "$T/1" "$T/2"
	[ "$(ls -d "$T"/cache/*/linux-* | wc -l)" -eq 1 ]
}
