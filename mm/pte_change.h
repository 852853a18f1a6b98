/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A change of the protection of present entries: worked out once, then applied
 * to every entry that differs in nothing but its page frame.
 *
 * What it guarantees: each entry gets what pte_modify() and the rules of
 * write_upgrade.h give for that entry and the page that it maps, as if it were
 * the only one.  What may be shared between entries is shared because it is a
 * function of the bits that they have in common:
 *
 *  - A change (struct pte_change) is worked out from the bits of one entry and
 *    holds for every entry with the same bits, the accessed and the dirty bit
 *    included: mappings are made of few kinds of entries, mostly of one.  It
 *    takes no look at a folio to apply it to the next entry, and nothing that
 *    hardware has set for one page is spread to another.
 *
 *  - A run is a sequence of such entries whose page frames count up.  An
 *    architecture that folds entries wants to be given all of a run in one folio.
 *
 * Only the exclusivity of a private page is no function of the entry's bits, so
 * that is asked for page by page.
 */
#ifndef _MM_PTE_CHANGE_H
#define _MM_PTE_CHANGE_H

#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/unroll.h>
#include <asm/tlb.h>

#include "internal.h"
#include "write_upgrade.h"

/* So many entries are compared, and changed, at a time where that is possible. */
#define PTE_BLOCK	4

/**
 * struct pte_change - What becomes of an entry, except for its page frame
 * @old: The entry that it was worked out from.
 * @new: What replaces @old: as the new protection says, and with a write upgrade.
 * @flush: What that demands of TLBs that hold @old.
 * @verdict: Which of @new it is to be, or that the page decides.
 * @start: @old may be changed by hardware until it is cleared.
 * @step: With MODIFY_PROT_WITHIN_FOLIO, pte_step() of @old.
 */
struct pte_change {
	pte_t old;
	pte_t new[2];
	u64 step;
	enum tlb_flush_kind flush[2];
	enum write_upgrade verdict;
	bool start;
};

/**
 * pte_change_covers() - Was a change worked out from an entry like this one?
 * @change: The change; all zero if none was worked out yet, which covers no
 *	    present entry.
 * @pte: An entry.
 *
 * Return: true if @pte is present and has the bits of @change->old.
 */
static __always_inline bool pte_change_covers(const struct pte_change *change,
					      pte_t pte)
{
	return pte_same_bits(change->old, pte);
}

/**
 * pte_same_bits_block() - Do the entries of a block have these bits?
 * @ptep: First entry of the block in the page table.
 * @pte: An entry.
 * @ptes: Where the entries of the block are stored.
 *
 * For a loop over many entries that are alike: to compare and to count them one
 * by one takes more instructions than to change them.
 *
 * Return: true if each entry of the block equals @pte but for its page frame.
 */
static __always_inline bool pte_same_bits_block(pte_t *ptep, pte_t pte,
						pte_t ptes[PTE_BLOCK])
{
	bool same = true;
	unsigned int i;

	unrolled_count(PTE_BLOCK)
	for (i = 0; i < PTE_BLOCK; i++) {
		ptes[i] = ptep_get(ptep + i);
		same &= pte_same_bits(pte, ptes[i]);
	}

	return same;
}

/**
 * pte_change_apply() - What replaces an entry
 * @pte: The entry.
 * @old: An entry with the same bits.
 * @new: What replaces that one.
 *
 * An entry is its page frame, in some code, and bits that do not depend on it, so
 * the difference of two entries with the same page frame is the same for all page
 * frames.  Where a protection inverts the page frame, see L1TF, all bits of it are
 * among that difference.
 *
 * Return: The entry that replaces it.
 */
static __always_inline pte_t pte_change_apply(pte_t pte, pte_t old, pte_t new)
{
	return __pte(pte_val(pte) ^ pte_val(old) ^ pte_val(new));
}

/**
 * pte_step() - By how much an entry grows from page frame to page frame
 * @pte: A present entry.
 *
 * The same for all entries with the same bits, so that a loop over a run need not
 * look at each.  Not for an architecture that scatters the page frame over the
 * entry; that one has to call pte_advance_pfn().
 *
 * Return: The difference between two neighbours in a run, modulo the size of an
 * entry.
 */
static __always_inline u64 pte_step(pte_t pte)
{
	return pte_val(pte_advance_pfn(pte, 1)) - pte_val(pte);
}

/**
 * pte_run_goes_on() - Is it worthwhile to look for a run in a folio?
 * @ptep: An entry in the page table, not the last of what is to be changed.
 * @pte: Its value.
 * @step: pte_step() of it, or of an entry with the same bits: in a folio, which is
 *	  aligned to its size, these are alike.
 *
 * A large folio has four pages or more, but for a few of files, and begins at a
 * multiple of them.  What is missed is changed entry by entry.
 *
 * Context: The page table lock is held.
 * Return: false if @pte is a run by itself, or the end of one.
 */
static __always_inline bool pte_run_goes_on(pte_t *ptep, pte_t pte, u64 step)
{
	return pte_batch_hint(ptep, pte) > 1 ||
	       (!(pte_pfn(pte) % 4) &&
		pte_val(ptep_get(ptep + 1)) == pte_val(pte) + step);
}

/**
 * pte_run_block() - Is a block of entries a run?
 * @ptep: First entry of the block in the page table.
 * @pte: What that is to be.
 * @step: pte_step() of it.
 *
 * Return: true if the block begins with @pte and its page frames count up.
 */
static __always_inline bool pte_run_block(pte_t *ptep, pte_t pte, u64 step)
{
	u64 differ = 0;
	unsigned int i;

	unrolled_count(PTE_BLOCK)
	for (i = 0; i < PTE_BLOCK; i++)
		differ |= pte_val(ptep_get(ptep + i)) ^ (pte_val(pte) + i * step);

	return !differ;
}

/**
 * pte_run_length() - Find a run
 * @ptep: First entry in the page table.
 * @pte: Its value.
 * @max: Number of entries to look at, at least 1, none of them outside of the
 *	 VMA and of the page table.
 *
 * Context: The page table lock is held.
 * Return: How many entries, from the first on, are a run: 1 to @max.
 */
static __always_inline unsigned int pte_run_length(pte_t *ptep, pte_t pte,
						   unsigned int max)
{
	unsigned int nr = pte_batch_hint(ptep, pte);
	pte_t next;

	while (nr < max) {
		next = ptep_get(ptep + nr);
		if (!pte_same(next, pte_advance_pfn(pte, nr)))
			break;
		nr += pte_batch_hint(ptep + nr, next);
	}

	return min(nr, max);
}

/**
 * folio_pages_from() - How many pages of a folio follow
 * @folio: The folio.
 * @page: A page of it.
 * @max: At most so many are asked for.
 *
 * Return: Number of pages from @page to the end of @folio, at most @max.
 */
static __always_inline
unsigned int folio_pages_from(const struct folio *folio, const struct page *page,
			      unsigned int max)
{
	if (max == 1 || !folio_test_large(folio))
		return 1;

	return min_t(unsigned long, max,
		     folio_nr_pages(folio) - folio_page_idx(folio, page));
}

#endif /* _MM_PTE_CHANGE_H */
