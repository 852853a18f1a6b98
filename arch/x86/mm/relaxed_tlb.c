// SPDX-License-Identifier: GPL-2.0
/*
 * Local flushes for mm/relaxed_tlb.c.
 *
 * They flush more than x86 keeps account of: context.tlb_gen and the generations of
 * this CPU stay as they are, so strict flushes find them as precise as before.  Nor do
 * they go through flush_tlb_func(), so it does not matter whether remote flushes are a
 * hypervisor's business, or whether the mm has a global ASID, which is not counted per
 * CPU: reloading CR3 flushes that ASID on this CPU, too.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include <asm/relaxed_tlb.h>

#include "mm_internal.h"

/**
 * arch_relaxed_tlb_flush_range() - Flush a range on this CPU
 * @mm: The mm that is loaded.
 * @start: First address.
 * @end: The address after the last.
 * @stride_shift: log2 of the bytes that each entry maps.
 *
 * Context: Interrupts are off.
 * Return: true if all entries of @mm were flushed, because that is faster.
 */
bool arch_relaxed_tlb_flush_range(struct mm_struct *mm, unsigned long start,
				  unsigned long end, unsigned int stride_shift)
{
	unsigned long nr = (end - start) >> stride_shift;

	if (nr > tlb_single_page_flush_ceiling) {
		arch_relaxed_tlb_flush_all(mm);
		return true;
	}

	for (; start < end; start += 1UL << stride_shift)
		flush_tlb_one_user(start);
	count_vm_tlb_events(NR_TLB_LOCAL_FLUSH_ONE, nr);
	return false;
}

/**
 * arch_relaxed_tlb_flush_page() - Flush the entry of one address on this CPU
 * @mm: The mm that is loaded.
 * @address: The address.
 *
 * The fault has done so already, but not for the other half of a PTI address space.
 *
 * Context: Interrupts are off.
 */
void arch_relaxed_tlb_flush_page(struct mm_struct *mm, unsigned long address)
{
	flush_tlb_one_user(address);
	count_vm_tlb_event(NR_TLB_LOCAL_FLUSH_ONE);
}
NOKPROBE_SYMBOL(arch_relaxed_tlb_flush_page);

/**
 * arch_relaxed_tlb_flush_all() - Flush all entries of an mm on this CPU
 * @mm: The mm that is loaded.
 *
 * Context: Interrupts are off.
 */
void arch_relaxed_tlb_flush_all(struct mm_struct *mm)
{
	flush_tlb_local();
	count_vm_tlb_event(NR_TLB_LOCAL_FLUSH_ALL);
}
NOKPROBE_SYMBOL(arch_relaxed_tlb_flush_all);
