// SPDX-License-Identifier: GPL-2.0
/*
 * The write-upgrade decision, for callers with one entry and no page at hand.
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
	struct page *page;
	bool upgrade;

	if (write_upgrade_trapped(vma, pte))
		return false;

	if (vma_test(vma, VMA_SHARED_BIT))
		return write_upgrade_shared(pte);

	page = vm_normal_page(vma, addr, pte);
	write_upgrade_private(page ? page_folio(page) : NULL, page, 1, &upgrade);

	return upgrade;
}
