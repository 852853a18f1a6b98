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

# PAGES=16K: facts of that page size in vm/pages/16K.conf.
PAGES=${PAGES:-4K}
LABEL=$ARCH
if [ "$PAGES" != 4K ]; then
	[ -f "$TOP/vm/pages/$PAGES.conf" ] ||
		die "PAGES=$PAGES is not one of: 4K $(cd "$TOP/vm/pages" && echo *.conf | sed 's/\.conf//g')"
	# shellcheck source=/dev/null
	. "$TOP/vm/pages/$PAGES.conf"
	[ "$ARCH" = "$PAGES_ARCH" ] || die "PAGES=$PAGES is for ARCH=$PAGES_ARCH, not $ARCH"
	LABEL+=-$PAGES
fi

# EMULATOR=name: facts of the emulator in vm/qemu/name.conf.
if [ -n "${EMULATOR:-}" ]; then
	[ -f "$TOP/vm/qemu/$EMULATOR.conf" ] ||
		die "EMULATOR=$EMULATOR is not one of: $(cd "$TOP/vm/qemu" && echo *.conf | sed 's/\.conf//g')"
	# shellcheck source=/dev/null
	. "$TOP/vm/qemu/$EMULATOR.conf"
fi

# As long as the compiler's cache is empty, nothing is in it for the preprocessor to find,
# and without asking it a kernel takes a quarter less time. What comes to the cache this
# way is found only by sources and configurations whose headers are the same.
[ -d "${CCACHE_DIR:-$CACHE/ccache}" ] || export CCACHE_DEPEND=1

# The kernel's make, for this architecture, through ccache.
kmake()
{
	CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache} CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G} \
	KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=kernel KBUILD_BUILD_HOST=build \
	make ARCH="${ARCH/riscv64/riscv}" CROSS_COMPILE="$CROSS" CC="ccache ${CROSS}gcc" \
	     HOSTCC="ccache gcc" LOCALVERSION= -j"$(nproc)" "$@"
}
