/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The write-upgrade decision: may a present entry that its VMA would let be
 * written, but that is mapped read-only, become writable without a write fault?
 *
 * What it guarantees: an entry is upgraded only if the write-fault handler,
 * called for the same page under the same page table lock, would do nothing
 * but set the write bit.  Without that, an upgrade would
 *
 *  - write to a page that another process still maps (copy-on-write missed),
 *  - write to a page of a file that the filesystem was not told of
 *    (writenotify missed), or
 *  - lift a trap that soft-dirty tracking or userfaultfd has set.
 *
 * Refusing is always safe: it costs the write fault that decides instead.
 *
 * The rules, in the order in which they are checked:
 *
 *  0. The VMA may be written to, and wants to know who may be, page by page; the
 *     entry is not writable yet.
 *  1. The entry is readable: not PROT_NONE for a NUMA hint or userfaultfd RWP.
 *  2. Soft-dirty tracking does not wait for the first write.
 *  3. Userfaultfd has not write-protected the entry.
 *  4. Private mapping: the page *of this entry* is anonymous and exclusive to
 *     this process.  Exclusivity is a property of a page, not of its folio:
 *     a batch of entries that map one large folio may begin anywhere in the
 *     folio and may mix exclusive and shared pages.
 *     Shared mapping: the entry is dirty, so the filesystem has been notified.
 *
 * See Documentation/mm/protection_upgrades.rst.
 */
#ifndef _MM_WRITE_UPGRADE_H
#define _MM_WRITE_UPGRADE_H

#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/unroll.h>
#include <linux/userfaultfd_k.h>

#include "internal.h"

/**
 * enum write_upgrade - The verdict, as far as an entry and its VMA decide it
 * @WRITE_UPGRADE_NO: A write fault must come first.
 * @WRITE_UPGRADE_YES: The entry may become writable.
 * @WRITE_UPGRADE_ASK_PAGE: write_upgrade_private() decides, page by page.
 */
enum write_upgrade {
	WRITE_UPGRADE_NO,
	WRITE_UPGRADE_YES,
	WRITE_UPGRADE_ASK_PAGE,
};

/**
 * write_upgrade_by_bits() - Decide as far as possible without the page
 * @vma: VMA of the entry.
 * @wanted: What write_upgrade_wanted() says of the entry.
 * @protnone: The entry will be PROT_NONE.
 * @soft_dirty_wp: Soft-dirty tracking waits for the first write.
 * @uffd_wp: Userfaultfd has write-protected the entry.
 * @dirty: The entry is dirty.
 *
 * Rules 0 to 3, and rule 4 for shared mappings: a clean page may still need a
 * write fault for writenotify, see vma_wants_writenotify().
 *
 * The bits are those of an entry of any level, with the protection that it is
 * about to get. The verdict does not depend on its page frame: it holds for every
 * entry of the VMA with the same bits.
 *
 * Return: The verdict, or that the page has to be asked.
 */
static __always_inline
enum write_upgrade write_upgrade_by_bits(struct vm_area_struct *vma, bool wanted,
					 bool protnone, bool soft_dirty_wp,
					 bool uffd_wp, bool dirty)
{
	if (!wanted || protnone || soft_dirty_wp || uffd_wp)
		return WRITE_UPGRADE_NO;
	if (!vma_test(vma, VMA_SHARED_BIT))
		return WRITE_UPGRADE_ASK_PAGE;

	return dirty ? WRITE_UPGRADE_YES : WRITE_UPGRADE_NO;
}

/* Rule 0, for an entry of any level. */
static inline bool write_upgrade_wanted(struct vm_area_struct *vma, bool writable)
{
	return !writable && vma_wants_manual_pte_write_upgrade(vma);
}

/**
 * write_upgrade_if_wanted() - The same, for a PTE of a VMA that was asked
 * @vma: VMA of the entry, for which vma_wants_manual_pte_write_upgrade() is true: who
 *	 decides on many entries asks that once.
 * @pte: The entry, with the protection that it is about to get.
 *
 * Return: The verdict, or that the page has to be asked.
 */
static __always_inline
enum write_upgrade write_upgrade_if_wanted(struct vm_area_struct *vma, pte_t pte)
{
	return write_upgrade_by_bits(vma, !pte_write(pte), pte_protnone(pte),
				     pte_needs_soft_dirty_wp(vma, pte),
				     userfaultfd_pte_wp(vma, pte),
				     pte_dirty(pte));
}

/**
 * write_upgrade_by_entry() - The same, for a PTE
 * @vma: VMA of the entry.
 * @pte: The entry, with the protection that it is about to get.
 *
 * Return: The verdict, or that the page has to be asked.
 */
static __always_inline
enum write_upgrade write_upgrade_by_entry(struct vm_area_struct *vma, pte_t pte)
{
	if (!write_upgrade_wanted(vma, pte_write(pte)))
		return WRITE_UPGRADE_NO;

	return write_upgrade_if_wanted(vma, pte);
}

/*
 * Are nr pages exclusive, each by its own bit? hugetlb has one for all, in the
 * first page.
 */
static __always_inline bool write_upgrade_exclusive(const struct page *page,
						    unsigned int nr)
{
	unsigned long flags = ~0UL;
	unsigned int i;

	unrolled_count(8)
	for (i = 0; i < nr; i++) {
		VM_WARN_ON_ONCE_PAGE(PageHuge(page + i) && PageTail(page + i),
				     page + i);
		/* Other bits may change meanwhile, this one does not. */
		flags &= data_race(page[i].flags.f);
	}

	return flags & BIT(PG_anon_exclusive);
}

/**
 * write_upgrade_private() - Decide on the first sub-batch of private pages
 * @folio: Folio that the entries map, or NULL if there is none (zero page,
 *	   PFN mapping).
 * @page: Page of @folio that the first entry maps.
 * @nr: Number of entries, at least 1; 1 if there is no folio.
 * @upgrade: Where the verdict of the sub-batch is stored.
 *
 * Rule 4 for private mappings, page by page.  KSM pages are never exclusive.
 *
 * Context: The page table lock that covers all of the entries is held:
 * PageAnonExclusive() of a mapped page changes only under it.
 * Return: How many pages, from @page on, share the verdict: 1 to @nr.
 */
static __always_inline
unsigned int write_upgrade_private(const struct folio *folio,
				   const struct page *page, unsigned int nr,
				   bool *upgrade)
{
	unsigned int len = 1;

	*upgrade = false;
	if (!folio || !folio_test_anon(folio))
		return nr;

	*upgrade = write_upgrade_exclusive(page, 1);
	while (len < nr && write_upgrade_exclusive(page + len, 1) == *upgrade)
		len++;

	return len;
}

/**
 * write_upgrade_batch() - Decide on the first sub-batch of a batch of entries
 * @verdict: What write_upgrade_by_entry() says of each of the entries.
 * @folio: Folio that the entries map, or NULL if there is none.
 * @page: Page of @folio that the first entry maps; not used without @folio.
 * @nr: Number of entries, at least 1, that map consecutive pages of @folio.
 *	1 if there is no folio.
 * @upgrade: Where the verdict of the sub-batch is stored.
 *
 * A caller with more than one entry commits the sub-batch and calls again for
 * the rest.  With a constant @nr of 1 everything about batches is compiled away.
 *
 * Context: The page table lock is held, from before the entries are read until
 * after they are set.
 * Return: Length of the sub-batch, from 1 to @nr.
 */
static __always_inline
unsigned int write_upgrade_batch(enum write_upgrade verdict,
				 const struct folio *folio,
				 const struct page *page, unsigned int nr,
				 bool *upgrade)
{
	if (verdict == WRITE_UPGRADE_ASK_PAGE)
		return write_upgrade_private(folio, page, nr, upgrade);

	*upgrade = verdict == WRITE_UPGRADE_YES;

	return nr;
}

/**
 * write_upgrade_one() - Decide on one entry
 * @verdict: What write_upgrade_by_bits() says of it.
 * @folio: Folio that the entry maps, or NULL if there is none.
 * @page: Page of @folio that the entry maps; not used without @folio.
 *
 * Context: As write_upgrade_batch().
 * Return: true if the entry may become writable.
 */
static __always_inline bool write_upgrade_one(enum write_upgrade verdict,
					      const struct folio *folio,
					      const struct page *page)
{
	bool upgrade;

	write_upgrade_batch(verdict, folio, page, 1, &upgrade);

	return upgrade;
}

/**
 * write_upgrade_still() - Is a verdict good after the page table lock was dropped?
 * @vma: VMA of the entry, locked against changes all the time.
 * @writable: The entry was to be writable.
 * @folio: Folio that the entry maps now.
 * @page: Page of @folio that the entry maps.
 *
 * For who found the same entry when the lock was taken again. Only of a page of a private
 * mapping can the verdict be another one: the rest of the rules is in the entry, or in
 * the VMA.
 *
 * Context: The page table lock is held.
 * Return: true if it is; false if a write fault has to come first now.
 */
static __always_inline bool write_upgrade_still(struct vm_area_struct *vma, bool writable,
						const struct folio *folio,
						const struct page *page)
{
	return !writable || vma_test(vma, VMA_SHARED_BIT) ||
	       write_upgrade_one(WRITE_UPGRADE_ASK_PAGE, folio, page);
}

bool can_change_pte_writable(struct vm_area_struct *vma, unsigned long addr,
			     pte_t pte);
bool can_change_pmd_writable(struct vm_area_struct *vma, unsigned long addr,
			     pmd_t pmd);
bool can_change_huge_pte_writable(struct vm_area_struct *vma, pte_t pte);

#endif /* _MM_WRITE_UPGRADE_H */
