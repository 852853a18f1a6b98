// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what the write-upgrade decision and a change of protection work out
 * without a page table that is in use: verdicts by bits, lengths of sub-batches
 * and runs, and that a change gives for each page frame what it was worked out
 * from one of them.
 */
#include <kunit/test.h>

#include "../pte_change.h"
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
	struct vm_area_struct vma = {};

	vm_flags_init(&vma, flags);

	return write_upgrade_by_bits(&vma, bits & 1, bits & 2, bits & 4, bits & 8);
}

/* All combinations of what the bits of an entry may say. */
static void verdicts(struct kunit *test)
{
	unsigned int bits;

	for (bits = 0; bits < 16; bits++) {
		bool trapped = bits & 7, dirty = bits & 8;

		KUNIT_EXPECT_EQ(test, by_bits(VM_WRITE, bits),
				trapped ? WRITE_UPGRADE_NO : WRITE_UPGRADE_ASK_PAGE);
		KUNIT_EXPECT_EQ(test, by_bits(VM_WRITE | VM_SHARED, bits),
				!trapped && dirty ? WRITE_UPGRADE_YES : WRITE_UPGRADE_NO);
	}
}

static void runs(struct kunit *test)
{
	pte_t ptes[NR];
	int i;

	for (i = 0; i < NR; i++)
		ptes[i] = pte_mkyoung(pfn_pte(100 + i, vm_get_page_prot(VM_READ)));
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes, ptes[0], NR), NR);
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes, ptes[0], 3), 3);
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes + 5, ptes[5], 1), 1);

	/* Any bit ends it, the accessed and the dirty bit too. */
	ptes[6] = pte_mkold(ptes[6]);
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes, ptes[0], NR), 6);
	ptes[4] = pte_mkdirty(ptes[4]);
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes, ptes[0], NR), 4);
	/* And so does a page frame that does not follow, or no entry. */
	ptes[2] = ptes[1];
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes, ptes[0], NR), 2);
	ptes[1] = __pte(0);
	KUNIT_EXPECT_EQ(test, pte_run_length(ptes, ptes[0], NR), 1);
}

static void blocks(struct kunit *test)
{
	pte_t ptes[PTE_BLOCK], got[PTE_BLOCK], first, pte;
	int i;

	for (i = 0; i < PTE_BLOCK; i++)
		ptes[i] = pte_mkyoung(pfn_pte(100 + i, vm_get_page_prot(VM_READ)));
	first = ptes[0];
	KUNIT_EXPECT_TRUE(test, pte_run_block(ptes, first, pte_step(first)));

	/* Each entry counts: one of other bits, then one of another page. */
	for (i = 0; i < PTE_BLOCK; i++) {
		KUNIT_EXPECT_TRUE(test, pte_same_bits_block(ptes, first, got));
		KUNIT_EXPECT_MEMEQ(test, got, ptes, sizeof(ptes));
		pte = ptes[i];
		ptes[i] = pte_mkdirty(pte);
		KUNIT_EXPECT_FALSE(test, pte_same_bits_block(ptes, first, got));
		KUNIT_EXPECT_FALSE(test, pte_run_block(ptes, first, pte_step(first)));
		ptes[i] = pte_advance_pfn(pte, 7);
		KUNIT_EXPECT_FALSE(test, pte_run_block(ptes, first, pte_step(first)));
		ptes[i] = pte;
	}
}

/* A change from one protection to another, applied to other page frames. */
static void expect_change(struct kunit *test, pgprot_t from, pgprot_t to)
{
	static const unsigned long pfns[] = { 1, 2, 0x80, 0x12345, 0xfffff };
	struct pte_change change = {};
	pte_t old, new;
	int i;

	old = pte_mkyoung(pfn_pte(0x4321, from));
	KUNIT_EXPECT_FALSE(test, pte_change_covers(&change, old));
	change.old = old;
	change.new[0] = pte_modify(old, to);

	for (i = 0; i < ARRAY_SIZE(pfns); i++) {
		old = pte_mkyoung(pfn_pte(pfns[i], from));
		new = pte_change_apply(old, change.old, change.new[false]);
		KUNIT_EXPECT_TRUE(test, pte_change_covers(&change, old));
		KUNIT_EXPECT_TRUE(test, pte_same(new, pte_modify(old, to)));
		KUNIT_EXPECT_EQ(test, pte_pfn(new), pfns[i]);
		/* An entry with other bits is not covered. */
		KUNIT_EXPECT_FALSE(test, pte_change_covers(&change, pte_mkold(old)));
		KUNIT_EXPECT_FALSE(test, pte_change_covers(&change, pte_mkdirty(old)));
	}
}

static void changes(struct kunit *test)
{
	/* Not PAGE_*: architectures adjust to the CPU what they hand out here. */
	const pgprot_t prots[] = {
		vm_get_page_prot(VM_NONE),
		vm_get_page_prot(VM_READ),
		vm_get_page_prot(VM_READ | VM_WRITE | VM_SHARED),
	};
	int from, to;

	if (!IS_ENABLED(CONFIG_ARCH_HAS_PTE_PROTNONE))
		kunit_skip(test, "no PROT_NONE entries that are known as such");
	for (from = 0; from < ARRAY_SIZE(prots); from++) {
		for (to = 0; to < ARRAY_SIZE(prots); to++)
			expect_change(test, prots[from], prots[to]);
	}
}

static struct kunit_case write_upgrade_cases[] = {
	KUNIT_CASE(sub_batches),
	KUNIT_CASE(not_anonymous),
	KUNIT_CASE(verdicts),
	KUNIT_CASE(runs),
	KUNIT_CASE(blocks),
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
