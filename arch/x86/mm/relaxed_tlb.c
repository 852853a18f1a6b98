// SPDX-License-Identifier: GPL-2.0
/*
 * Local flushes for mm/relaxed_tlb.c.
 *
 * They flush more than x86 keeps account of: context.tlb_gen and the generations of
 * this CPU stay as they are, so strict flushes find them as precise as before.  Nor do
 * they go through flush_tlb_func(), so it does not matter whether remote flushes are a
 * hypervisor's business.
 */
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include <asm/relaxed_tlb.h>

#include "mm_internal.h"

/**
 * arch_relaxed_tlb_flush_range() - Flush a range on this CPU, if it has the mm loaded
 * @mm: The mm.
 * @start: First address.
 * @end: The address after the last.
 * @stride_shift: log2 of the bytes that each entry maps.
 *
 * Page walks see stores in program order, so there is nothing to order here.
 *
 * Interrupts are off, as in any flush of a user's mm: an IPI may give the mm a global
 * ASID, and CR3 must not be written with the one from before.
 *
 * Context: Any.
 */
void arch_relaxed_tlb_flush_range(struct mm_struct *mm, unsigned long start,
				  unsigned long end, unsigned int stride_shift)
{
	unsigned long nr = (end - start) >> stride_shift;

	guard(irqsave)();
	if (!arch_relaxed_tlb_is_loaded(mm))
		return;

	if (nr > tlb_single_page_flush_ceiling) {
		arch_relaxed_tlb_flush_all(mm);
		return;
	}
	for (; start < end; start += 1UL << stride_shift)
		flush_tlb_one_user(start);
	count_vm_tlb_events(NR_TLB_LOCAL_FLUSH_ONE, nr);
}

/**
 * arch_relaxed_tlb_flush_all() - Flush all entries of an mm on this CPU
 * @mm: The mm, which is loaded.
 *
 * It has no global ASID, see arch_relaxed_tlb_is_loaded().
 *
 * Context: Interrupts are off.
 */
void arch_relaxed_tlb_flush_all(struct mm_struct *mm)
{
	VM_WARN_ON_ONCE(is_global_asid(this_cpu_read(cpu_tlbstate.loaded_mm_asid)));

	flush_tlb_local();
	count_vm_tlb_event(NR_TLB_LOCAL_FLUSH_ALL);
}
