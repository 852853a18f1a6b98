// SPDX-License-Identifier: GPL-2.0
/*
 * Test hugetlb where a size does not fit in 32 bits: mappings, huge pages and page
 * tables of 4G and more.
 *
 * The invariants:
 *
 * (1) When a call that takes access away has returned, no access goes through the
 *     TLB entry that was there before. (Otherwise a process goes on writing to
 *     memory that is not its own any more.)
 *
 * (2) A mapping that is moved keeps its pages, all of them.
 *
 * (3) A hole is punched where it is asked for, and nowhere else.
 *
 * (4) What could not be copied is not taken for copied.
 *
 * Mappings of one file share a page table of PMDs. It covers 1G with pages of 4K and
 * 64G with pages of 16K, and a mapping that leaves it has all of that flushed; below
 * 4G these are ordinary tests of shared page tables. Huge pages of 16G are those of
 * arm64 with pages of 64K and of powerpc.
 *
 * (1) is tested for entries of this CPU only. They last from the call to the access
 * after it if nothing else comes in between: all is repeated, and at its best with
 * one CPU. Mappings have no reservation, so that two huge pages are enough.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hugepage_settings.h"
#include "vm_util.h"

#define ROUNDS		16
#define HUGE_PAGES	2
#define MAX_SIZES	10
#define GB		((size_t)1 << 30)
#define NARROW		"a size has 32 bits here"

HUGETLB_SETUP_DEFAULT_PAGES(HUGE_PAGES)

static char *align(char *addr, size_t size)
{
	return (char *)(((uintptr_t)addr + size - 1) & -size);
}

/* ---- Accesses that may be denied ---- */

static sigjmp_buf denied;

static void on_fault(int sig)
{
	siglongjmp(denied, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {
		.sa_handler = on_fault,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

static bool can_write(char *addr, char value)
{
	if (sigsetjmp(denied, 0))
		return false;
	*addr = value;
	asm volatile("" : : : "memory"); /* the store is made, and here */
	return true;
}

static bool can_read(char *addr)
{
	if (sigsetjmp(denied, 0))
		return false;
	FORCE_READ(*addr);
	return true;
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* ---- Changes that take access away ---- */

/* A part of the address space, and another one that may be mapped over. */
struct range {
	char *addr;
	size_t len;
	char *room;
};

static bool mprotect_read(const struct range *range)
{
	return !mprotect(range->addr, range->len, PROT_READ);
}

static bool mprotect_none(const struct range *range)
{
	return !mprotect(range->addr, range->len, PROT_NONE);
}

/* The VMA is split first, and its halves cannot share the page table. */
static bool mprotect_half(const struct range *range)
{
	return !mprotect(range->addr, range->len / 2, PROT_READ);
}

static bool munmap_all(const struct range *range)
{
	return !munmap(range->addr, range->len);
}

static bool munmap_half(const struct range *range)
{
	return !munmap(range->addr, range->len / 2);
}

static bool mremap_all(const struct range *range)
{
	return mremap(range->addr, range->len, range->len,
		      MREMAP_MAYMOVE | MREMAP_FIXED, range->room) == range->room;
}

/* What went through an old entry, in all rounds. */
struct stale {
	int writes, reads;
};

/*
 * Change what is mapped, then access it. No call but the change itself comes between
 * the store that fills the TLB and the one that must be denied.
 */
static bool change_and_access(const struct range *range,
			      bool (*change)(const struct range *), bool readable,
			      struct stale *stale)
{
	if (!can_write(range->addr, 1) || !change(range))
		return false;
	stale->writes += can_write(range->addr, 2);
	stale->reads += can_read(range->addr) && !readable;
	return true;
}

/* ---- Page tables that mappings share ---- */

/* A file that is mapped twice, and a place for a third mapping. */
struct tables {
	int fd;
	size_t huge, table;	/* bytes that an entry and a page table cover */
	char *reserved;
	char *kept, *taken, *room;
};

static bool map_file(const struct tables *t, char *addr)
{
	return mmap(addr, t->table, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, t->fd, 0) == addr;
}

/* As it was before a change; what else the change has left is unmapped. */
static bool map_taken(const struct tables *t)
{
	return mmap(t->taken, 2 * t->table, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE | MAP_FIXED, -1, 0) == t->taken &&
	       map_file(t, t->taken);
}

/* Does a page that was faulted in through one mapping take no fault in the other? */
static bool share_a_table(const struct tables *t)
{
	long before;

	*t->kept = 1;
	*t->taken = 1;
	t->kept[t->huge] = 1;
	before = faults();
	FORCE_READ(t->taken[t->huge]);
	return faults() == before;
}

/* Returns NULL, or the reason why not in one sentence. */
static const char *set_up_tables(struct tables *t)
{
	const size_t entries = psize() / sizeof(uint64_t);

	t->fd = -1;
	t->huge = entries * psize();
	t->table = entries * t->huge;
	t->reserved = MAP_FAILED;
	if (sizeof(size_t) < sizeof(uint64_t))
		return NARROW;
	if (default_huge_page_size() != t->huge)
		return "the default huge page is not that of a PMD";
	if (hugetlb_free_default_pages() < HUGE_PAGES)
		return "no two huge pages are free";
	t->fd = memfd_create("tables", MFD_HUGETLB);
	if (t->fd < 0 || ftruncate(t->fd, t->table))
		return "no hugetlb memfd of this size";
	t->reserved = mmap(NULL, 4 * t->table, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->reserved == MAP_FAILED)
		return "the address space is too small";
	t->kept = align(t->reserved, t->table);
	t->taken = t->kept + t->table;
	t->room = t->taken + t->table;
	if (!map_file(t, t->kept) || !map_taken(t))
		return "mappings of the size of a page table failed";
	if (!share_a_table(t))
		return "mappings do not share page tables here";
	stay_on_this_cpu();
	catch_faults();
	return NULL;
}

static void tear_down_tables(const struct tables *t)
{
	if (t->reserved != MAP_FAILED)
		munmap(t->reserved, 4 * t->table);
	if (t->fd >= 0)
		close(t->fd);
}

FIXTURE(shared_table)
{
	struct tables tables;
};

FIXTURE_VARIANT(shared_table)
{
	bool (*change)(const struct range *range);
	bool readable;		/* after the change */
};

FIXTURE_VARIANT_ADD(shared_table, mprotect_read)
{
	.change = mprotect_read,
	.readable = true,
};

FIXTURE_VARIANT_ADD(shared_table, mprotect_none)
{
	.change = mprotect_none,
};

FIXTURE_VARIANT_ADD(shared_table, mprotect_half)
{
	.change = mprotect_half,
	.readable = true,
};

FIXTURE_VARIANT_ADD(shared_table, munmap)
{
	.change = munmap_all,
};

FIXTURE_VARIANT_ADD(shared_table, munmap_half)
{
	.change = munmap_half,
};

FIXTURE_VARIANT_ADD(shared_table, mremap)
{
	.change = mremap_all,
};

FIXTURE_SETUP(shared_table)
{
	const char *skip = set_up_tables(&self->tables);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(shared_table)
{
	tear_down_tables(&self->tables);
}

/*
 * A mapping leaves the page table of another one. With a bug the store after the
 * call changes the page, which the other mapping shows, and after munmap() the load
 * is no SIGSEGV.
 */
TEST_F(shared_table, leave)
{
	const struct tables *t = &self->tables;
	const struct range range = { t->taken, t->table, t->room };
	struct stale stale = {};
	int i, changed = 0;

	for (i = 0; i < ROUNDS; i++) {
		*t->kept = 0;
		ASSERT_TRUE(map_taken(t));
		ASSERT_TRUE(change_and_access(&range, variant->change,
					      variant->readable, &stale));
		changed += *t->kept != 1;
	}
	EXPECT_EQ(0, stale.writes);
	EXPECT_EQ(0, stale.reads);
	EXPECT_EQ(0, changed);
}

#define NOT_SHARED	100

/* Leave the page table that is the parent's, too: how many accesses went through? */
static int leave_as_child(const struct tables *t,
			  bool (*change)(const struct range *), bool readable)
{
	const struct range range = { t->kept, t->table, t->room };
	struct stale stale = {};

	if (!share_a_table(t) || !change_and_access(&range, change, readable, &stale))
		return NOT_SHARED;
	return stale.writes + stale.reads;
}

/*
 * The same in a child that shares the page table with its parent. With a bug the
 * parent sees what the child wrote after it had been denied.
 */
TEST_F(shared_table, leave_in_child)
{
	const struct tables *t = &self->tables;
	int i, status, stale = 0, changed = 0;
	pid_t child;

	for (i = 0; i < ROUNDS; i++) {
		*t->kept = 0;
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			_exit(leave_as_child(t, variant->change, variant->readable));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		ASSERT_GT(NOT_SHARED, WEXITSTATUS(status));
		stale += WEXITSTATUS(status);
		changed += *t->kept != 1;
	}
	EXPECT_EQ(0, stale);
	EXPECT_EQ(0, changed);
}

/* ---- Pages that leave a file whose mappings share a page table ---- */

FIXTURE(shared_page)
{
	struct tables tables;
};

FIXTURE_SETUP(shared_page)
{
	const char *skip = set_up_tables(&self->tables);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(shared_page)
{
	tear_down_tables(&self->tables);
}

/*
 * A page leaves the file, all mappings but one leave the page table for it, and new
 * pages are zero. With a bug one of them shows the page that has been freed. Which
 * one is not known: either is the first to be read, in turn.
 */
TEST_F(shared_page, punched)
{
	const struct tables *t = &self->tables;
	int i, old = 0;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(can_write(t->kept, 1));
		ASSERT_TRUE(can_write(t->taken, 1));
		ASSERT_EQ(0, fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       0, t->huge));
		old += FORCE_READ(*(i & 1 ? t->taken : t->kept));
		old += FORCE_READ(*(i & 1 ? t->kept : t->taken));
	}
	EXPECT_EQ(0, old);
}

/* ---- Mappings of 4G and more ---- */

FIXTURE(wide_mapping)
{
	size_t huge;
	char *reserved, *from, *to;
};

FIXTURE_VARIANT(wide_mapping)
{
	size_t len;
};

FIXTURE_VARIANT_ADD(wide_mapping, 4G)
{
	.len = 4 * GB,
};

FIXTURE_VARIANT_ADD(wide_mapping, 5G)
{
	.len = 5 * GB,
};

FIXTURE_SETUP(wide_mapping)
{
	const int prot = PROT_READ | PROT_WRITE;
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	self->reserved = MAP_FAILED;
	self->huge = default_huge_page_size();
	if (sizeof(size_t) < sizeof(uint64_t))
		SKIP(return, NARROW);
	if (!self->huge || self->huge > GB)
		SKIP(return, "no huge pages of 1G or less by default");
	if (hugetlb_free_default_pages() < HUGE_PAGES)
		SKIP(return, "no two huge pages are free");
	self->reserved = mmap(NULL, 3 * variant->len, PROT_NONE, anon, -1, 0);
	ASSERT_NE(MAP_FAILED, self->reserved);
	self->from = align(self->reserved, self->huge);
	self->to = self->from + variant->len;
	ASSERT_EQ(self->from, mmap(self->from, variant->len, prot,
				   anon | MAP_HUGETLB | MAP_FIXED, -1, 0));
}

FIXTURE_TEARDOWN(wide_mapping)
{
	if (self->reserved != MAP_FAILED)
		munmap(self->reserved, 3 * variant->len);
}

/*
 * A mapping is moved. With a bug mremap() says that there is no memory, and what was
 * written is lost.
 */
TEST_F(wide_mapping, move)
{
	const size_t last = variant->len - self->huge;
	char *now;

	self->from[0] = 1;
	self->from[last] = 2;
	now = mremap(self->from, variant->len, variant->len,
		     MREMAP_MAYMOVE | MREMAP_FIXED, self->to);
	EXPECT_EQ(self->to, now);
	if (now != self->to)
		now = self->from;
	EXPECT_EQ(1, now[0]);
	EXPECT_EQ(2, now[last]);
}

/* ---- Huge pages of more than 4G ---- */

/* A file of one page, and a place for two mappings of it. */
struct wide_page {
	int fd;
	size_t huge;
	char *reserved;
	char *addr;
};

/* The size of a free huge page of more than 4G, or 0. */
static size_t free_wide_page(void)
{
	unsigned long sizes[MAX_SIZES];
	int i, nr = detect_hugetlb_page_sizes(sizes, MAX_SIZES);

	for (i = 0; i < nr; i++)
		if (sizes[i] > 4 * GB && hugetlb_free_pages(sizes[i]))
			return sizes[i];
	return 0;
}

/* Of this size, or 0: none is free. Returns NULL, or the reason why not in one sentence. */
static const char *set_up_page(struct wide_page *page, size_t huge, const char *none_free)
{
	page->fd = -1;
	page->reserved = MAP_FAILED;
	page->huge = huge;
	if (!huge)
		return none_free;
	page->fd = memfd_create("wide_page", MFD_HUGETLB |
				__builtin_ctzll(page->huge) << MFD_HUGE_SHIFT);
	if (page->fd < 0 || ftruncate(page->fd, page->huge))
		return "no hugetlb memfd of this size";
	page->reserved = mmap(NULL, 3 * page->huge, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (page->reserved == MAP_FAILED)
		return "the address space is too small";
	page->addr = align(page->reserved, page->huge);
	stay_on_this_cpu();
	catch_faults();
	return NULL;
}

static const char *set_up_wide_page(struct wide_page *page)
{
	if (sizeof(size_t) < sizeof(uint64_t))
		return set_up_page(page, 0, NARROW);
	return set_up_page(page, free_wide_page(), "no huge page of more than 4G is free");
}

static const char *set_up_any_page(struct wide_page *page)
{
	return set_up_page(page, hugetlb_free_default_pages() ? default_huge_page_size() : 0,
			   "no huge page is free");
}

static bool map_wide_page(const struct wide_page *page)
{
	return mmap(page->addr, page->huge, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, page->fd, 0) == page->addr;
}

static void tear_down_wide_page(const struct wide_page *page)
{
	if (page->reserved != MAP_FAILED)
		munmap(page->reserved, 3 * page->huge);
	if (page->fd >= 0)
		close(page->fd);
}

FIXTURE(wide_page)
{
	struct wide_page page;
};

FIXTURE_VARIANT(wide_page)
{
	bool (*change)(const struct range *range);
	bool readable;		/* after the change */
};

FIXTURE_VARIANT_ADD(wide_page, mprotect_read)
{
	.change = mprotect_read,
	.readable = true,
};

FIXTURE_VARIANT_ADD(wide_page, mprotect_none)
{
	.change = mprotect_none,
};

FIXTURE_VARIANT_ADD(wide_page, munmap)
{
	.change = munmap_all,
};

FIXTURE_VARIANT_ADD(wide_page, mremap)
{
	.change = mremap_all,
};

FIXTURE_SETUP(wide_page)
{
	const char *skip = set_up_wide_page(&self->page);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(wide_page)
{
	tear_down_wide_page(&self->page);
}

/*
 * The only mapping of a page loses its permission or is gone. With a bug the page
 * can still be written.
 */
TEST_F(wide_page, leave)
{
	const struct wide_page *page = &self->page;
	const struct range range = { page->addr, page->huge, page->addr + page->huge };
	struct stale stale = {};
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(map_wide_page(page));
		ASSERT_TRUE(change_and_access(&range, variant->change,
					      variant->readable, &stale));
	}
	EXPECT_EQ(0, stale.writes);
	EXPECT_EQ(0, stale.reads);
}

FIXTURE(one_wide_page)
{
	struct wide_page page;
};

FIXTURE_SETUP(one_wide_page)
{
	const char *skip = set_up_wide_page(&self->page);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(one_wide_page)
{
	tear_down_wide_page(&self->page);
}

/*
 * A hole in the page, behind its first 4G. With a bug there is none, and data are
 * gone 4G before it.
 */
TEST_F(one_wide_page, punch)
{
	char *addr = self->page.addr;

	ASSERT_TRUE(map_wide_page(&self->page));
	addr[GB] = 1;
	addr[5 * GB] = 1;
	ASSERT_EQ(0, fallocate(self->page.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 5 * GB, psize()));
	EXPECT_EQ(1, addr[GB]);
	EXPECT_EQ(0, addr[5 * GB]);
}

FIXTURE(copied)
{
	struct wide_page page;
};

FIXTURE_VARIANT(copied)
{
	const char *(*set_up)(struct wide_page *page);
};

FIXTURE_VARIANT_ADD(copied, wide)
{
	.set_up = set_up_wide_page,
};

FIXTURE_VARIANT_ADD(copied, any)
{
	.set_up = set_up_any_page,
};

FIXTURE_SETUP(copied)
{
	const char *skip = variant->set_up(&self->page);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(copied)
{
	tear_down_wide_page(&self->page);
}

/*
 * userfaultfd is to fill the page from where nothing is mapped. With a bug it says
 * that it has, and the page shows what was there before.
 */
TEST_F(copied, from_nowhere)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)self->page.addr,
		.src = (uintptr_t)self->page.addr + self->page.huge,
		.len = self->page.huge,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(__NR_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (uffd < 0)
		SKIP(return, "no userfaultfd here, or not permitted");
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	ASSERT_TRUE(map_wide_page(&self->page));
	ASSERT_EQ(0, uffd_register(uffd, self->page.addr, self->page.huge,
				   true, false, false));
	EXPECT_EQ(-1, ioctl(uffd, UFFDIO_COPY, &copy));
	close(uffd);
}

TEST_HARNESS_MAIN
