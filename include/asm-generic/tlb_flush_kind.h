/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a change of a page table entry means to the TLBs that may hold the old one.
 *
 * A TLB entry that permits less than the page table does no harm: an access that
 * it forbids faults, the fault finds that the page table permits it, and the
 * access is repeated.  One that permits more, or leads to another page, is a
 * security hole until it is gone.  So there are three kinds of changes, and the
 * order of the kinds is that of their demands: what is recorded for several changes
 * is the maximum.
 *
 * Everything is strict unless the architecture says otherwise.  An architecture
 * opts in with ARCH_HAS_RELAXED_TLB_FLUSH, and with an asm/tlb_flush_kind.h of its
 * own, which says when a change does no more than add permissions, and includes
 * this one.
 */
#ifndef _ASM_GENERIC_TLB_FLUSH_KIND_H
#define _ASM_GENERIC_TLB_FLUSH_KIND_H

/**
 * enum tlb_flush_kind - What a change of an entry demands of the TLBs
 * @TLB_FLUSH_NONE: Nothing.  No TLB holds the old entry, or hardware sets by itself
 *		    what has changed.
 * @TLB_FLUSH_RELAXED: Permissions were added and nothing else has changed.  TLBs may
 *		       hold the old entry until it gets in somebody's way.
 * @TLB_FLUSH_STRICT: No TLB may hold the old entry when the flush has returned.
 */
enum tlb_flush_kind {
	TLB_FLUSH_NONE,
	TLB_FLUSH_RELAXED,
	TLB_FLUSH_STRICT,
};

#ifndef pte_only_adds_permission
static inline bool pte_only_adds_permission(pte_t oldpte, pte_t newpte)
{
	return false;
}
#endif

#ifndef pmd_only_adds_permission
static inline bool pmd_only_adds_permission(pmd_t oldpmd, pmd_t newpmd)
{
	return false;
}
#endif

/**
 * pte_flush_kind() - What the change of an entry demands of the TLBs
 * @oldpte: The entry that was replaced.
 * @newpte: The one that replaces it.
 *
 * Return: The kind of flush.
 */
static inline enum tlb_flush_kind pte_flush_kind(pte_t oldpte, pte_t newpte)
{
	if (!pte_needs_flush(oldpte, newpte))
		return TLB_FLUSH_NONE;

	return pte_only_adds_permission(oldpte, newpte) ? TLB_FLUSH_RELAXED :
							  TLB_FLUSH_STRICT;
}

/**
 * huge_pte_flush_kind() - The same for an entry of hugetlb, of any level
 * @oldpte: The entry that was replaced.
 * @newpte: The one that replaces it.
 *
 * Without relaxed flushes all is strict: pte_needs_flush() was not made for hugetlb.
 *
 * Return: The kind of flush.
 */
static inline enum tlb_flush_kind huge_pte_flush_kind(pte_t oldpte, pte_t newpte)
{
	if (!IS_ENABLED(CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH))
		return TLB_FLUSH_STRICT;

	return pte_flush_kind(oldpte, newpte);
}

/**
 * pmd_flush_kind() - The same for a PMD that maps memory
 * @oldpmd: The entry that was replaced.
 * @newpmd: The one that replaces it.
 *
 * Return: The kind of flush.
 */
static inline enum tlb_flush_kind pmd_flush_kind(pmd_t oldpmd, pmd_t newpmd)
{
	if (!huge_pmd_needs_flush(oldpmd, newpmd))
		return TLB_FLUSH_NONE;

	return pmd_only_adds_permission(oldpmd, newpmd) ? TLB_FLUSH_RELAXED :
							  TLB_FLUSH_STRICT;
}

#endif /* _ASM_GENERIC_TLB_FLUSH_KIND_H */
