/* SPDX-License-Identifier: GPL-2.0 */
/* Flush TLBs after permissions were added: see mm/relaxed_tlb.c. */
#ifndef _LINUX_RELAXED_TLB_H
#define _LINUX_RELAXED_TLB_H

#include <linux/jump_label.h>
#include <linux/mm_types.h>

#ifdef CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH
DECLARE_STATIC_KEY_TRUE(relaxed_tlb_enabled);

void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end,
		       unsigned int stride_shift);
bool relaxed_tlb_repair(struct mm_struct *mm, enum fault_flag flags, bool spurious);
bool relaxed_tlb_repair_early(struct mm_struct *mm, unsigned long address,
			      bool may_wait);

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
	atomic64_set(&mm->relaxed_tlb_gen, 0);
}
#else
static inline bool relaxed_tlb_repair(struct mm_struct *mm, enum fault_flag flags,
				      bool spurious)
{
	return false;
}

static inline bool relaxed_tlb_repair_early(struct mm_struct *mm,
					    unsigned long address, bool may_wait)
{
	return false;
}

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
}
#endif /* CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH */

#endif /* _LINUX_RELAXED_TLB_H */
