/* SPDX-License-Identifier: GPL-2.0 */
/* Flush TLBs after permissions were added: see mm/relaxed_tlb.c. */
#ifndef _LINUX_RELAXED_TLB_H
#define _LINUX_RELAXED_TLB_H

#include <linux/mm_types.h>

/**
 * enum relaxed_tlb_access - What an access was that faulted
 * @RELAXED_TLB_WRITE: A store, by the user or by the kernel for the user.
 * @RELAXED_TLB_EXEC: An instruction fetch of the user.
 *
 * Reading is no such access: a user entry that does not permit to read is not
 * present, so no TLB holds it.
 */
enum relaxed_tlb_access {
	RELAXED_TLB_WRITE,
	RELAXED_TLB_EXEC,
};

#ifdef CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH
void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end,
		       unsigned int stride_shift);
bool relaxed_tlb_repair(struct mm_struct *mm, unsigned long address,
			enum relaxed_tlb_access access, bool moved);

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
	mm->relaxed_tlb = (struct relaxed_tlb) { };
}

/**
 * relaxed_tlb_is_used() - Has an mm ever had a relaxed flush?
 * @mm: The mm.
 *
 * What a fault handler asks first: no fault of other mms is spurious because of one,
 * and they pay for nothing but this.
 *
 * Context: Any.
 * Return: true if relaxed_tlb_repair() may have something to do.
 */
static __always_inline bool relaxed_tlb_is_used(const struct mm_struct *mm)
{
	return unlikely(atomic64_read(&mm->relaxed_tlb.gen));
}
#else
static inline void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start,
				     unsigned long end, unsigned int stride_shift)
{
}

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
}
#endif /* CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH */

#endif /* _LINUX_RELAXED_TLB_H */
