// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds of TLB flushes, as a table of what each bit of an entry demands when it is
 * set and when it is cleared.  A change demands the maximum of its bits, and what adds
 * permissions is strict all the same if the permissions do not mean what they mean for
 * ordinary memory.
 *
 * A bug would be a change that takes a permission away, or anything else that hardware
 * can see, and is not strict: a security hole.  Or one that only adds permissions and
 * is: an interrupt for nothing.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <asm/tlb.h>

/* What a bit demands, depending on the direction in which it changes. */
struct bit_rule {
	const char *name;
	u64 bit;
	enum tlb_flush_kind set, clear;
};

#define NONE	TLB_FLUSH_NONE
#define RELAXED	TLB_FLUSH_RELAXED
#define STRICT	TLB_FLUSH_STRICT

#ifdef CONFIG_X86_64
#define VALID	_PAGE_PRESENT
#define FRAME	BIT_ULL(21)

/* Those that play together: all combinations of old and new are tried. */
static const struct bit_rule core_rules[] = {
	{ "present",	 _PAGE_PRESENT,	    NONE,    STRICT },
	{ "R/W",	 _PAGE_RW,	    RELAXED, STRICT },
	{ "NX",		 _PAGE_NX,	    STRICT,  RELAXED },
	{ "dirty",	 _PAGE_DIRTY,	    NONE,    STRICT },
	{ "saved dirty", _PAGE_SAVED_DIRTY, NONE,    NONE },
	{ "user",	 _PAGE_USER,	    STRICT,  STRICT },
};

static const struct bit_rule other_rules[] = {
	{ "PWT",	_PAGE_PWT,	 STRICT, STRICT },
	{ "PCD",	_PAGE_PCD,	 STRICT, STRICT },
	{ "PSE or PAT",	_PAGE_PSE,	 STRICT, STRICT },
	{ "global",	_PAGE_GLOBAL,	 STRICT, STRICT },
	{ "pkey 0",	_PAGE_PKEY_BIT0, STRICT, STRICT },
	{ "pkey 1",	_PAGE_PKEY_BIT1, STRICT, STRICT },
	{ "pkey 2",	_PAGE_PKEY_BIT2, STRICT, STRICT },
	{ "pkey 3",	_PAGE_PKEY_BIT3, STRICT, STRICT },
	{ "software 1",	_PAGE_SOFTW1,	 NONE,	 NONE },
	{ "software 2",	_PAGE_SOFTW2,	 NONE,	 NONE },
	{ "software 3",	_PAGE_SOFTW3,	 NONE,	 NONE },
	{ "software 4",	_PAGE_SOFTW4,	 NONE,	 NONE },
	{ "page frame",	FRAME,		 STRICT, STRICT },
};

/* An accessed bit that is cleared is not flushed, but nothing is added to it, either. */
static const struct bit_rule accessed_of_pte = { "accessed", _PAGE_ACCESSED, NONE, NONE };
static const struct bit_rule accessed_of_pmd = { "accessed", _PAGE_ACCESSED, NONE, STRICT };

static bool is_shadow_stack(u64 val)
{
	return !(val & _PAGE_RW) && (val & _PAGE_DIRTY);
}

static bool never_relaxed(u64 old, u64 new)
{
	return is_shadow_stack(old) || is_shadow_stack(new) ||
	       (old & ~new & _PAGE_ACCESSED);
}
#endif /* CONFIG_X86_64 */

#ifdef CONFIG_ARM64
#define VALID	PTE_VALID
#define FRAME	BIT_ULL(21)

static const struct bit_rule core_rules[] = {
	{ "valid",	PTE_VALID,  NONE,    STRICT },
	{ "read-only",	PTE_RDONLY, STRICT,  RELAXED },
	{ "DBM",	PTE_WRITE,  RELAXED, STRICT },
	{ "UXN",	PTE_UXN,    STRICT,  RELAXED },
	{ "PXN",	PTE_PXN,    STRICT,  STRICT },
	{ "user",	PTE_USER,   STRICT,  STRICT },
};

static const struct bit_rule other_rules[] = {
	{ "dirty",	PTE_DIRTY,	 NONE,	 NONE },
	{ "special",	PTE_SPECIAL,	 NONE,	 NONE },
	{ "bit 57",	BIT_ULL(57),	 NONE,	 NONE },
	{ "bit 58",	BIT_ULL(58),	 NONE,	 NONE },
	{ "bit 63",	BIT_ULL(63),	 NONE,	 NONE },
	{ "contiguous",	PTE_CONT,	 STRICT, STRICT },
	{ "nG",		PTE_NG,		 STRICT, STRICT },
	{ "attributes",	PTE_ATTRINDX(1), STRICT, STRICT },
	{ "shared",	PTE_SHARED,	 STRICT, STRICT },
	{ "overlay 0",	PTE_PO_IDX_0,	 STRICT, STRICT },
	{ "overlay 1",	PTE_PO_IDX_1,	 STRICT, STRICT },
	{ "overlay 2",	PTE_PO_IDX_2,	 STRICT, STRICT },
	{ "page frame",	FRAME,		 STRICT, STRICT },
};

/* That was never in a TLB: flushed for no good reason, but nobody is interrupted. */
static const struct bit_rule accessed_of_pte = { "accessed", PTE_AF, RELAXED, STRICT };
static const struct bit_rule accessed_of_pmd = { "accessed", PTE_AF, RELAXED, STRICT };

static bool never_relaxed(u64 old, u64 new)
{
	return ~(old & new) & (PTE_USER | PTE_PXN);
}
#endif /* CONFIG_ARM64 */

static enum tlb_flush_kind demand(const struct bit_rule *rule, u64 old, u64 new)
{
	if (!((old ^ new) & rule->bit))
		return NONE;

	return new & rule->bit ? rule->set : rule->clear;
}

static enum tlb_flush_kind expected(u64 old, u64 new, const struct bit_rule *other)
{
	enum tlb_flush_kind kind = demand(other, old, new);
	int i;

	if (!(old & VALID))
		return NONE;

	for (i = 0; i < ARRAY_SIZE(core_rules); i++)
		kind = max(kind, demand(&core_rules[i], old, new));
	if (kind == RELAXED && never_relaxed(old, new))
		return STRICT;

	return kind;
}

/* The bits of core_rules that the binary digits of n stand for. */
static u64 core_bits(unsigned int n)
{
	u64 val = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(core_rules); i++) {
		if (n & BIT(i))
			val |= core_rules[i].bit;
	}
	return val;
}

static void explain(struct kunit *test, u64 old, u64 new,
		    enum tlb_flush_kind kind, enum tlb_flush_kind want)
{
	static const char * const names[] = { "none", "relaxed", "strict" };
	const struct bit_rule *rule;

	KUNIT_FAIL(test, "%#llx -> %#llx: %s, expected %s", old, new,
		   names[kind], names[want]);
	for (rule = core_rules; rule < core_rules + ARRAY_SIZE(core_rules); rule++)
		kunit_info(test, "%s: %d -> %d", rule->name, !!(old & rule->bit),
			   !!(new & rule->bit));
}

static enum tlb_flush_kind kind_of_pte(u64 old, u64 new)
{
	return pte_flush_kind(__pte(old), __pte(new));
}

static enum tlb_flush_kind kind_of_hugetlb(u64 old, u64 new)
{
	return huge_pte_flush_kind(__pte(old), __pte(new));
}

static enum tlb_flush_kind kind_of_pmd(u64 old, u64 new)
{
	return pmd_flush_kind(__pmd(old), __pmd(new));
}

/* All pairs of entries that differ in core bits, with one other bit in all states. */
static void check_with(struct kunit *test, const struct bit_rule *other,
		       enum tlb_flush_kind (*kind_of)(u64 old, u64 new))
{
	const unsigned int end = BIT(ARRAY_SIZE(core_rules));
	unsigned int old, new, state;
	enum tlb_flush_kind kind, want;
	u64 oldval, newval;

	for (state = 0; state < 4; state++) {
		for (old = 0; old < end; old++) {
			oldval = core_bits(old) | (state & 1 ? other->bit : 0);
			for (new = 0; new < end; new++) {
				newval = core_bits(new) | (state & 2 ? other->bit : 0);
				kind = kind_of(oldval, newval);
				want = expected(oldval, newval, other);
				if (kind == want)
					continue;

				explain(test, oldval, newval, kind, want);
				kunit_info(test, "%s: %d -> %d", other->name,
					   state & 1, state >> 1);
				return;
			}
		}
		cond_resched();
	}
}

static void check_all(struct kunit *test, const struct bit_rule *accessed,
		      enum tlb_flush_kind (*kind_of)(u64 old, u64 new))
{
	int i;

	check_with(test, accessed, kind_of);
	for (i = 0; i < ARRAY_SIZE(other_rules); i++)
		check_with(test, &other_rules[i], kind_of);
}

static void truth_table_of_ptes(struct kunit *test)
{
	check_all(test, &accessed_of_pte, kind_of_pte);
}

static void truth_table_of_hugetlb(struct kunit *test)
{
	check_all(test, &accessed_of_pte, kind_of_hugetlb);
}

static void truth_table_of_pmds(struct kunit *test)
{
	check_all(test, &accessed_of_pmd, kind_of_pmd);
}

/* A gather is relaxed as long as all that it was told of is, and not longer. */
static void gather(struct kunit *test)
{
	struct mmu_gather tlb = { };

	__tlb_reset_range(&tlb);
	tlb_change_pte_range(&tlb, 0, PAGE_SIZE, NONE);
	KUNIT_EXPECT_FALSE(test, tlb.cleared_ptes);

	tlb_change_pte_range(&tlb, 0, PAGE_SIZE, RELAXED);
	tlb_change_pmd_range(&tlb, 0, PMD_SIZE, RELAXED);
	KUNIT_EXPECT_TRUE(test, tlb.cleared_ptes);
	KUNIT_EXPECT_TRUE(test, tlb.cleared_pmds);
	KUNIT_EXPECT_TRUE(test, tlb_may_flush_relaxed(&tlb));

	tlb_change_pte_range(&tlb, 0, PAGE_SIZE, STRICT);
	KUNIT_EXPECT_FALSE(test, tlb_may_flush_relaxed(&tlb));
	tlb_change_pte_range(&tlb, 0, PAGE_SIZE, RELAXED);
	KUNIT_EXPECT_FALSE(test, tlb_may_flush_relaxed(&tlb));

	__tlb_reset_range(&tlb);
	tlb_change_pmd_range(&tlb, 0, PMD_SIZE, RELAXED);
	tlb_flush_pte_range(&tlb, 0, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, tlb_may_flush_relaxed(&tlb));

	__tlb_reset_range(&tlb);
	tlb_change_pte_range(&tlb, 0, PAGE_SIZE, RELAXED);
	tlb.freed_tables = 1;
	KUNIT_EXPECT_FALSE(test, tlb_may_flush_relaxed(&tlb));
	tlb.freed_tables = 0;
	tlb.unshared_tables = 1;
	KUNIT_EXPECT_FALSE(test, tlb_may_flush_relaxed(&tlb));
	tlb.unshared_tables = 0;
	tlb.fullmm = 1;
	KUNIT_EXPECT_FALSE(test, tlb_may_flush_relaxed(&tlb));
}

static struct kunit_case tlb_flush_kind_test_cases[] = {
	KUNIT_CASE(truth_table_of_ptes),
	KUNIT_CASE(truth_table_of_hugetlb),
	KUNIT_CASE(truth_table_of_pmds),
	KUNIT_CASE(gather),
	{}
};

static struct kunit_suite tlb_flush_kind_test_suite = {
	.name = "tlb_flush_kind",
	.test_cases = tlb_flush_kind_test_cases,
};

kunit_test_suite(tlb_flush_kind_test_suite);

MODULE_DESCRIPTION("Tests of the kinds of TLB flushes");
MODULE_LICENSE("GPL");
