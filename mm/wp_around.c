// SPDX-License-Identifier: GPL-2.0
/*
 * Write faults on a large folio that is no longer shared.
 *
 * After fork() the pages of an anonymous folio are shared: their entries are read-only,
 * and PageAnonExclusive() is clear.  When the other process is gone, the first write fault
 * finds out, by mapcounts and references, that the whole folio belongs to this process.
 * What holds for its page holds for all pages of the folio that this process maps, so
 * a few faults are enough for them.
 *
 * What is guaranteed: a page becomes exclusive, and its entry writable, only if a write
 * fault on this entry, under the same hold of the page table lock, would do the same
 * and copy nothing.
 */

#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pgtable.h>

#include "internal.h"
#include "wp_around.h"
#include "write_upgrade.h"

/* So many entries become writable, at most: the size of a folio does not bound a fault. */
#define WP_AROUND_MAX		512UL

/* So many times as many as were written to, as far as a few looks tell. */
#define WP_AROUND_GROWTH	4

/* A row of more entries that are writable already is the end. */
#define WP_AROUND_SKIP		4

/* Would a write fault on this entry reuse its page? */
static bool is_reusable(struct vm_area_struct *vma, pte_t pte, const struct folio *folio)
{
	return pte_present(pte) && pte_maps_folio(pte, folio) &&
	       write_upgrade_by_entry(vma, pte) == WRITE_UPGRADE_ASK_PAGE;
}

/* Most often it is not, so the cheap question comes first. */
static __always_inline bool is_writable(pte_t pte, const struct folio *folio)
{
	return pte_write(pte) && pte_present(pte) && pte_maps_folio(pte, folio);
}

/*
 * How many entries, an aligned block, are worth it? Who writes to one page of a folio and
 * then forks again gets no other one: it would not save a fault. Who goes on gets more and
 * more, so what is in vain is a small multiple of what was written to. Folded entries
 * become writable together, without the broadcasts that it takes to unfold them.
 */
static unsigned long nr_around(const struct vm_fault *vmf, const struct folio *folio)
{
	const unsigned long of_folio = pte_pfn(vmf->orig_pte) - folio_pfn(folio);
	const unsigned long of_table = pte_index(vmf->address);
	unsigned long nr, before, after;

	/* The folio bounds a look first: to read a folded entry is to read its block. */
	before = min(of_folio, of_table);
	after = min(folio_nr_pages(folio) - of_folio, PTRS_PER_PTE - of_table);
	nr = modify_prot_is_folded(vmf->orig_pte) ? MODIFY_PROT_FOLDS : 1;
	while (nr < WP_AROUND_MAX &&
	       ((before >= nr && is_writable(ptep_get(vmf->pte - nr), folio)) ||
		(after > nr && is_writable(ptep_get(vmf->pte + nr), folio))))
		nr *= WP_AROUND_GROWTH;

	return min(nr, WP_AROUND_MAX);
}

/*
 * Does the row go on with this entry, in spite of those before it that were skipped?
 * One that is reusable begins to count anew.
 */
static bool goes_on(const struct folio *folio, pte_t pte, bool reusable,
		    unsigned int *skipped)
{
	*skipped = reusable ? 0 : *skipped + 1;

	return reusable || (*skipped <= WP_AROUND_SKIP && is_writable(pte, folio));
}

/* Of the nr entries before ptep, how many to begin with? */
static unsigned int nr_before(struct vm_area_struct *vma, const struct folio *folio,
			      pte_t *ptep, unsigned int nr)
{
	unsigned int skipped = 0, i;
	pte_t pte;

	for (i = 0; i < nr; i++) {
		pte = ptep_get(ptep - i - 1);
		if (!goes_on(folio, pte, is_reusable(vma, pte, folio), &skipped))
			break;
	}

	return i;
}

/*
 * Is pte the first of a folded block, of which all is to be changed? Its entries are alike,
 * and its pages are of one folio: it can be set where it is.
 */
static bool is_whole_block(unsigned long addr, pte_t pte, unsigned int max)
{
	return modify_prot_is_folded(pte) && max >= MODIFY_PROT_FOLDS &&
	       !modify_prot_needs_start(pte) &&
	       !modify_prot_fold_needs_start(addr, pte, MODIFY_PROT_FOLDS);
}

/* Make entries writable, and their pages exclusive. Were there any? */
static bool reuse_ptes(struct vm_area_struct *vma, struct folio *folio,
		       unsigned long addr, pte_t *ptep, unsigned int max)
{
	const fpb_t flags = FPB_RESPECT_WRITE | FPB_RESPECT_SOFT_DIRTY;
	unsigned int skipped = 0, nr, i;
	bool reusable, whole, any = false;
	struct page *page;
	pte_t pte;

	for (; max; max -= nr) {
		nr = 1;
		pte = ptep_get(ptep);
		reusable = is_reusable(vma, pte, folio);
		if (!goes_on(folio, pte, reusable, &skipped))
			break;
		if (reusable) {
			page = pfn_to_page(pte_pfn(pte));
			whole = is_whole_block(addr, pte, max);
			nr = whole ? MODIFY_PROT_FOLDS :
				     folio_pte_batch_flags(folio, NULL, ptep, &pte, max, flags);
			VM_WARN_ON_ONCE(!pte_maps_folio(pte_advance_pfn(pte, nr - 1), folio));
			for (i = 0; i < nr; i++)
				SetPageAnonExclusive(page + i);
			if (whole)
				modify_prot_commit_ptes(vma, addr, ptep, pte,
							pte_mkwrite(pte, vma), nr);
			else
				upgrade_ptes(vma, addr, ptep, pte, nr);
			any = true;
		}
		addr += nr * PAGE_SIZE;
		ptep += nr;
	}

	return any;
}

/* Make the entries of a block of nr, a power of two, exclusive and writable. */
static noinline bool reuse_block(struct vm_fault *vmf, struct folio *folio, unsigned long nr)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = vmf->address;
	unsigned int max, before, skip;
	pte_t *ptep = vmf->pte;
	bool any;

	max = fault_folio_ptes(vmf, folio, nr, &addr, &ptep);
	before = vmf->pte - ptep;
	skip = before - nr_before(vma, folio, vmf->pte, before);

	lazy_mmu_mode_enable();
	any = reuse_ptes(vma, folio, addr + skip * PAGE_SIZE, ptep + skip, max - skip);
	lazy_mmu_mode_disable();

	return any;
}

/**
 * wp_reuse_around() - Make the entries around a write fault exclusive and writable, too
 * @vmf: A write fault; its entry is mapped and locked, and maps the page of vmf->orig_pte.
 * @folio: Large anonymous folio that the entry maps.  Under this hold of the lock,
 *	   wp_can_reuse_anon_folio() has said that it belongs to this process alone.
 *
 * Stays within the VMA and the page table: only the lock of that is held, and a folio may
 * be mapped beyond both.  It goes from the fault in both directions, up to the first entry
 * that must stay as it is: one that soft-dirty tracking or userfaultfd waits for, a NUMA
 * hint, one that is not present; or up to a row of entries that are writable already.
 * So a fault looks at few entries that it does not make writable.  That of the fault counts
 * like the others: it may become writable here, or be in the way of those behind it.
 *
 * No reference to the folio came from elsewhere: that was true of all its pages at once.
 * It stays true of those that this page table maps, as fork() needs the lock to share
 * them, and GUP, to pin them, needs them to be exclusive.
 *
 * TLBs and MMU caches of all CPUs, this one included, may go on holding what permits less,
 * but for what upgrade_ptes() says.
 *
 * Context: The page table lock is held.
 * Return: All that was made writable is within an aligned block of so many pages around
 * the fault; 0 if nothing was.
 */
unsigned long wp_reuse_around(struct vm_fault *vmf, struct folio *folio)
{
	unsigned long nr = nr_around(vmf, folio);

	return nr > 1 && reuse_block(vmf, folio, nr) ? nr : 0;
}
