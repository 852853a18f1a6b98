// SPDX-License-Identifier: GPL-2.0
/*
 * The write-upgrade decision, for callers with one entry, of any level, and no page
 * at hand.  The rules are in write_upgrade.h.
 */

#include <linux/hugetlb.h>
#include <linux/mm.h>

#include "write_upgrade.h"

/* The page is looked up only where the entry does not decide by itself. */
static bool write_upgrade_page(enum write_upgrade verdict, const struct page *page)
{
	return write_upgrade_one(verdict, page ? page_folio(page) : NULL, page);
}

/**
 * can_change_pte_writable() - May one entry become writable without a fault?
 * @vma: VMA of the entry.
 * @addr: Address that the entry maps, in bytes.
 * @pte: The entry, present, with the protection that it is about to get.
 *
 * Context: The page table lock is held, from before the entry was read until
 * after it is set.
 * Return: true if the entry is read-only, and a write fault on it would only set the
 * write bit.
 */
bool can_change_pte_writable(struct vm_area_struct *vma, unsigned long addr,
			     pte_t pte)
{
	enum write_upgrade verdict = write_upgrade_by_entry(vma, pte);

	return write_upgrade_page(verdict, verdict == WRITE_UPGRADE_ASK_PAGE ?
				  vm_normal_page(vma, addr, pte) : NULL);
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/**
 * can_change_pmd_writable() - May a huge PMD become writable without a fault?
 * @vma: VMA of the entry.
 * @addr: Address that the entry maps, in bytes.
 * @pmd: The entry, present, with the protection that it is about to get.
 *
 * A folio mapped by a PMD has its exclusivity in its first page.
 *
 * Context: The page table lock is held, from before the entry was read until
 * after it is set.
 * Return: true if the entry is read-only, and a write fault on it would only set the
 * write bit.
 */
bool can_change_pmd_writable(struct vm_area_struct *vma, unsigned long addr,
			     pmd_t pmd)
{
	enum write_upgrade verdict;

	verdict = write_upgrade_by_bits(vma, write_upgrade_wanted(vma, pmd_write(pmd)),
					pmd_protnone(pmd),
					pmd_needs_soft_dirty_wp(vma, pmd),
					userfaultfd_huge_pmd_wp(vma, pmd),
					pmd_dirty(pmd));

	return write_upgrade_page(verdict, verdict == WRITE_UPGRADE_ASK_PAGE ?
				  vm_normal_page_pmd(vma, addr, pmd) : NULL);
}
#endif

#ifdef CONFIG_HUGETLB_PAGE
/**
 * can_change_huge_pte_writable() - May an entry of hugetlb become writable without a fault?
 * @vma: VMA of the entry.
 * @pte: The entry, present, with the protection that it is about to get.
 *
 * Each entry maps a page: there is no zero page, and nothing special.
 *
 * Context: The page table lock is held, from before the entry was read until
 * after it is set.
 * Return: true if the entry is read-only, and a write fault on it would only set the
 * write bit.
 */
bool can_change_huge_pte_writable(struct vm_area_struct *vma, pte_t pte)
{
	enum write_upgrade verdict;

	verdict = write_upgrade_by_bits(vma,
					write_upgrade_wanted(vma, huge_pte_write(pte)),
					pte_protnone(pte),
					pte_needs_soft_dirty_wp(vma, pte),
					userfaultfd_wp(vma) && huge_pte_uffd(pte),
					huge_pte_dirty(pte));

	return write_upgrade_page(verdict, folio_page(page_folio(pte_page(pte)), 0));
}
#endif
