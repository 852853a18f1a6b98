/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_WP_AROUND_H
#define _MM_WP_AROUND_H

#include <linux/mm.h>
#include <linux/pgtable.h>

#include "write_upgrade.h"

unsigned long wp_reuse_around(struct vm_fault *vmf, struct folio *folio);

/**
 * wp_may_reuse_around() - May wp_reuse_around() find anything to do?
 * @vmf: A write fault on a page that is not exclusive yet.
 * @folio: Large anonymous folio of that page.
 *
 * Most often this is the first write to the folio since fork(), and then it ends here: no
 * page next to it is exclusive, and it is not folded.  Of an entry that has just come from
 * swap it is not known whether it was folded.
 *
 * Context: The page table lock is held.
 * Return: false if there is nothing.
 */
static inline bool wp_may_reuse_around(const struct vm_fault *vmf, const struct folio *folio)
{
	const struct page *page = vmf->page;

	return modify_prot_is_folded(vmf->orig_pte) ||
	       (page != folio_page(folio, 0) && write_upgrade_exclusive(page - 1, 1)) ||
	       (page != folio_page(folio, folio_nr_pages(folio) - 1) &&
		write_upgrade_exclusive(page + 1, 1));
}

#endif /* _MM_WP_AROUND_H */
