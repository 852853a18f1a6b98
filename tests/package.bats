#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats sets these
# make package: what it starts from, what it refuses, what it asks the kernel's make
# for. That is one that only writes down what it is asked, and touches packages.

load helper

prepare()
{
	cp -r "$HERE/vm" .
	echo '# nothing' >vm/packages
	export PACKAGE_ROOT=$T/root ARCH=x86_64 ASKED=$T/asked FORMAT=deb
	unset KCONFIG MODULES DEBUG_INFO KERNELS PART
	mkdir -p "$PACKAGE_ROOT/boot" "$PACKAGE_ROOT/proc"
	printf 'CONFIG_X86_64=y\nCONFIG_EXT4_FS=m\n' >"$T/config"
	cp "$T/config" "$PACKAGE_ROOT/boot/config-1.2"
	printf '#!/bin/sh\n[ "$1" = -r ] && echo 1.2 || echo x86_64\n' >"$T/bin/uname"
	cat >"$T/bin/make" <<-'END'
	#!/bin/bash
	for word; do
		case $word in
		O=*) obj=${word#O=} ;;
		LOCALVERSION=*) name=${word#*=} ;;
		LSMOD=*) tr '\n' ' ' <"${word#*=}" >"$ASKED.modules" ;;
		esac
	done
	target=${!#}
	[[ " $* " != *" -n "* ]] || { printf "echo '  CC      %s.o'\n" a b c; exit; }
	echo "$target $name" >>"$ASKED"
	case $target in
	kernelrelease) echo "7.3.4$name" ;;
	all) touch "$obj/vmlinux" ;;
	bindeb-pkg) touch "$obj"/../linux-{image,headers}-"7.3.4$name"_1_amd64.deb "$obj/../linux-libc-dev_1_amd64.deb" ;;
	targz-pkg) touch "$obj/linux-7.3.4$name-x86_64.tar.gz" ;;
	esac
	END
	chmod +x "$T/bin"/*
}

asked() { grep -c "^$1\$" "$ASKED" || :; }

@test "package: both kernels, each with its name, from the running kernel's configuration" {
	prepare
	run scripts/package
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(cd build/package/x86_64 && echo linux-*)" = \
	  "linux-headers-7.3.4-base_1_amd64.deb linux-headers-7.3.4-patched_1_amd64.deb linux-image-7.3.4-base_1_amd64.deb linux-image-7.3.4-patched_1_amd64.deb" ]
	[[ $output == *"from $PACKAGE_ROOT/boot/config-1.2"* ]]
	[[ $output == *"3 files to compile"* ]]
	[[ $output == *"grub-reboot \"\$(entry 7.3.4-base)\""* ]]
	[[ $output != *@* ]]
	[ "$(asked "bindeb-pkg -patched")" = 1 ]
	[ ! -e "$ASKED.modules" ]
	# Nothing is made twice, and what has changed is.
	run scripts/package
	[ "$status" -eq 0 ]
	[ "$(asked "bindeb-pkg -patched")" = 1 ]
	echo 'CONFIG_FUSE_FS=m' >>"$PACKAGE_ROOT/boot/config-1.2"
	run scripts/package
	[ "$(asked "bindeb-pkg -patched")" = 2 ]
}

@test "package: a part has its name, and comes instead of the whole series" {
	prepare
	in_parts
	git add -A
	run scripts/package
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	PART=first run scripts/package
	[ "$status" -eq 0 ]
	[ "$(cd build/package/x86_64 && echo linux-image-*)" = \
	  "linux-image-7.3.4-base_1_amd64.deb linux-image-7.3.4-patched-first_1_amd64.deb" ]
	[ "$(asked "bindeb-pkg -base")" = 1 ]
}

@test "package: without dpkg, archives" {
	prepare
	FORMAT=tar run scripts/package
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(cd build/package/x86_64 && echo linux-*)" = \
	  "linux-7.3.4-base-x86_64.tar.gz linux-7.3.4-patched-x86_64.tar.gz" ]
	[[ $output == *"--keep-directory-symlink"* ]]
}

@test "package: debug information and the distribution's keys go, on wish the first stays" {
	prepare
	printf 'CONFIG_DEBUG_INFO_DWARF5=y\nCONFIG_SYSTEM_TRUSTED_KEYS="a.pem"\n' >>"$T/config"
	xz "$T/config"
	KCONFIG=$T/config.xz KERNELS=base run scripts/package
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	config=$(echo "$CACHE"/obj/*-package-x86_64/base/.config "$XDG_CACHE_HOME"/*/obj/*-package-x86_64/base/.config)
	config=${config##* }
	[ "$(grep 'TRUSTED_KEYS' "$config" | tail -n 1)" = 'CONFIG_SYSTEM_TRUSTED_KEYS=""' ]
	grep -qx 'CONFIG_DEBUG_INFO_NONE=y' "$config"
	DEBUG_INFO=yes KCONFIG=$T/config.xz KERNELS=base run scripts/package
	[ "$status" -eq 0 ]
	[ "$(grep -c 'DEBUG_INFO_NONE' "$config")" = 0 ]
	grep -q '^CONFIG_DEBUG_INFO_DWARF5=y' "$config"
}

@test "package: the modules that are loaded, or of a list" {
	prepare
	printf 'ext4 1 0 - Live 0x0\n' >"$PACKAGE_ROOT/proc/modules"
	MODULES=loaded KERNELS=base run scripts/package
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(cat "$ASKED.modules")" = 'ext4 ' ]
	printf 'Module Size Used by\nvirtio_blk 1 0\next4 1 0\n' >"$T/list"
	MODULES=$T/list KERNELS=base run scripts/package
	[ "$(cat "$ASKED.modules")" = 'ext4 virtio_blk ' ]
}

@test "package: what it cannot begin with is refused in one sentence" {
	prepare
	KCONFIG=$T/none refused "KCONFIG=$T/none is no file that can be read" scripts/package
	KCONFIG=$T refused "KCONFIG=$T is no file" scripts/package
	KCONFIG=$T/kernel/Makefile refused "is not the configuration of a kernel" scripts/package
	echo 'CONFIG_ARM64=y' >"$T/arm"
	KCONFIG=$T/arm refused "is not of ARCH=x86_64: it lacks CONFIG_X86_64=y" scripts/package
	ARCH=arm64 refused "ARCH=arm64 is not this machine" scripts/package
	echo x >"$T/bad.gz"
	KCONFIG=$T/bad.gz refused "cannot be unpacked" scripts/package
	MODULES=loaded refused "no module is loaded here" scripts/package
	MODULES=$T/none refused "is neither \"loaded\" nor a list" scripts/package
	FORMAT=rpm refused "FORMAT=rpm is not deb or tar" scripts/package
	KERNELS=both refused '"both" is neither base nor patched' scripts/package
	LINUX=$T/none refused "LINUX=$T/none is not a directory" scripts/package
	LINUX=$T/bin refused "is not a kernel tree" scripts/package
	printf '#!/bin/sh\necho Avail\necho 1500000\n' >"$T/bin/df"
	chmod +x "$T/bin/df"
	refused "has 1 GB left, and 24 are needed" scripts/package
	rm "$T/bin/df" "$PACKAGE_ROOT/boot/config-1.2"
	refused "is neither /boot/config-1.2 nor /proc/config.gz" scripts/package
	[ ! -e "$ASKED" ]
}

@test "package: /proc/config.gz where /boot has none" {
	prepare
	rm "$PACKAGE_ROOT/boot/config-1.2"
	gzip <"$T/config" >"$PACKAGE_ROOT/proc/config.gz"
	KERNELS=base run scripts/package
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[[ $output == *"from $PACKAGE_ROOT/proc/config.gz"* ]]
}
