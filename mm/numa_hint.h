/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_NUMA_HINT_H
#define _MM_NUMA_HINT_H

#include <linux/types.h>

struct folio;
struct page;
struct vm_area_struct;
struct vm_fault;

pte_t numa_hint_undone(struct vm_area_struct *vma, struct page *page, pte_t pte);
void numa_hint_restore(struct vm_fault *vmf, struct folio *folio, pte_t pte);

#endif /* _MM_NUMA_HINT_H */
