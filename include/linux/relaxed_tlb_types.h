/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_RELAXED_TLB_TYPES_H
#define _LINUX_RELAXED_TLB_TYPES_H

#include <linux/types.h>

/**
 * struct relaxed_tlb - What an mm knows of its relaxed flushes
 * @id: Names the mm, as no other since boot; 0 before the first relaxed flush.
 * @gen: The relaxed generation: how many relaxed flushes there were.
 * @wide: @gen of the last one that was too large to be flushed page by page.
 */
struct relaxed_tlb {
	u64		id;
	atomic64_t	gen;
	u64		wide;
};

#endif /* _LINUX_RELAXED_TLB_TYPES_H */
