#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run.sh THREADS UNITS: as many events, shared among the threads.
exec chroot . /usr/bin/sysbench --threads="$1" --events="$2" --time=0 /input/scripts.lua run
