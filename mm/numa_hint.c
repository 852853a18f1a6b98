// SPDX-License-Identifier: GPL-2.0
/*
 * Undoing NUMA hints.
 *
 * NUMA balancing makes entries PROT_NONE so that the next access faults and tells
 * which node uses the page.  The fault makes the entry what its VMA says again,
 * and with it the other hints on the same folio: they have nothing more to tell.
 *
 * What is guaranteed: only hints are undone, an entry that userfaultfd RWP armed
 * keeps its trap; and no entry becomes writable that a write fault would not make
 * writable, see write_upgrade.h.  Entries are restored in batches, so that an
 * architecture that folds entries writes the folded ones directly.  A PROT_NONE entry
 * permits no access, so hardware changes nothing in it, and there is nothing to flush but
 * what was there before it, see flush_pending_protnone().
 */

#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/userfaultfd_k.h>

#include "internal.h"
#include "numa_hint.h"
#include "write_upgrade.h"

/*
 * Is the entry a hint? One armed by RWP is PROT_NONE and has the uffd bit; on a
 * VMA without RWP that bit is one of write protection, and says nothing here.
 */
static bool is_numa_hint(struct vm_area_struct *vma, pte_t pte)
{
	return pte_present(pte) && pte_protnone(pte) &&
	       !(userfaultfd_rwp(vma) && pte_uffd(pte));
}

/* What the VMA says the entry is to be, accessed. */
static pte_t without_hint(const struct vm_area_struct *vma, pte_t pte)
{
	return pte_mkyoung(pte_modify(pte, vma->vm_page_prot));
}

/**
 * numa_hint_undone() - What an entry will be when its hint is undone
 * @vma: VMA of the entry.
 * @page: Normal page that the entry maps, or NULL.
 * @pte: The entry, a hint.
 *
 * Context: The page table lock is held; the answer is good until it is dropped.
 * Return: The entry, writable if it needs no write fault.
 */
pte_t numa_hint_undone(struct vm_area_struct *vma, struct page *page, pte_t pte)
{
	bool upgrade;

	pte = without_hint(vma, pte);
	write_upgrade_batch(write_upgrade_by_entry(vma, pte),
			    page ? page_folio(page) : NULL, page, 1, &upgrade);

	return upgrade ? pte_mkwrite(pte, vma) : pte;
}

/* Restore nr hints that map consecutive pages and share one verdict. */
static void restore_ptes(struct vm_fault *vmf, unsigned long addr, pte_t *ptep,
			 pte_t old, pte_t pte, unsigned int nr)
{
	modify_prot_commit_ptes(vmf->vma, addr, ptep, old, pte, nr);
	update_mmu_cache_range(vmf, vmf->vma, addr, ptep, nr);
}

/*
 * Restore the hint at ptep and those after it, up to max, that are alike: they map
 * consecutive pages of the folio.  Returns how many that were.
 */
static unsigned int restore_batch(struct vm_fault *vmf, struct folio *folio,
				  unsigned long addr, pte_t *ptep, pte_t old,
				  unsigned int max)
{
	const fpb_t flags = FPB_RESPECT_WRITE | FPB_RESPECT_DIRTY |
			    FPB_RESPECT_SOFT_DIRTY;
	struct page *page = pfn_to_page(pte_pfn(old));
	struct vm_area_struct *vma = vmf->vma;
	unsigned int nr, len, left;
	enum write_upgrade verdict;
	bool upgrade;
	pte_t pte;

	nr = folio_pte_batch_flags(folio, NULL, ptep, &old, max, flags);
	/* Hardware changes nothing in a hint: what this gathers is not needed. */
	if (modify_prot_needs_start(old))
		modify_prot_start_ptes(vma, addr, ptep, nr);

	/* All become accessed, so it does not matter that some were not. */
	pte = without_hint(vma, old);
	verdict = write_upgrade_by_entry(vma, pte);
	for (left = nr; left; left -= len) {
		len = write_upgrade_batch(verdict, folio, page, left, &upgrade);
		restore_ptes(vmf, addr, ptep, old,
			     upgrade ? pte_mkwrite(pte, vma) : pte, len);
		addr += len * PAGE_SIZE;
		ptep += len;
		page += len;
		old = pte_advance_pfn(old, len);
		pte = pte_advance_pfn(pte, len);
	}

	return nr;
}

/**
 * numa_hint_restore() - Undo the hint that faulted and the others on its folio
 * @vmf: The fault; its entry is mapped, locked, unchanged since the fault, and a
 *	 hint.
 * @folio: Folio that the entry maps, or NULL if it maps no normal page.
 * @pte: What numa_hint_undone() said of the entry, under the same hold of the
 *	 lock. The entries of a large folio are decided on together, this one too.
 *
 * Stays within the VMA and within the page table: only the lock of that is held,
 * and a folio may be mapped beyond both.
 *
 * Context: The page table lock is held.
 */
void numa_hint_restore(struct vm_fault *vmf, struct folio *folio, pte_t pte)
{
	unsigned long addr = vmf->address;
	struct vm_area_struct *vma = vmf->vma;
	pte_t *ptep = vmf->pte;
	pte_t old = ptep_get(ptep);
	unsigned int left, nr;

	if (!folio || !folio_test_large(folio)) {
		/* Hardware changes nothing in a hint: pte still replaces what this gets. */
		if (modify_prot_needs_start(old))
			old = modify_prot_start_ptes(vma, addr, ptep, 1);
		restore_ptes(vmf, addr, ptep, old, pte, 1);
		return;
	}

	left = fault_folio_ptes(vmf, folio, PTRS_PER_PTE, &addr, &ptep);
	flush_pending_protnone(vma, addr, left);

	for (; left; left -= nr) {
		nr = 1;
		old = ptep_get(ptep);
		if (is_numa_hint(vma, old) && pte_maps_folio(old, folio))
			nr = restore_batch(vmf, folio, addr, ptep, old, left);
		addr += nr * PAGE_SIZE;
		ptep += nr;
	}
}
