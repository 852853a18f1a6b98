/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_NUMA_HINT_H
#define _MM_NUMA_HINT_H

#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pgtable.h>

pte_t numa_hint_undone(struct vm_area_struct *vma, struct page *page, pte_t pte);
void numa_hint_restore(struct vm_fault *vmf, struct folio *folio, pte_t pte);

/**
 * flush_pending_protnone() - Flush what was there before entries became PROT_NONE
 * @vma: The VMA.
 * @addr: Address that the first entry maps.
 * @nr: Number of entries, of a large folio.
 *
 * Where an architecture folds entries, a TLB may hold folded ones, or ones that will be,
 * if whoever made them PROT_NONE has not flushed yet.  That has to be over before they
 * are seen by hardware again.
 *
 * Context: The page table lock is held; no gather of the caller is open.
 */
static inline void flush_pending_protnone(struct vm_area_struct *vma, unsigned long addr,
					  unsigned long nr)
{
	if (MODIFY_PROT_FOLDS > 1 && mm_tlb_flush_pending(vma->vm_mm))
		flush_tlb_range(vma, addr, addr + nr * PAGE_SIZE);
}

#endif /* _MM_NUMA_HINT_H */
