/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which changes of a user's page table entry do no more than add permissions, on x86:
 * all that hardware can see of them is R/W set or NX cleared.  The page frame, the
 * size, the memory type and the protection key are the same.  The accessed and the
 * dirty bit may be set along with it: hardware sets them by itself.
 *
 * A TLB that holds the old entry is repaired by the first fault that it causes.  Intel
 * SDM Vol 3, "Optional Invalidation" and AMD APM Vol 2, "TLB Management", allow that,
 * and promise that the fault itself removes the entry.
 */
#ifndef _ASM_X86_TLB_FLUSH_KIND_H
#define _ASM_X86_TLB_FLUSH_KIND_H

#ifdef CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH

/*
 * Dirty without R/W is a shadow stack: CALL may write to it, a store may not.  Neither
 * it nor a writable entry permits all that the other does.
 */
static inline bool tlb_flags_shadow_stack(unsigned long flags)
{
	return (flags & (_PAGE_RW | _PAGE_DIRTY)) == _PAGE_DIRTY;
}

/*
 * Page frames are compared as the entries have them: they differ in code only if one of
 * the entries is not present, and then the present bit differs, too.
 */
static inline bool tlb_entry_only_adds(unsigned long old, unsigned long new)
{
	const unsigned long software = _PAGE_SOFTW1 | _PAGE_SOFTW2 | _PAGE_SOFTW3 |
				       _PAGE_SOFTW4 | _PAGE_SAVED_DIRTY;
	const unsigned long set = new & ~old & ~software;
	const unsigned long cleared = old & ~new & ~software;

	if ((set & ~(_PAGE_RW | _PAGE_DIRTY | _PAGE_ACCESSED)) || (cleared & ~_PAGE_NX))
		return false;

	return !tlb_flags_shadow_stack(old) && !tlb_flags_shadow_stack(new);
}

#define pte_only_adds_permission pte_only_adds_permission
static inline bool pte_only_adds_permission(pte_t oldpte, pte_t newpte)
{
	return tlb_entry_only_adds(pte_val(oldpte), pte_val(newpte));
}

#define pmd_only_adds_permission pmd_only_adds_permission
static inline bool pmd_only_adds_permission(pmd_t oldpmd, pmd_t newpmd)
{
	return tlb_entry_only_adds(pmd_val(oldpmd), pmd_val(newpmd));
}

#endif /* CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH */

#include <asm-generic/tlb_flush_kind.h>

#endif /* _ASM_X86_TLB_FLUSH_KIND_H */
