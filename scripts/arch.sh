# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Facts of the architecture in $ARCH; source it after lib.sh.

ARCH=${ARCH:-$(uname -m | sed 's/aarch64/arm64/')}
[ -f "$TOP/vm/arch/$ARCH.conf" ] ||
	die "ARCH=$ARCH is not one of: $(cd "$TOP/vm/arch" && echo *.conf | sed 's/\.conf//g')"
# shellcheck source=/dev/null
. "$TOP/vm/arch/$ARCH.conf"
NATIVE=$([ "$(uname -m | sed 's/aarch64/arm64/')" = "$ARCH" ] && echo y || echo n)
[ "$NATIVE" = n ] || CROSS=

# EMULATOR=name: facts of the emulator in vm/qemu/name.conf.
if [ -n "${EMULATOR:-}" ]; then
	[ -f "$TOP/vm/qemu/$EMULATOR.conf" ] ||
		die "EMULATOR=$EMULATOR is not one of: $(cd "$TOP/vm/qemu" && echo *.conf | sed 's/\.conf//g')"
	# shellcheck source=/dev/null
	. "$TOP/vm/qemu/$EMULATOR.conf"
fi

# The kernel's make, for this architecture, through ccache.
kmake()
{
	CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache} CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G} \
	KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=kernel KBUILD_BUILD_HOST=build \
	make ARCH="$ARCH" CROSS_COMPILE="$CROSS" CC="ccache ${CROSS}gcc" \
	     HOSTCC="ccache gcc" LOCALVERSION= -j"$(nproc)" "$@"
}
