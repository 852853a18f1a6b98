// SPDX-License-Identifier: GPL-2.0
/*
 * The write-upgrade decision, for callers with one entry and no page at hand, and
 * for entries of the higher levels.
 * The rules are in write_upgrade.h.
 */

#include <linux/mm.h>

#include "write_upgrade.h"

/**
 * can_change_pte_writable() - May one entry become writable without a fault?
 * @vma: VMA of the entry, with write permission.
 * @addr: Address that the entry maps, in bytes.
 * @pte: The entry, present and read-only, with the protection that it is about
 *	 to get.
 *
 * The page is looked up only where the entry does not decide by itself.
 *
 * Context: The page table lock is held, from before the entry was read until
 * after it is set.
 * Return: true if a write fault on the entry would only set the write bit.
 */
bool can_change_pte_writable(struct vm_area_struct *vma, unsigned long addr,
			     pte_t pte)
{
	enum write_upgrade verdict = write_upgrade_by_entry(vma, pte);
	struct page *page = NULL;
	bool upgrade;

	if (verdict == WRITE_UPGRADE_ASK_PAGE)
		page = vm_normal_page(vma, addr, pte);
	write_upgrade_batch(verdict, page ? page_folio(page) : NULL, page, 1,
			    &upgrade);

	return upgrade;
}

/**
 * pte_write_upgrade() - Make an entry writable, if it may become it
 * @vma: VMA of the entry.
 * @addr: Address that the entry maps, in bytes.
 * @pte: The entry, present, with the protection that it is about to get.
 *
 * Context: As can_change_pte_writable().
 * Return: The entry, writable if no write fault is needed.
 */
pte_t pte_write_upgrade(struct vm_area_struct *vma, unsigned long addr, pte_t pte)
{
	if (!pte_write(pte) && vma_wants_manual_pte_write_upgrade(vma) &&
	    can_change_pte_writable(vma, addr, pte))
		pte = pte_mkwrite(pte, vma);

	return pte;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/**
 * can_change_pmd_writable() - May a huge PMD become writable without a fault?
 * @vma: VMA of the entry, with write permission.
 * @addr: Address that the entry maps, in bytes.
 * @pmd: The entry, present and read-only, with the protection that it is about
 *	 to get.
 *
 * A folio mapped by a PMD has its exclusivity in its first page.
 *
 * Context: The page table lock is held, from before the entry was read until
 * after it is set.
 * Return: true if a write fault on the entry would only set the write bit.
 */
bool can_change_pmd_writable(struct vm_area_struct *vma, unsigned long addr,
			     pmd_t pmd)
{
	struct page *page = NULL;
	enum write_upgrade verdict;
	bool upgrade;

	verdict = write_upgrade_by_bits(vma, pmd_protnone(pmd),
					pmd_needs_soft_dirty_wp(vma, pmd),
					userfaultfd_huge_pmd_wp(vma, pmd),
					pmd_dirty(pmd));
	if (verdict == WRITE_UPGRADE_ASK_PAGE)
		page = vm_normal_page_pmd(vma, addr, pmd);
	write_upgrade_batch(verdict, page ? page_folio(page) : NULL, page, 1,
			    &upgrade);

	return upgrade;
}
#endif
