/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/relaxed_tlb.c and struct mmu_gather ask of arm64. */
#ifndef _ASM_ARM64_RELAXED_TLB_H
#define _ASM_ARM64_RELAXED_TLB_H

#include <linux/sched.h>
#include <asm/barrier.h>
#include <asm/mmu.h>
#include <asm/pgtable-hwdef.h>
#include <asm/sysreg.h>
#include <asm/tlbflush.h>

/*
 * Is a relaxed flush cheaper? Where a hypervisor has local invalidations broadcast
 * (HCR_EL2.FB, which a guest cannot see) it costs what a strict one does, and leaves no
 * stale entry behind.
 */
static inline bool arch_relaxed_tlb_pays(struct mm_struct *mm)
{
	return true;
}

/*
 * Invalidation is by ASID, so it would be right for any mm; but only here is it known
 * that the ASID stays what it is meanwhile.
 */
static inline bool arch_relaxed_tlb_is_loaded(struct mm_struct *mm)
{
	return current->mm == mm;
}

/*
 * Does this CPU set the dirty state of an entry that is writable, without a fault? Where
 * it does not, a clean entry is not writable, although it looks so.
 */
static inline bool arch_relaxed_tlb_sets_dirty(void)
{
	return read_sysreg(tcr_el1) & TCR_HD;
}

/*
 * Names an mm as no other since boot: the ASID and its generation. It changes when the
 * ASIDs are exhausted, for then all TLBs are flushed. Never 0.
 */
static inline u64 arch_relaxed_tlb_mm_id(struct mm_struct *mm)
{
	return atomic64_read(&mm->context.id);
}

/*
 * Page walks of other CPUs have to see the entries before anybody sees the generation,
 * and it takes a DSB to order the two. A task that moves to another CPU in the middle
 * of it leaves stale entries behind, which are as good as those of any other CPU.
 */
static inline void arch_relaxed_tlb_flush_range(struct mm_struct *mm,
						unsigned long start, unsigned long end,
						unsigned int stride_shift)
{
	struct vm_area_struct vma = TLB_FLUSH_VMA(mm, 0);

	dsb(ishst);
	if (!arch_relaxed_tlb_is_loaded(mm))
		return;

	__flush_tlb_range(&vma, start, end, 1UL << stride_shift, TLBI_TTL_UNKNOWN,
			  TLBF_NOWALKCACHE | TLBF_NONOTIFY | TLBF_NOBROADCAST);
}

static inline void arch_relaxed_tlb_flush_all(struct mm_struct *mm)
{
	/* The generation was read before. */
	dsb(nshld);
	local_flush_tlb_mm(mm);
}

#endif /* _ASM_ARM64_RELAXED_TLB_H */
