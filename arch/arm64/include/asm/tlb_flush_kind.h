/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which changes of a user's page table entry do no more than add permissions, on
 * arm64: it becomes writable or executable, and all else is the same, in particular
 * the output address, the attributes, the overlay index and the contiguous bit.
 *
 * Arm ARM, "TLB maintenance requirements": a permission may be added without break
 * before make; until the old entry is invalidated, an access may be answered by it.
 */
#ifndef _ASM_ARM64_TLB_FLUSH_KIND_H
#define _ASM_ARM64_TLB_FLUSH_KIND_H

static inline bool tlb_bits_only_add(ptval_t oldval, ptval_t newval)
{
	/*
	 * With permission indirection, PXN and USER choose what the others mean. What
	 * the kernel gives to the user has both, but for guarded control stacks and
	 * memory that can only be executed.
	 */
	const ptval_t ordinary = PTE_VALID | PTE_USER | PTE_PXN;
	const ptval_t set = newval & ~oldval & ~PTE_SWBITS_MASK;
	const ptval_t cleared = oldval & ~newval & ~PTE_SWBITS_MASK;

	if ((oldval & newval & ordinary) != ordinary)
		return false;

	return !(set & ~(PTE_WRITE | PTE_AF)) && !(cleared & ~(PTE_RDONLY | PTE_UXN));
}

#define pte_only_adds_permission pte_only_adds_permission
static inline bool pte_only_adds_permission(pte_t oldpte, pte_t newpte)
{
	return tlb_bits_only_add(pte_val(oldpte), pte_val(newpte));
}

#define pmd_only_adds_permission pmd_only_adds_permission
static inline bool pmd_only_adds_permission(pmd_t oldpmd, pmd_t newpmd)
{
	return tlb_bits_only_add(pmd_val(oldpmd), pmd_val(newpmd));
}

#include <asm-generic/tlb_flush_kind.h>

#endif /* _ASM_ARM64_TLB_FLUSH_KIND_H */
