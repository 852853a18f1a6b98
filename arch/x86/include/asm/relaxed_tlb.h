/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/relaxed_tlb.c and struct mmu_gather ask of x86. */
#ifndef _ASM_X86_RELAXED_TLB_H
#define _ASM_X86_RELAXED_TLB_H

#include <linux/mm_types.h>
#include <asm/tlbflush.h>

void arch_relaxed_tlb_flush_range(struct mm_struct *mm, unsigned long start,
				  unsigned long end, unsigned int stride_shift);
void arch_relaxed_tlb_flush_all(struct mm_struct *mm);

/* Is a relaxed flush cheaper? INVLPGB flushes other CPUs without an interrupt. */
static inline bool arch_relaxed_tlb_pays(struct mm_struct *mm)
{
	return !mm_global_asid(mm);
}

/*
 * Not while a temporary mm is loaded, nor in the middle of a switch. Nor with a global
 * ASID, which an mm may have got since its last relaxed flush: there is no bit for it in
 * user_pcid_flush_mask. What it leaves stale is removed by the fault that it causes.
 */
static inline bool arch_relaxed_tlb_is_loaded(struct mm_struct *mm)
{
	return this_cpu_read(cpu_tlbstate.loaded_mm) == mm &&
	       !is_global_asid(this_cpu_read(cpu_tlbstate.loaded_mm_asid));
}

/* Does this CPU set the dirty bit of an entry that is writable, without a fault? */
static inline bool arch_relaxed_tlb_sets_dirty(void)
{
	return true;
}

/* Names an mm, as no other since boot; never 0. */
static inline u64 arch_relaxed_tlb_mm_id(struct mm_struct *mm)
{
	return mm->context.ctx_id;
}

#endif /* _ASM_X86_RELAXED_TLB_H */
