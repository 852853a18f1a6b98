// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what the page table entries of a large folio are after each operation that
 * changes permissions, or that maps its pages anew: which are writable, and, on arm64,
 * which have the contiguous bit.  They read the page table itself, so they see what a
 * process cannot: whether a write would take a fault, and whether a block is folded.
 *
 * The folio has two blocks that may be folded.  A pattern tells what its entries are, a
 * character for each eighth: 'w' writable, 'r' read-only, 'u' the same and watched by
 * userfaultfd, 'n' PROT_NONE, '.' none, 's' not present, '?' not all alike.  Capital
 * letters have the contiguous bit, where there is one.
 */
#include <kunit/test.h>
#include <linux/ctype.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/mman.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/sysctl.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>
#include <asm/tlb.h>

#include "../internal.h"

#define NR		max(2 * MODIFY_PROT_FOLDS, 32)
#define EIGHTHS		8
#define EIGHTH		(NR / EIGHTHS)

static struct mm_struct *mm;
static unsigned long at;		/* where the folio is mapped */
static struct folio *folio;
static struct vm_area_struct child;	/* maps what a child of fork() would */

static struct vm_area_struct *vma_of(unsigned long addr)
{
	return vma_lookup(mm, addr);
}

/* ---- What the entries are ---- */

static pte_t entry(unsigned int i)
{
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep, pte = __pte(0);

	mmap_read_lock(mm);
	ptep = get_locked_pte(mm, at + i * PAGE_SIZE, &ptl);
	if (ptep) {
		pte = ptep_get(ptep);
		pte_unmap_unlock(ptep, ptl);
	}
	mmap_read_unlock(mm);

	return pte;
}

static char letter(pte_t pte)
{
	char c;

	if (pte_none(pte))
		return '.';
	if (!pte_present(pte))
		return 's';
	if (pte_protnone(pte))
		c = 'n';
	else if (pte_write(pte))
		c = 'w';
	else
		c = pte_uffd(pte) ? 'u' : 'r';

	return modify_prot_is_folded(pte) ? toupper(c) : c;
}

/* Not every architecture has contiguous bits, or knows PROT_NONE from what is read-only. */
static char expected_letter(char c)
{
	if (c == 'n' && !IS_ENABLED(CONFIG_ARCH_HAS_PTE_PROTNONE))
		c = 'r';

	return MODIFY_PROT_FOLDS > 1 ? c : tolower(c);
}

static void expect_entries(struct kunit *test, const char *after, const char *pattern)
{
	char got[EIGHTHS + 1] = "", expected[EIGHTHS + 1] = "";
	unsigned int i;
	char c;

	for (i = 0; i < NR; i++) {
		c = letter(entry(i));
		if (i % EIGHTH == 0)
			got[i / EIGHTH] = c;
		else if (got[i / EIGHTH] != c)
			got[i / EIGHTH] = '?';
	}
	for (i = 0; i < EIGHTHS; i++)
		expected[i] = expected_letter(pattern[i]);
	KUNIT_EXPECT_STREQ_MSG(test, got, expected, "after: %s", after);
}

static unsigned int nr_of(char c)
{
	unsigned int i, nr = 0;

	for (i = 0; i < NR; i++)
		nr += tolower(letter(entry(i))) == c;

	return nr;
}

/* Whoever has a page for himself alone may write to it, and nobody else. */
static void expect_exclusive(struct kunit *test)
{
	unsigned int i;
	pte_t pte;

	for (i = 0; i < NR; i++) {
		pte = entry(i);
		if (pte_present(pte) && pte_write(pte))
			KUNIT_EXPECT_TRUE_MSG(test, PageAnonExclusive(pte_page(pte)),
					      "page %u is writable, and not exclusive", i);
	}
}

/* ---- Operations ---- */

static struct folio *map_folio(struct kunit *test, unsigned long addr)
{
	struct vm_area_struct *vma;
	struct folio *mapped;
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep;

	mmap_write_lock(mm);
	vma = vma_of(addr);
	vm_flags_set(vma, VM_NOHUGEPAGE);
	KUNIT_EXPECT_EQ(test, anon_vma_prepare(vma), 0);
	mapped = vma_alloc_folio(GFP_HIGHUSER_MOVABLE, ilog2(NR), vma, addr);
	if (mapped) {
		KUNIT_EXPECT_EQ(test, mem_cgroup_charge(mapped, mm, GFP_KERNEL), 0);
		folio_zero_user(mapped, addr);
		__folio_mark_uptodate(mapped);
		ptep = get_locked_pte(mm, addr, &ptl);
		if (ptep) {
			map_anon_folio_pte_nopf(mapped, ptep, vma, addr, false);
			add_mm_counter(mm, MM_ANONPAGES, NR);
			pte_unmap_unlock(ptep, ptl);
		}
	}
	mmap_write_unlock(mm);
	KUNIT_ASSERT_NOT_NULL(test, mapped);
	KUNIT_ASSERT_EQ(test, folio_mapcount(mapped), NR);

	return mapped;
}

static int folio_entries_init(struct kunit *test)
{
	const unsigned long len = 4 * PMD_SIZE;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0);
	if (!addr || IS_ERR_VALUE(addr))
		return -ENOMEM;
	mm = current->mm;
	at = ALIGN(addr, PMD_SIZE);
	folio = map_folio(test, at);
	expect_entries(test, "the folio was mapped", "WWWWWWWW");

	return 0;
}

/* mprotect(), of nr pages from the first on. */
static void protect(struct kunit *test, unsigned int first, unsigned int nr, vm_flags_t flags)
{
	const unsigned long start = at + first * PAGE_SIZE, end = start + nr * PAGE_SIZE;
	struct vm_area_struct *vma, *prev;
	unsigned long from = start;
	struct vma_iterator vmi;
	struct mmu_gather tlb;

	mmap_write_lock(mm);
	vma_iter_init(&vmi, mm, start);
	vma = vma_find(&vmi, end);
	prev = vma_prev(&vmi);
	if (start > vma->vm_start)
		prev = vma;
	tlb_gather_mmu(&tlb, mm);
	for_each_vma_range(vmi, vma, end) {
		const unsigned long to = min(vma->vm_end, end);

		KUNIT_EXPECT_EQ(test, 0,
				mprotect_fixup(&vmi, &tlb, vma, &prev, from, to,
					       (vma->vm_flags & ~VM_ACCESS_FLAGS) | flags));
		from = vma_iter_end(&vmi);
	}
	tlb_finish_mmu(&tlb);
	mmap_write_unlock(mm);
}

static void protect_all(struct kunit *test, vm_flags_t flags)
{
	protect(test, 0, NR, flags);
}

static void fault(struct kunit *test, unsigned int i, bool write)
{
	const unsigned long addr = at + i * PAGE_SIZE;
	vm_fault_t ret;

	mmap_read_lock(mm);
	ret = handle_mm_fault(vma_of(addr), addr,
			      FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0), NULL);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_FALSE(test, ret & (VM_FAULT_ERROR | VM_FAULT_RETRY));
}

/* Writes to nr pages in order. Returns how many faults that takes. */
static unsigned int write_pages(struct kunit *test, unsigned int first, unsigned int nr)
{
	unsigned int i, faults = 0;

	for (i = first; i < first + nr; i++) {
		if (pte_write(entry(i)))
			continue;
		fault(test, i, true);
		faults++;
	}
	KUNIT_EXPECT_TRUE(test, faults < nr || nr == 1);

	return faults;
}

/* What fork() does to this process, and to the folio. */
static void fork_child(struct kunit *test, unsigned int first, unsigned int nr)
{
	const unsigned long addr = at + first * PAGE_SIZE;
	struct vm_area_struct *vma;
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep;
	int ret;

	memset(&child, 0, sizeof(child));
	child.vm_mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, child.vm_mm);
	mmap_write_lock(mm);
	vma = vma_of(addr);
	ptep = get_locked_pte(mm, addr, &ptl);
	raw_write_seqcount_begin(&mm->write_protect_seq);
	folio_ref_add(folio, nr);
	ret = folio_try_dup_anon_rmap_ptes(folio, folio_page(folio, first), nr, &child, vma);
	wrprotect_ptes(mm, addr, ptep, nr);
	raw_write_seqcount_end(&mm->write_protect_seq);
	pte_unmap_unlock(ptep, ptl);
	flush_tlb_mm(mm);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_EQ(test, ret, 0);
}

static void end_child(unsigned int first, unsigned int nr)
{
	folio_remove_rmap_ptes(folio, folio_page(folio, first), nr, &child);
	folio_put_refs(folio, nr);
	mmput(child.vm_mm);
}

static void fork_and_exit(struct kunit *test)
{
	fork_child(test, 0, NR);
	end_child(0, NR);
}

/* ---- mprotect() ---- */

/* Changed as a whole, all blocks fold again, whatever they were. */
static void toggle_all(struct kunit *test)
{
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only, at once", "RRRRRRRR");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable, at once", "WWWWWWWW");
	expect_exclusive(test);
}

static void whole(struct kunit *test)
{
	toggle_all(test);
	protect_all(test, VM_NONE);
	expect_entries(test, "all PROT_NONE", "nnnnnnnn");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable again", "WWWWWWWW");
	expect_exclusive(test);
}

/* A part of a block unfolds that block, and no other. */
static void part(struct kunit *test)
{
	protect(test, EIGHTH, EIGHTH, VM_READ);
	expect_entries(test, "an eighth read-only", "wrwwWWWW");
	protect(test, EIGHTH, EIGHTH, VM_READ | VM_WRITE);
	expect_entries(test, "it is writable again", "wwwwWWWW");
	toggle_all(test);
}

/* One by one: the last of a block folds it, as set_ptes() does. */
static void single_pages(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		protect(test, i, 1, VM_READ);
	KUNIT_EXPECT_EQ(test, nr_of('r'), NR);
	expect_entries(test, "read-only page by page", "RRRRRRRR");
	for (i = 0; i < NR; i++)
		protect(test, i, 1, VM_READ | VM_WRITE);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR);
	expect_entries(test, "writable page by page", "WWWWWWWW");
	toggle_all(test);
}

/*
 * Blocks by blocks, and halves of blocks: of two VMAs, as long as these are halves.  Only
 * what is changed at once is folded.
 */
static void by_halves(struct kunit *test)
{
	protect(test, 0, NR / 2, VM_READ);
	expect_entries(test, "a block read-only", "RRRRWWWW");
	protect(test, NR / 4, NR / 2, VM_NONE);
	expect_entries(test, "halves of two blocks PROT_NONE", "rrnnnnww");
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "rrrrrrrr");
	protect(test, NR / 4, NR / 2, VM_READ | VM_WRITE);
	expect_entries(test, "halves of two blocks writable", "rrwwwwrr");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable", "wwwwwwww");
	toggle_all(test);
}

static unsigned int nr_dirty(unsigned int first)
{
	unsigned int i, nr = 0;

	for (i = first; i < NR; i++)
		nr += pte_dirty(entry(i));

	return nr;
}

/* These pages were not written to. */
static void make_clean(unsigned int first, unsigned int nr)
{
	unsigned int i;
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep, pte;

	mmap_write_lock(mm);
	ptep = get_locked_pte(mm, at, &ptl);
	for (i = first; i < first + nr; i++) {
		pte = ptep_get_and_clear(mm, at + i * PAGE_SIZE, ptep + i);
		set_pte_at(mm, at + i * PAGE_SIZE, ptep + i, pte_mkclean(pte));
	}
	pte_unmap_unlock(ptep, ptl);
	flush_tlb_mm(mm);
	mmap_write_unlock(mm);
}

/*
 * The first half of a block was not written to: it is folded all the same, as before, and
 * what was written to stays dirty.
 */
static void half_clean(struct kunit *test)
{
	protect(test, 0, NR / 4, VM_READ);
	make_clean(0, NR / 4);
	protect(test, 0, NR / 4, VM_READ | VM_WRITE);
	expect_entries(test, "half of a block is clean", "wwwwWWWW");
	toggle_all(test);
	KUNIT_EXPECT_EQ(test, nr_dirty(NR / 4), NR - NR / 4);
	KUNIT_EXPECT_EQ(test, nr_dirty(0), MODIFY_PROT_FOLDS > 1 ? NR : NR - NR / 4);
}

/*
 * The pages that are shared were written to, the others were not: a sub-batch of equal
 * exclusivity is changed by its own bits.
 */
static void shared_and_clean(struct kunit *test)
{
	protect_all(test, VM_READ);
	make_clean(NR / 2, NR / 2);
	fork_child(test, 0, NR / 2);
	protect_all(test, VM_READ | VM_WRITE);
	KUNIT_EXPECT_EQ(test, nr_of('r'), NR / 2);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR / 2);
	KUNIT_EXPECT_EQ(test, nr_dirty(NR / 2), 0);
	KUNIT_EXPECT_EQ(test, nr_dirty(0), NR / 2);
	expect_exclusive(test);
	end_child(0, NR / 2);
}

/* Entry i alone, as hardware sees and changes it, folded or not. */
static void set_raw(unsigned int i, bool young, bool dirty)
{
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep, pte;

	mmap_write_lock(mm);
	ptep = get_locked_pte(mm, at + i * PAGE_SIZE, &ptl);
	pte = *ptep;
	pte = young ? pte_mkyoung(pte) : pte_mkold(pte);
	*ptep = dirty ? pte_mkdirty(pte) : pte_mkclean(pte);
	pte_unmap_unlock(ptep, ptl);
	flush_tlb_mm(mm);
	mmap_write_unlock(mm);
}

static unsigned int nr_raw(bool (*is)(pte_t pte), unsigned int first, unsigned int nr)
{
	unsigned int i, count = 0;
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep;

	mmap_write_lock(mm);
	ptep = get_locked_pte(mm, at, &ptl);
	for (i = first; i < first + nr; i++)
		count += is(ptep[i]);
	pte_unmap_unlock(ptep, ptl);
	mmap_write_unlock(mm);

	return count;
}

static bool is_young(pte_t pte)
{
	return pte_young(pte);
}

static bool is_dirty(pte_t pte)
{
	return pte_dirty(pte);
}

/* So many entries of each half are young, and dirty; of a folded block all or none are. */
static void expect_used(struct kunit *test, unsigned int first, unsigned int second)
{
	const unsigned int each = MODIFY_PROT_FOLDS > 1 ? NR / 2 : 1;

	KUNIT_EXPECT_EQ(test, nr_raw(is_young, 0, NR / 2), first * each);
	KUNIT_EXPECT_EQ(test, nr_raw(is_dirty, 0, NR / 2), first * each);
	KUNIT_EXPECT_EQ(test, nr_raw(is_young, NR / 2, NR / 2), second * each);
	KUNIT_EXPECT_EQ(test, nr_raw(is_dirty, NR / 2, NR / 2), second * each);
}

/*
 * One page of a block was read, another was written to, and hardware has said so in their
 * entries alone; of the other block, no page was used.  The first stays accessed and dirty,
 * all of it, and the second stays what it is.
 */
static void used_in_part(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		set_raw(i, i == NR / 2 - 3, i == 3);
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "RRRRRRRR");
	expect_used(test, 1, 0);

	for (i = 0; i < NR; i++)
		set_raw(i, i == NR - 1, i == NR / 2);
	protect_all(test, VM_NONE);
	expect_used(test, 0, 1);
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only, once more", "RRRRRRRR");
	for (i = 0; i < NR; i++)
		set_raw(i, i == NR / 2 - 1, i == 0);
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable", "WWWWWWWW");
	expect_used(test, 1, 0);
	expect_exclusive(test);
}

/*
 * The same of PROT_NONE entries: they are folded where they are, and what they differ in is
 * gathered.
 */
static void used_in_part_protnone(struct kunit *test)
{
	const bool folds = MODIFY_PROT_FOLDS > 1;
	unsigned int i;

	protect_all(test, VM_NONE);
	for (i = 0; i < NR; i++)
		set_raw(i, i == 5, true);
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "RRRRRRRR");
	KUNIT_EXPECT_EQ(test, nr_raw(is_young, 0, NR), folds ? NR / 2 : 1);
	KUNIT_EXPECT_EQ(test, nr_raw(is_dirty, 0, NR), NR);

	protect_all(test, VM_NONE);
	for (i = 0; i < NR; i++)
		set_raw(i, true, i == 2 || i >= NR / 2);
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable", "WWWWWWWW");
	KUNIT_EXPECT_EQ(test, nr_raw(is_young, 0, NR), NR);
	KUNIT_EXPECT_EQ(test, nr_raw(is_dirty, 0, NR), folds ? NR : NR / 2 + 1);
	expect_exclusive(test);
}

/* A block and a part: the block stays folded, the part is of a block that does not. */
static void block_and_part(struct kunit *test)
{
	protect(test, 0, NR / 2 + EIGHTH, VM_READ);
	expect_entries(test, "a block and an eighth read-only", "RRRRrwww");
	protect(test, 0, NR / 2 + EIGHTH, VM_READ | VM_WRITE);
	expect_entries(test, "they are writable again", "WWWWwwww");
	toggle_all(test);
	protect(test, EIGHTH, NR - EIGHTH, VM_READ);
	expect_entries(test, "all but an eighth read-only", "wrrrRRRR");
	protect(test, EIGHTH, NR - EIGHTH, VM_READ | VM_WRITE);
	expect_entries(test, "all is writable again", "wwwwWWWW");
	toggle_all(test);
}

/* Folios side by side, and the second is shared: it begins where the first one ends. */
static void next_folio_is_shared(struct kunit *test)
{
	const unsigned long first_at = at, second_at = at + NR * PAGE_SIZE;
	struct folio *first = folio, *second = map_folio(test, second_at);

	at = second_at;
	folio = second;
	fork_child(test, 0, NR);
	at = first_at;
	protect(test, 0, 2 * NR, VM_READ);
	protect(test, 0, 2 * NR, VM_READ | VM_WRITE);
	expect_entries(test, "the first folio is exclusive", "WWWWWWWW");
	expect_exclusive(test);
	at = second_at;
	expect_entries(test, "the second one is not", "RRRRRRRR");
	end_child(0, NR);
	folio = first;
	at = first_at;
}

/* Nothing is exclusive: all stays read-only, and folded. */
static void shared(struct kunit *test)
{
	fork_child(test, 0, NR);
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "RRRRRRRR");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all would be writable", "RRRRRRRR");
	end_child(0, NR);
}

/* A folded block of which some pages are shared: these stay read-only, it is unfolded. */
static void shared_in_a_block(struct kunit *test)
{
	fork_child(test, EIGHTH, EIGHTH);
	protect_all(test, VM_NONE);
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "RRRRRRRR");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "an eighth is shared", "wrwwWWWW");
	expect_exclusive(test);
	end_child(EIGHTH, EIGHTH);
}

/* What the folio was never shared for is not what it is shared for. */
static void shared_in_part(struct kunit *test)
{
	fork_child(test, EIGHTH, NR / 2);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR / 2);
	protect_all(test, VM_READ);
	KUNIT_EXPECT_EQ(test, nr_of('r'), NR);
	protect_all(test, VM_READ | VM_WRITE);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR / 2);
	expect_exclusive(test);
	end_child(EIGHTH, NR / 2);
	write_pages(test, EIGHTH, NR / 2);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR);
	expect_exclusive(test);
}

/* ---- NUMA hints ---- */

static void hint_and_restore(struct kunit *test)
{
#ifdef CONFIG_NUMA_BALANCING
	const int mode = sysctl_numa_balancing_mode;

	/* Of a process with one thread, pages that are near get no hint. */
	mmget(mm);
	sysctl_numa_balancing_mode = NUMA_BALANCING_NORMAL;
	mmap_write_lock(mm);
	change_prot_numa(vma_of(at), at, at + NR * PAGE_SIZE);
	mmap_write_unlock(mm);
	expect_entries(test, "hints", "nnnnnnnn");
	fault(test, NR / 2 + 1, false);
	expect_entries(test, "a hint was taken", "WWWWWWWW");
	sysctl_numa_balancing_mode = mode;
	mmput(mm);
	expect_exclusive(test);
#else
	kunit_skip(test, "no NUMA balancing");
#endif
}

/* ---- fork() ---- */

static void child_is_gone(struct kunit *test)
{
	unsigned int faults;

	fork_and_exit(test);
	expect_entries(test, "the child is gone", "RRRRRRRR");
	fault(test, NR / 2 + 1, true);
	expect_entries(test, "a write", MODIFY_PROT_FOLDS > 1 ? "RRRRWWWW" : "rrrr?rrr");
	KUNIT_EXPECT_EQ(test, nr_of('w'), MODIFY_PROT_FOLDS > 1 ? NR / 2 : 1);
	faults = write_pages(test, 0, NR);
	/* For a page, for 4, for 16; of a block that was folded only one. */
	KUNIT_EXPECT_LE(test, faults, MODIFY_PROT_FOLDS > 1 ? 1 : 5);
	expect_entries(test, "all were written to", "WWWWWWWW");
	expect_exclusive(test);
}

/* The page is copied, and no other one becomes writable. */
static void child_lives(struct kunit *test)
{
	fork_child(test, 0, NR);
	fault(test, NR / 2 + 1, true);
	expect_entries(test, "a write", "RRRR?rrr");
	KUNIT_EXPECT_EQ(test, nr_of('w'), 1);
	KUNIT_EXPECT_PTR_NE(test, pte_page(entry(NR / 2 + 1)), folio_page(folio, NR / 2 + 1));
	expect_exclusive(test);
	end_child(0, NR);
}

/* Somebody else has a reference to the folio: it may be one to any of its pages. */
static void page_is_held(struct kunit *test)
{
	fork_and_exit(test);
	folio_get(folio);
	fault(test, 1, true);
	KUNIT_EXPECT_EQ(test, nr_of('w'), 1);
	KUNIT_EXPECT_PTR_NE(test, pte_page(entry(1)), folio_page(folio, 1));
	expect_exclusive(test);
	folio_put(folio);
	/* One page of it is not mapped any more, which is no matter for the others. */
	write_pages(test, 0, NR);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR);
	expect_exclusive(test);
}

static void read_only_neighbours(struct kunit *test)
{
	fork_and_exit(test);
	protect(test, NR / 4, NR / 2, VM_READ);
	write_pages(test, 0, NR / 4);
	write_pages(test, 3 * NR / 4, NR / 4);
	expect_entries(test, "what is not read-only was written to", "wwrrrrww");
	expect_exclusive(test);
	protect_all(test, VM_READ | VM_WRITE);
	/* Pages that no write has reached are not known to be exclusive. */
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR / 2);
	write_pages(test, NR / 4, NR / 2);
	expect_exclusive(test);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR);
}

/* A page is missing in the midst. */
static void hole(struct kunit *test)
{
	fork_and_exit(test);
	mmap_write_lock(mm);
	zap_vma_range(vma_of(at), at + NR / 4 * PAGE_SIZE, PAGE_SIZE);
	mmap_write_unlock(mm);
	write_pages(test, 0, NR / 4);
	write_pages(test, NR / 4 + 1, NR - NR / 4 - 1);
	KUNIT_EXPECT_EQ(test, letter(entry(NR / 4)), '.');
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR - 1);
	expect_exclusive(test);
}

/* ---- userfaultfd ---- */

static void watch(unsigned int first, unsigned int nr, bool on)
{
	mmap_write_lock(mm);
	uffd_wp_range(vma_of(at), at + first * PAGE_SIZE, nr * PAGE_SIZE, on);
	mmap_write_unlock(mm);
}

static void one_is_watched(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_USERFAULTFD) || !pgtable_supports_uffd())
		kunit_skip(test, "no write protection by userfaultfd");

	mmap_write_lock(mm);
	vm_flags_set(vma_of(at), VM_UFFD_WP);
	mmap_write_unlock(mm);
	watch(1, 1, true);
	expect_entries(test, "a page is watched", "?wwwWWWW");
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "?rrrRRRR");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable", "?wwwWWWW");
	KUNIT_EXPECT_EQ(test, nr_of('u'), 1);
	fork_and_exit(test);
	write_pages(test, 2, NR - 2);
	KUNIT_EXPECT_EQ(test, nr_of('u'), 1);
	watch(0, NR, false);
	write_pages(test, 0, NR);
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR);
	toggle_all(test);
	mmap_write_lock(mm);
	vm_flags_clear(vma_of(at), VM_UFFD_WP);
	mmap_write_unlock(mm);
}

/* ---- mremap() and migration ---- */

/* Moved by an odd number of pages, and into two page tables: nothing can be folded. */
static void moved(struct kunit *test)
{
	const unsigned long to = at + 2 * PMD_SIZE - (NR / 2 + 3) * PAGE_SIZE;
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	vma = vma_of(at);
	PAGETABLE_MOVE(pmc, vma, vma, at, to, NR * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, move_page_tables(&pmc), NR * PAGE_SIZE);
	mmap_write_unlock(mm);
	at = to;
	expect_entries(test, "moved", "wwwwwwww");
	protect_all(test, VM_READ);
	expect_entries(test, "all read-only", "rrrrrrrr");
	protect_all(test, VM_READ | VM_WRITE);
	expect_entries(test, "all writable", "wwwwwwww");
	expect_exclusive(test);
}

/* Pages that are read-only, and exclusive, come back writable. */
static void kept_by_migration(struct kunit *test)
{
#ifdef CONFIG_MIGRATION
	struct migration_target_control mtc = {
		.nid = folio_nid(folio),
		.gfp_mask = GFP_HIGHUSER_MOVABLE,
		.reason = MR_SYSCALL,
	};
	LIST_HEAD(folios);
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep;

	/* As after a read by GUP, which makes pages exclusive, and not their entries writable. */
	mmap_write_lock(mm);
	ptep = get_locked_pte(mm, at, &ptl);
	wrprotect_ptes(mm, at, ptep, NR);
	pte_unmap_unlock(ptep, ptl);
	flush_tlb_mm(mm);
	mmap_write_unlock(mm);
	expect_entries(test, "pages are exclusive, entries read-only", "RRRRRRRR");
	lru_add_drain_all();
	KUNIT_ASSERT_TRUE(test, folio_isolate_lru(folio));
	node_stat_mod_folio(folio, NR_ISOLATED_ANON, NR);
	list_add(&folio->lru, &folios);
	if (migrate_pages(&folios, alloc_migration_target, NULL, (unsigned long)&mtc,
			  MIGRATE_SYNC, MR_SYSCALL, NULL)) {
		putback_movable_pages(&folios);
		kunit_skip(test, "the folio could not be migrated");
	}
	folio = page_folio(pte_page(entry(0)));
	KUNIT_EXPECT_EQ(test, nr_of('w'), NR);
	expect_exclusive(test);
	toggle_all(test);
#else
	kunit_skip(test, "no migration");
#endif
}

static struct kunit_case folio_entries_cases[] = {
	KUNIT_CASE(whole),
	KUNIT_CASE(part),
	KUNIT_CASE(single_pages),
	KUNIT_CASE(by_halves),
	KUNIT_CASE(half_clean),
	KUNIT_CASE(shared_and_clean),
	KUNIT_CASE(used_in_part),
	KUNIT_CASE(used_in_part_protnone),
	KUNIT_CASE(block_and_part),
	KUNIT_CASE(next_folio_is_shared),
	KUNIT_CASE(shared),
	KUNIT_CASE(shared_in_a_block),
	KUNIT_CASE(shared_in_part),
	KUNIT_CASE(hint_and_restore),
	KUNIT_CASE(child_is_gone),
	KUNIT_CASE(child_lives),
	KUNIT_CASE(page_is_held),
	KUNIT_CASE(read_only_neighbours),
	KUNIT_CASE(hole),
	KUNIT_CASE(one_is_watched),
	KUNIT_CASE(moved),
	KUNIT_CASE(kept_by_migration),
	{}
};

static struct kunit_suite folio_entries_suite = {
	.name = "folio_entries",
	.init = folio_entries_init,
	.test_cases = folio_entries_cases,
};

kunit_test_suite(folio_entries_suite);

MODULE_DESCRIPTION("Tests of the page table entries of large folios");
MODULE_LICENSE("GPL");
