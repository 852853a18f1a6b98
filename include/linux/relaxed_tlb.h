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
bool __relaxed_tlb_repair(struct mm_struct *mm, unsigned long address,
			  enum relaxed_tlb_access access, bool moved);

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
	mm->relaxed_tlb = (struct relaxed_tlb) { };
}

/**
 * relaxed_tlb_repair() - Repair a spurious fault that a relaxed flush has left behind
 * @mm: The mm of this task.
 * @address: User address that the access went to.
 * @access: What was not permitted.
 * @moved: Whether the task may have left the CPU of the fault, and has nobody but
 *	   this function to recognize a spurious fault.
 *
 * For the fault handler of an architecture, before it takes any lock and before it
 * gives up because page faults are disabled.  An mm that never had a relaxed flush
 * pays for a comparison.  See __relaxed_tlb_repair().
 *
 * Context: Any; in NMI no fault is repaired.
 * Return: true if the access is to be repeated.
 */
static __always_inline bool relaxed_tlb_repair(struct mm_struct *mm,
					       unsigned long address,
					       enum relaxed_tlb_access access,
					       bool moved)
{
	if (likely(!atomic64_read(&mm->relaxed_tlb.gen)))
		return false;

	return __relaxed_tlb_repair(mm, address, access, moved);
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
