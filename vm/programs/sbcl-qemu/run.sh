#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run.sh THREADS UNITS: the program is of the architecture of this machine, too.
exec chroot . "/usr/bin/qemu-$(uname -m)" /usr/bin/sbcl --script /input/functions.lisp "$@"
