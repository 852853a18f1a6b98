/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/relaxed_tlb.c asks of arm64. */
#ifndef _ASM_ARM64_RELAXED_TLB_H
#define _ASM_ARM64_RELAXED_TLB_H

#include <linux/relaxed_tlb.h>
#include <linux/sched.h>
#include <asm/barrier.h>
#include <asm/pgtable-hwdef.h>
#include <asm/pgtable-prot.h>
#include <asm/sysreg.h>
#include <asm/tlbflush.h>

/*
 * Invalidation is by ASID, so it would be right for any mm; but only here is it known
 * that the ASID stays what it is meanwhile.
 */
static inline bool arch_relaxed_tlb_loaded(struct mm_struct *mm)
{
	return current->mm == mm;
}

/*
 * Page walks of other CPUs have to see the entries before anybody sees the generation,
 * and it takes a DSB to order the two.
 */
static inline void arch_relaxed_tlb_sync_page_table(void)
{
	dsb(ishst);
}

static inline bool arch_relaxed_tlb_flush_range(struct mm_struct *mm,
						unsigned long start, unsigned long end,
						unsigned int stride_shift)
{
	struct vm_area_struct vma = TLB_FLUSH_VMA(mm, 0);

	__flush_tlb_range(&vma, start, end, 1UL << stride_shift, TLBI_TTL_UNKNOWN,
			  TLBF_NOWALKCACHE | TLBF_NONOTIFY | TLBF_NOBROADCAST);
	return false;
}

static inline void arch_relaxed_tlb_flush_page(struct mm_struct *mm,
					       unsigned long address)
{
	arch_relaxed_tlb_flush_range(mm, address, address + PAGE_SIZE, PAGE_SHIFT);
}

static inline void arch_relaxed_tlb_flush_all(struct mm_struct *mm)
{
	local_flush_tlb_mm(mm);
}

/*
 * An entry that is writable but clean permits to write if this CPU sets the dirty state
 * by itself. If it does not, the fault is ordinary. Should the task move in between, it
 * faults once more.
 */
static inline bool arch_relaxed_tlb_permits(unsigned long entry,
					    enum relaxed_tlb_access access)
{
	if ((entry & (PTE_VALID | PTE_USER)) != (PTE_VALID | PTE_USER))
		return false;
	if (access == RELAXED_TLB_EXEC)
		return !(entry & PTE_UXN);
	if (!(entry & PTE_WRITE))
		return false;

	return !(entry & PTE_RDONLY) || (read_sysreg(tcr_el1) & TCR_EL1_HD);
}

#endif /* _ASM_ARM64_RELAXED_TLB_H */
