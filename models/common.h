/* SPDX-License-Identifier: GPL-2.0 */
/* What all models share. They are for spin, which passes them through cpp. */

/* Checks a property of README.md; what pan prints has the number in it. */
byte violated;
#define holds(number, condition)					\
	if								\
	:: (condition)							\
	:: else -> violated = number; assert(violated != number)	\
	fi

/* So many faults are repaired page by page before the CPU catches up: 32. */
#ifndef NARROW
#define NARROW	1
#endif
