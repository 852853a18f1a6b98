/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/relaxed_tlb.c asks of x86, and what the fault handler asks of it. */
#ifndef _ASM_X86_RELAXED_TLB_H
#define _ASM_X86_RELAXED_TLB_H

#include <linux/relaxed_tlb.h>
#include <asm/trap_pf.h>

#ifdef CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH
#include <asm/pgtable_types.h>
#include <asm/tlbflush.h>

bool arch_relaxed_tlb_flush_range(struct mm_struct *mm, unsigned long start,
				  unsigned long end, unsigned int stride_shift);
void arch_relaxed_tlb_flush_page(struct mm_struct *mm, unsigned long address);
void arch_relaxed_tlb_flush_all(struct mm_struct *mm);

/* Not while a temporary mm is loaded, nor in the middle of a switch. */
static inline bool arch_relaxed_tlb_loaded(struct mm_struct *mm)
{
	return this_cpu_read(cpu_tlbstate.loaded_mm) == mm;
}

/* Page walks see stores in program order, and the atomic that follows is a barrier. */
static inline void arch_relaxed_tlb_sync_page_table(void)
{
}

static inline bool arch_relaxed_tlb_permits(unsigned long entry,
					    enum relaxed_tlb_access access)
{
	if ((entry & (_PAGE_PRESENT | _PAGE_USER)) != (_PAGE_PRESENT | _PAGE_USER))
		return false;

	return access == RELAXED_TLB_EXEC ? !(entry & _PAGE_NX) : entry & _PAGE_RW;
}

/**
 * relaxed_tlb_fault() - Is a fault spurious because of a relaxed flush?
 * @mm: The mm of this task, or NULL.
 * @error_code: What the CPU says of the fault.
 * @address: User address that the access went to.
 *
 * Only for writes and fetches that met a present entry.  A fault that has anything
 * to do with protection keys, shadow stacks, SGX, the RMP or reserved bits is
 * ordinary, and so is one of the kernel that fetches instructions of the user, which
 * its handler has to sort out before.
 *
 * Context: Interrupts are off since the fault.
 * Return: true if the access is to be repeated.
 */
static __always_inline bool relaxed_tlb_fault(struct mm_struct *mm,
					      unsigned long error_code,
					      unsigned long address)
{
	const unsigned long known = X86_PF_PROT | X86_PF_WRITE | X86_PF_USER | X86_PF_INSTR;

	if (!mm || !relaxed_tlb_is_used(mm))
		return false;
	if (!(error_code & X86_PF_PROT) || (error_code & ~known))
		return false;
	if (likely(relaxed_tlb_has_caught_up(mm)))
		return false;
	if (error_code & X86_PF_WRITE)
		return relaxed_tlb_repair(mm, address, RELAXED_TLB_WRITE, false);
	if (error_code & X86_PF_INSTR)
		return relaxed_tlb_repair(mm, address, RELAXED_TLB_EXEC, false);

	return false;
}
#else
static inline bool relaxed_tlb_fault(struct mm_struct *mm, unsigned long error_code,
				     unsigned long address)
{
	return false;
}
#endif /* CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH */

#endif /* _ASM_X86_RELAXED_TLB_H */
