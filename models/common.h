/* SPDX-License-Identifier: GPL-2.0 */
/* What all models share. They are for spin, which passes them through cpp. */

/* Checks a property of README.md; what pan prints has the number in it. */
byte violated;
#define holds(number, condition)					\
	if								\
	:: (condition)							\
	:: else -> violated = number; assert(violated != number)	\
	fi

