/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_RELAXED_TLB_TYPES_H
#define _LINUX_RELAXED_TLB_TYPES_H

#include <linux/types.h>

/**
 * struct relaxed_tlb - What an mm knows of its relaxed flushes
 * @gen: The relaxed generation: how many relaxed flushes there were.
 * @wide: @gen of the last one of more than one page.
 */
struct relaxed_tlb {
	atomic64_t	gen;
	u64		wide;
};

#endif /* _LINUX_RELAXED_TLB_TYPES_H */
