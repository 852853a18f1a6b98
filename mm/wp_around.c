// SPDX-License-Identifier: GPL-2.0
/*
 * Write faults on a large folio that is no longer shared.
 *
 * After fork() the pages of an anonymous folio are shared: their entries are read-only,
 * and PageAnonExclusive() is clear.  When the other process is gone, the first write fault
 * finds out, by mapcounts and references, that the whole folio belongs to this process.
 * What holds for its page holds for all pages of the folio that this process maps, so
 * one fault is enough for them.
 *
 * What is guaranteed: a page becomes exclusive, and its entry writable, only if a write
 * fault on this entry, under the same hold of the page table lock, would do the same
 * and copy nothing.
 */

#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pgtable.h>

#include <asm/tlb.h>

#include "internal.h"
#include "wp_around.h"
#include "write_upgrade.h"

/*
 * So many entries become writable at first: who writes to one page only, and then forks
 * again, does not pay for all of a large folio.  A block that may be folded is not split.
 */
#define WP_AROUND_FIRST	max(16UL, MODIFY_PROT_FOLDS)

/* And so many where one next to these is writable: others were written to before. */
#define WP_AROUND_MAX	512UL

static bool maps_folio(pte_t pte, const struct folio *folio)
{
	return pte_present(pte) && pte_pfn(pte) - folio_pfn(folio) < folio_nr_pages(folio);
}

/* Would a write fault on this entry reuse its page? */
static bool is_reusable(struct vm_area_struct *vma, pte_t pte, const struct folio *folio)
{
	return maps_folio(pte, folio) &&
	       write_upgrade_by_entry(vma, pte) == WRITE_UPGRADE_ASK_PAGE;
}

static bool is_writable(pte_t pte, const struct folio *folio)
{
	return maps_folio(pte, folio) && pte_write(pte);
}

/* Is an entry of the folio that is next to these nr writable? */
static bool is_next_to_writable(const struct folio *folio, unsigned long addr, pte_t *ptep,
				unsigned int nr)
{
	const unsigned long first = pte_index(addr);

	return (first && is_writable(ptep_get(ptep - 1), folio)) ||
	       (first + nr < PTRS_PER_PTE && is_writable(ptep_get(ptep + nr), folio));
}

/**
 * wp_reuse_around() - Make the entries around a write fault exclusive and writable, too
 * @vmf: A write fault; its entry is mapped, locked and unchanged since the fault.
 * @folio: Large anonymous folio that the entry maps.  Under this hold of the lock,
 *	   wp_can_reuse_anon_folio() has said that it belongs to this process alone.
 *
 * Stays within the VMA and the page table: only the lock of that is held, and a folio may
 * be mapped beyond both.  It goes from the fault in both directions, up to the first entry
 * of which it is not true that a write fault would reuse the page: one that soft-dirty
 * tracking or userfaultfd waits for, a NUMA hint, one that is not present or is writable
 * already.  So it looks at no more than four entries that it does not make writable.
 *
 * No reference to the folio came from elsewhere: that was true of all its pages at once.
 * It stays true of those that this page table maps, as fork() needs the lock to share
 * them, and GUP, to pin them, needs them to be exclusive.
 *
 * Context: The page table lock is held.
 */
void wp_reuse_around(struct vm_fault *vmf, struct folio *folio)
{
	const fpb_t flags = FPB_RESPECT_WRITE | FPB_RESPECT_SOFT_DIRTY;
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start, addr = vmf->address;
	unsigned int left, nr, i;
	pte_t *ptep = vmf->pte;
	struct page *page;
	pte_t pte;

	left = fault_folio_ptes(vmf, folio, WP_AROUND_FIRST, &addr, &ptep);
	if (is_next_to_writable(folio, addr, ptep, left)) {
		addr = vmf->address;
		ptep = vmf->pte;
		left = fault_folio_ptes(vmf, folio, WP_AROUND_MAX, &addr, &ptep);
	}
	/* i: of those before the fault, the first of the last that are in a row */
	i = (vmf->address - addr) / PAGE_SIZE;
	while (i && is_reusable(vma, ptep_get(ptep + i - 1), folio))
		i--;
	left -= i;
	ptep += i;
	addr += i * PAGE_SIZE;

	start = addr;
	lazy_mmu_mode_enable();
	for (; left; left -= nr) {
		pte = ptep_get(ptep);
		if (!is_reusable(vma, pte, folio))
			break;
		page = pfn_to_page(pte_pfn(pte));
		nr = folio_pte_batch_flags(folio, NULL, ptep, &pte, left, flags);
		for (i = 0; i < nr; i++) {
			if (!PageAnonExclusive(page + i))
				SetPageAnonExclusive(page + i);
		}
		upgrade_ptes(vma, addr, ptep, nr);
		addr += nr * PAGE_SIZE;
		ptep += nr;
	}
	lazy_mmu_mode_disable();
	if (addr == start)
		return;

	flush_tlb_upgraded(vma, start, addr);
	/* The fault may find nothing left to do, and then it does not do this, either. */
	flush_tlb_fix_spurious_fault(vma, vmf->address, vmf->pte);
	update_mmu_cache_range(vmf, vma, vmf->address, vmf->pte, 1);
}
