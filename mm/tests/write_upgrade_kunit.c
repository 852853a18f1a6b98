// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what the write-upgrade decision and a change of protection work out
 * without a page table that is in use: verdicts by bits, lengths of sub-batches,
 * and that a change gives for each page frame what it was worked out from one of
 * them.
 */
#include <kunit/test.h>

#include "../write_upgrade.h"

#define NR	8

/* A page array of an anonymous folio that was never allocated. */
struct made_up {
	struct page pages[NR];
};

static struct folio *make_folio(struct kunit *test, const char *exclusive)
{
	struct made_up *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct folio *folio;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	folio = (struct folio *)m->pages;
	folio->mapping = (void *)FOLIO_MAPPING_ANON;
	for (i = 0; i < NR; i++) {
		if (exclusive[i] == 'y')
			__set_bit(PG_anon_exclusive, &m->pages[i].flags.f);
	}

	return folio;
}

/* Sub-batches from page "from" on, as "length and verdict" each. */
static void expect_sub_batches(struct kunit *test, struct folio *folio,
			       unsigned int from, unsigned int nr,
			       const char *expected)
{
	struct page *page = &((struct made_up *)folio)->pages[from];
	char got[4 * NR] = "";
	unsigned int len;
	bool upgrade;

	while (nr) {
		len = write_upgrade_batch(WRITE_UPGRADE_ASK_PAGE, folio, page, nr,
					  &upgrade);
		KUNIT_ASSERT_GE(test, len, 1);
		KUNIT_ASSERT_LE(test, len, nr);
		sprintf(got + strlen(got), "%u%c ", len, upgrade ? 'y' : 'n');
		page += len;
		nr -= len;
	}
	KUNIT_EXPECT_STREQ(test, got, expected);
}

static void sub_batches(struct kunit *test)
{
	expect_sub_batches(test, make_folio(test, "yyyyyyyy"), 0, NR, "8y ");
	expect_sub_batches(test, make_folio(test, "nnnnnnnn"), 0, NR, "8n ");
	expect_sub_batches(test, make_folio(test, "yyynnyyy"), 0, NR, "3y 2n 3y ");
	expect_sub_batches(test, make_folio(test, "ynynynyn"), 0, NR,
			   "1y 1n 1y 1n 1y 1n 1y 1n ");
	/* Not the first page decides, and nothing behind the end. */
	expect_sub_batches(test, make_folio(test, "ynnnyyyy"), 1, 4, "3n 1y ");
	expect_sub_batches(test, make_folio(test, "nnnnyyyn"), 4, 3, "3y ");
	expect_sub_batches(test, make_folio(test, "nnnnyyyn"), 7, 1, "1n ");
}

/* Only exclusive pages of an anonymous folio, whatever their bits. */
static void not_anonymous(struct kunit *test)
{
	struct folio *folio = make_folio(test, "yyyyyyyy");

	folio->mapping = NULL;
	expect_sub_batches(test, folio, 0, NR, "8n ");
}

static enum write_upgrade by_bits(vm_flags_t flags, unsigned int bits)
{
	struct vm_area_struct vma = { .vm_page_prot = vm_get_page_prot(VM_READ) };
	bool wanted;

	vm_flags_init(&vma, flags);
	wanted = !(bits & 16) && vma_wants_manual_pte_write_upgrade(&vma);

	return write_upgrade_by_bits(&vma, wanted, bits & 1, bits & 2, bits & 4, bits & 8);
}

/* All combinations of what the bits of an entry may say. */
static void verdicts(struct kunit *test)
{
	unsigned int bits;

	for (bits = 0; bits < 32; bits++) {
		bool trapped = bits & (7 | 16), dirty = bits & 8;

		KUNIT_EXPECT_EQ(test, by_bits(VM_WRITE, bits),
				trapped ? WRITE_UPGRADE_NO : WRITE_UPGRADE_ASK_PAGE);
		KUNIT_EXPECT_EQ(test, by_bits(VM_READ, bits), WRITE_UPGRADE_NO);
		KUNIT_EXPECT_EQ(test, by_bits(VM_SHARED, bits), WRITE_UPGRADE_NO);
		/* Soft-dirty tracking makes the mapping want its write faults. */
		KUNIT_EXPECT_EQ(test, by_bits(VM_WRITE | VM_SHARED | VM_UFFD_WP |
					      VM_SOFTDIRTY, bits),
				!IS_ENABLED(CONFIG_USERFAULTFD) ? WRITE_UPGRADE_NO :
				!trapped && dirty ? WRITE_UPGRADE_YES : WRITE_UPGRADE_NO);
		/* Nobody wants to know. */
		KUNIT_EXPECT_EQ(test, by_bits(VM_WRITE | VM_SHARED | VM_SOFTDIRTY, bits),
				WRITE_UPGRADE_NO);
	}
}

static bool still(vm_flags_t flags, bool writable, struct folio *folio, unsigned int page)
{
	struct vm_area_struct vma = {};

	vm_flags_init(&vma, flags);

	return write_upgrade_still(&vma, writable, folio, &((struct made_up *)folio)->pages[page]);
}

/* After the page table lock was dropped a page may be shared, or another kind of page. */
static void decided_before(struct kunit *test)
{
	struct folio *folio = make_folio(test, "ynyyyyyy");

	KUNIT_EXPECT_TRUE(test, still(VM_WRITE, true, folio, 0));
	KUNIT_EXPECT_FALSE(test, still(VM_WRITE, true, folio, 1));
	/* Not to be writable is always right, and shared mappings do not ask the page. */
	KUNIT_EXPECT_TRUE(test, still(VM_WRITE, false, folio, 1));
	KUNIT_EXPECT_TRUE(test, still(VM_WRITE | VM_SHARED, true, folio, 1));
	folio->mapping = NULL;
	KUNIT_EXPECT_FALSE(test, still(VM_WRITE, true, folio, 0));
	KUNIT_EXPECT_TRUE(test, still(VM_WRITE | VM_SHARED, true, folio, 0));
}

/* Bits that are not those of a protection. */
static pte_t mkspecial_softdirty_uffd(pte_t pte, unsigned int bits)
{
	if (bits & 1)
		pte = pte_mkdirty(pte);
	if (bits & 2)
		pte = pte_mkspecial(pte);
	pte = bits & 4 ? pte_mksoft_dirty(pte) : pte_clear_soft_dirty(pte);
	if (bits & 8)
		pte = pte_mkuffd(pte);

	return pte;
}

static pte_t make_pte(unsigned long pfn, pgprot_t prot, unsigned int bits)
{
	return mkspecial_softdirty_uffd(pte_mkyoung(pfn_pte(pfn, prot)), bits);
}

/* Entries that differ only in what does not count are alike, and no others. */
static void expect_alike(struct kunit *test, pte_t a, pgprot_t prot, unsigned int bits,
			 unsigned long pfn)
{
	unsigned int others;
	pte_t b;

	KUNIT_EXPECT_FALSE(test, pte_alike(__pte(0), a));
	KUNIT_EXPECT_FALSE(test, pte_alike(a, __pte(0)));
	for (others = 0; others < 16; others++) {
		b = make_pte(pfn, prot, others);
		/* An architecture may lack a bit, so that others mean the same. */
		KUNIT_EXPECT_EQ(test, pte_alike(a, b),
				pte_same(make_pte(pfn, prot, bits), b));
		/* If the accessed bit does not matter for one it does for none. */
		KUNIT_EXPECT_EQ(test, pte_alike(pte_mkold(a), b),
				pte_alike(a, b) && pte_alike(pte_mkold(a), a));
	}
}

/* A change from one protection to another, applied to other page frames. */
static void expect_change(struct kunit *test, pgprot_t from, pgprot_t to,
			  unsigned int bits)
{
	static const unsigned long pfns[] = { 1, 2, 0x80, 0x12345, 0xfffff };
	pte_t first = make_pte(0x4321, from, bits), old, new;
	int i;

	for (i = 0; i < ARRAY_SIZE(pfns); i++) {
		expect_alike(test, first, from, bits, pfns[i]);
		old = make_pte(pfns[i], from, bits);
		new = pte_replaced(old, first, pte_modify(first, to));
		KUNIT_EXPECT_TRUE(test, pte_same(new, pte_modify(old, to)));
		KUNIT_EXPECT_EQ(test, pte_pfn(new), pfns[i]);
		/* Where the accessed bit does not matter, it is kept. */
		old = pte_mkold(old);
		if (!pte_alike(first, old))
			continue;
		new = pte_replaced(old, first, pte_modify(first, to));
		KUNIT_EXPECT_TRUE(test, pte_same(new, pte_modify(old, to)));
	}
}

static void changes(struct kunit *test)
{
	/* Not PAGE_*: architectures adjust to the CPU what they hand out here. */
	const pgprot_t prots[] = {
		vm_get_page_prot(VM_READ),
		vm_get_page_prot(VM_READ | VM_EXEC),
		vm_get_page_prot(VM_READ | VM_WRITE | VM_SHARED),
		/* Without PROT_NONE entries that are known as such, none is present. */
		vm_get_page_prot(IS_ENABLED(CONFIG_ARCH_HAS_PTE_PROTNONE) ? VM_NONE :
									    VM_READ),
	};
	unsigned int from, to, bits;

	for (from = 0; from < ARRAY_SIZE(prots); from++) {
		for (to = 0; to < ARRAY_SIZE(prots); to++) {
			for (bits = 0; bits < 16; bits++)
				expect_change(test, prots[from], prots[to], bits);
		}
	}
}

static struct kunit_case write_upgrade_cases[] = {
	KUNIT_CASE(sub_batches),
	KUNIT_CASE(not_anonymous),
	KUNIT_CASE(verdicts),
	KUNIT_CASE(decided_before),
	KUNIT_CASE(changes),
	{}
};

static struct kunit_suite write_upgrade_suite = {
	.name = "write_upgrade",
	.test_cases = write_upgrade_cases,
};

kunit_test_suite(write_upgrade_suite);

MODULE_DESCRIPTION("Tests of the write-upgrade decision");
MODULE_LICENSE("GPL");
