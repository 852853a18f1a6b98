/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_WP_AROUND_H
#define _MM_WP_AROUND_H

struct folio;
struct vm_fault;

unsigned long wp_reuse_around(struct vm_fault *vmf, struct folio *folio);

#endif /* _MM_WP_AROUND_H */
