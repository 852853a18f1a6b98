// SPDX-License-Identifier: GPL-2.0
/*
 * Test NUMA hinting faults, on hints that NUMA balancing itself has set.
 *
 * The invariants, for folios of each size:
 *
 * (1) The fault that undoes a hint does not change who may write: a page that is
 *     exclusive to the process is written without another fault, whether its
 *     folio was on the right node, was migrated or could not be; a page that is shared
 *     copy-on-write takes its write fault, and the other process does not see the
 *     write.
 *
 * (2) One fault undoes the hints on all of a folio that the VMA and the page
 *     table of the fault cover, and none beyond.
 *
 * (3) Data survive, also when the folio is migrated.
 *
 * Wants two nodes with memory, root, debugfs and, for failed migrations, cgroup
 * v2 with cpuset.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_region.h"
#include "hugepage_settings.h"
#include "numa_hints.h"

#define SMALL_PAGES	64
#define BOTTOM		0x10000UL	/* the lowest address that may be mapped */

FIXTURE(numa_hinting)
{
	struct bench_region region;
	int here, elsewhere;
	unsigned long pages;
};

FIXTURE_VARIANT(numa_hinting)
{
	size_t folio;		/* 0: of one page, 1: of a PMD */
	bool pmd;
};

FIXTURE_VARIANT_ADD(numa_hinting, small)
{
};

FIXTURE_VARIANT_ADD(numa_hinting, mthp)
{
	.folio = 65536,
};

FIXTURE_VARIANT_ADD(numa_hinting, pte_thp)
{
	.folio = 1,
};

FIXTURE_VARIANT_ADD(numa_hinting, pmd_thp)
{
	.folio = 1,
	.pmd = true,
};

FIXTURE_SETUP(numa_hinting)
{
	const char *skip = numa_find_nodes(&self->here, &self->elsewhere);
	size_t folio = variant->folio;

	if (geteuid())
		SKIP(return, "not root");
	if (skip)
		SKIP(return, "%s", skip);
	if (folio == 1)
		folio = bench_thp_size();
	if (variant->folio == 1 && !folio)
		SKIP(return, "no PMD-sized THP of up to 4M here");
	self->region.folio = folio ?: psize();
	self->region.pmd = variant->pmd;
	self->region.len = folio > SMALL_PAGES * psize() ? folio : SMALL_PAGES * psize();
	self->region.uffd = -1;
	self->pages = self->region.len / psize();
	numa_save_settings();
}

FIXTURE_TEARDOWN(numa_hinting)
{
	if (self->pages)
		numa_restore_settings();
}

static char *page_at(const struct bench_region *region, unsigned long i)
{
	return region->addr + i * psize();
}

/* Map the region on a node, fill it, and have hints set on all of it. */
static const char *set_up(struct bench_region *region, int node)
{
	const char *why = numa_bind(node);
	unsigned long i;

	if (!why)
		why = bench_map_region(region);
	if (why)
		return why;
	for (i = 0; i < region->len / psize(); i++)
		memset(page_at(region, i), 'a' + i % 26, psize());
	why = bench_verify_region(region);
	if (!why)
		why = numa_set_hints(region->len / psize());
	return why;
}

static long faults_so_far(void)
{
	static struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Faults of a read, or of a write where mark is not 0. */
static int faults_of(char *byte, char mark)
{
	const long before = faults_so_far();

	if (mark)
		*byte = mark;
	else
		FORCE_READ(*byte);
	return faults_so_far() - before;
}

static int read_folios(const struct bench_region *region)
{
	int faults = 0;
	size_t i;

	for (i = 0; i < region->len; i += region->folio)
		faults += faults_of(region->addr + i, 0);
	return faults;
}

static int write_pages(const struct bench_region *region, char mark)
{
	int faults = 0;
	size_t i;

	for (i = 0; i < region->len; i += psize())
		faults += faults_of(region->addr + i, mark);
	return faults;
}

/* The first page with other data than it was filled with and marked; -1: none */
static long wrong_page(const struct bench_region *region, char mark)
{
	unsigned long i;
	char *page;

	for (i = 0; i < region->len / psize(); i++) {
		page = page_at(region, i);
		if (page[0] != (mark ?: 'a' + (char)(i % 26)) ||
		    page[1] != 'a' + (char)(i % 26) ||
		    memcmp(page + 1, page + 2, psize() - 2))
			return i;
	}
	return -1;
}

/* How many pages of the region are on the node. */
static unsigned long pages_on(const struct bench_region *region, int node)
{
	unsigned long i, pages = 0;
	void *page;
	int status;

	for (i = 0; i < region->len / psize(); i++) {
		page = page_at(region, i);
		if (!syscall(__NR_move_pages, 0, 1, &page, NULL, &status, 0) &&
		    status == node)
			pages++;
	}
	return pages;
}

/* The folios are where they belong. */
TEST_F(numa_hinting, hit)
{
	const struct bench_region *region = &self->region;
	const char *skip = set_up(&self->region, self->here);
	long hints = numa_count("numa_hint_faults");

	if (skip)
		SKIP(return, "%s", skip);
	EXPECT_GE(read_folios(region), 1) {
		TH_LOG("no read took a hinting fault");
	}
	EXPECT_GT(numa_count("numa_hint_faults"), hints);
	EXPECT_EQ(write_pages(region, 'P'), 0) {
		TH_LOG("write faults on exclusive pages, after hints were undone");
	}
	EXPECT_EQ(wrong_page(region, 'P'), -1);
}

/* One fault undoes the hints on a whole folio. */
TEST_F(numa_hinting, one_fault_per_folio)
{
	const struct bench_region *region = &self->region;
	const char *skip = set_up(&self->region, self->here);
	const size_t last = region->len - psize();
	size_t i;

	if (skip)
		SKIP(return, "%s", skip);
	faults_of(region->addr + last, 0);
	for (i = region->len - region->folio; i < last; i += psize()) {
		if (region->folio == psize())
			break;
		EXPECT_EQ(faults_of(region->addr + i, 0), 0) {
			TH_LOG("page %zu of %zu still had its hint",
			       i / psize(), region->len / psize());
		}
	}
}

/* The folios move to this node. */
TEST_F(numa_hinting, migrated)
{
	const struct bench_region *region = &self->region;
	const char *skip = set_up(&self->region, self->elsewhere);

	if (skip)
		SKIP(return, "%s", skip);
	read_folios(region);
	EXPECT_EQ(wrong_page(region, 0), -1);
	if (!pages_on(region, self->here))
		SKIP(return, "nothing was migrated");
	EXPECT_EQ(write_pages(region, 'P'), 0) {
		TH_LOG("write faults on exclusive pages, after a migration");
	}
	EXPECT_EQ(wrong_page(region, 'P'), -1);
}

/* They should, but cannot. */
TEST_F(numa_hinting, migration_failed)
{
	const struct bench_region *region = &self->region;
	const char *skip = numa_make_cpuset(self->elsewhere);

	if (!skip)
		skip = set_up(&self->region, self->elsewhere);
	if (!skip)
		skip = numa_enter_cpuset();
	if (skip)
		SKIP(return, "%s", skip);
	EXPECT_GE(read_folios(region), 1) {
		TH_LOG("no read took a hinting fault");
	}
	EXPECT_EQ(pages_on(region, self->elsewhere), self->pages);
	EXPECT_EQ(write_pages(region, 'P'), 0) {
		TH_LOG("write faults on exclusive pages, after a failed migration");
	}
	EXPECT_EQ(wrong_page(region, 'P'), -1);
}

/* Shared with a child since the hints were set. */
TEST_F(numa_hinting, shared)
{
	const struct bench_region *region = &self->region;
	const char *skip = set_up(&self->region, self->here);
	int wait_for[2], status, faults;
	pid_t pid;
	char c;

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(pipe(wait_for), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(wait_for[1]);
		_exit(read(wait_for[0], &c, 1) || wrong_page(region, 0) != -1);
	}
	close(wait_for[0]);
	read_folios(region);
	faults = write_pages(region, 'P');
	EXPECT_GE(faults, region->pmd ? 1 : self->pages) {
		TH_LOG("shared pages were written without a fault");
	}
	close(wait_for[1]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0) {
		TH_LOG("the child sees what the parent has written");
	}
	EXPECT_EQ(wrong_page(region, 'P'), -1);
}

/* Every fourth page traps each access; the kernel itself resolves it. */
static const char *arm_every_fourth(struct bench_region *region)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC,
	};
	struct uffdio_rwprotect arm = {
		.range = { .len = psize() },
		.mode = UFFDIO_RWPROTECT_MODE_RWP,
	};
	struct uffdio_register reg = {
		.range = { (unsigned long)region->addr, region->len },
		.mode = UFFDIO_REGISTER_MODE_RWP,
	};
	unsigned long i;

	region->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (region->uffd < 0 || ioctl(region->uffd, UFFDIO_API, &api) ||
	    ioctl(region->uffd, UFFDIO_REGISTER, &reg))
		return "no userfaultfd with RWP here, or not permitted";
	for (i = 0; i < region->len / psize(); i += 4) {
		arm.range.start = (unsigned long)page_at(region, i);
		if (ioctl(region->uffd, UFFDIO_RWPROTECT, &arm))
			return "UFFDIO_RWPROTECT failed";
	}
	return NULL;
}

/* The first half is exclusive, the second is shared since the hints were set. */
TEST_F(numa_hinting, partly_shared)
{
	const struct bench_region *region = &self->region;
	const char *skip = set_up(&self->region, self->here);
	const unsigned long half = self->pages / 2 + 3;
	int faults_exclusive = 0, faults_shared = 0;
	int wait_for[2], status;
	unsigned long i;
	pid_t pid;
	char c;

	if (skip)
		SKIP(return, "%s", skip);
	if (region->pmd)
		SKIP(return, "a VMA edge splits the PMD");
	ASSERT_EQ(pipe(wait_for), 0);
	ASSERT_EQ(madvise(region->addr, half * psize(), MADV_DONTFORK), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(wait_for[1]);
		if (read(wait_for[0], &c, 1))
			_exit(2);
		for (i = half; i < self->pages; i++) {
			if (page_at(region, i)[0] != 'a' + (char)(i % 26))
				_exit(1);
		}
		_exit(0);
	}
	close(wait_for[0]);
	/* One VMA again: hints of both halves are undone together. */
	ASSERT_EQ(madvise(region->addr, half * psize(), MADV_DOFORK), 0);
	read_folios(region);
	for (i = 0; i < self->pages; i++) {
		int faults = faults_of(page_at(region, i), 'P');

		if (i < half)
			faults_exclusive += faults;
		else
			faults_shared += !!faults;
	}
	EXPECT_EQ(faults_exclusive, 0) {
		TH_LOG("write faults on exclusive pages, next to shared ones");
	}
	EXPECT_EQ(faults_shared, self->pages - half) {
		TH_LOG("shared pages, next to exclusive ones, were written without a fault");
	}
	close(wait_for[1]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0) {
		TH_LOG("the child sees what the parent has written");
	}
	EXPECT_EQ(wrong_page(region, 'P'), -1);
}

/* A page that is armed by userfaultfd is PROT_NONE, too, but is no hint. */
TEST_F(numa_hinting, rwp_armed)
{
	struct bench_region *region = &self->region;
	const char *skip = numa_bind(self->here);
	unsigned long i;

	if (!skip)
		skip = bench_map_region(region);
	if (skip)
		SKIP(return, "%s", skip);
	if (region->pmd)
		SKIP(return, "arming a page splits the PMD");
	write_pages(region, 'f');
	skip = arm_every_fourth(region);
	if (!skip)
		skip = numa_set_hints(self->pages / 4 * 3);
	if (skip)
		SKIP(return, "%s", skip);
	/* Undo the hints first: the page behind each armed one is a hint. */
	for (i = 1; i < self->pages; i += 4)
		faults_of(page_at(region, i), 0);
	for (i = 0; i < self->pages; i += 4) {
		EXPECT_EQ(faults_of(page_at(region, i), 0), 1) {
			TH_LOG("page %lu was armed, and took no fault", i);
		}
	}
}

/* A page of another folio, in the midst of one, keeps its hint. */
TEST_F(numa_hinting, replaced_page)
{
	struct bench_region *region = &self->region;
	const char *skip = numa_bind(self->here);

	if (!skip)
		skip = bench_map_region(region);
	if (skip)
		SKIP(return, "%s", skip);
	if (region->folio == psize() || region->pmd)
		SKIP(return, "for large folios that are mapped by PTEs");
	write_pages(region, 'f');
	ASSERT_EQ(madvise(page_at(region, 5), psize(), MADV_DONTNEED), 0);
	*page_at(region, 5) = 'f';
	skip = numa_set_hints(self->pages);
	if (skip)
		SKIP(return, "%s", skip);
	EXPECT_EQ(faults_of(page_at(region, 4), 0), 1);
	EXPECT_EQ(faults_of(page_at(region, 6), 0), 0);
	EXPECT_EQ(faults_of(page_at(region, 5), 0), 1) {
		TH_LOG("a fault has undone the hint on another folio");
	}
}

/* A hint of another VMA is not undone, though it is on the same folio. */
TEST_F(numa_hinting, vma_edges)
{
	const struct bench_region *region = &self->region;
	const char *skip = set_up(&self->region, self->here);
	const unsigned long nr = self->pages;

	if (skip)
		SKIP(return, "%s", skip);
	if (region->pmd)
		SKIP(return, "a VMA edge splits the PMD");
	/* Changes no entry, only the VMA. */
	ASSERT_EQ(madvise(page_at(region, nr / 2 - 3), 5 * psize(), MADV_DONTFORK), 0);
	faults_of(page_at(region, nr / 2 - 4), 0);
	EXPECT_EQ(faults_of(page_at(region, nr / 2 - 2), 0), 1) {
		TH_LOG("a fault has undone hints before its VMA");
	}
	faults_of(page_at(region, nr / 2 - 1), 0);
	faults_of(page_at(region, nr / 2 - 3), 0);
	EXPECT_EQ(faults_of(page_at(region, nr / 2 + 2), 0), 1) {
		TH_LOG("a fault has undone hints behind its VMA");
	}
	write_pages(region, 'P');
	EXPECT_EQ(wrong_page(region, 'P'), -1);
}

/*
 * A part of a folio is mapped at the bottom of the address space, the folio would
 * begin below address 0.
 */
TEST_F(numa_hinting, moved_to_bottom)
{
	struct bench_region *region = &self->region;
	const char *skip = numa_bind(self->here);
	const unsigned long nr = self->pages / 4;
	char *bottom = (char *)BOTTOM;

	if (!skip)
		skip = bench_map_region(region);
	if (skip)
		SKIP(return, "%s", skip);
	if (region->pmd)
		SKIP(return, "a part of a folio is not mapped by a PMD");
	/* Some architectures have programs there. */
	if (mmap(bottom, nr * psize(), PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != bottom)
		SKIP(return, "address 0x%lx is taken, or not to be had", BOTTOM);
	write_pages(region, 'f');
	if (mremap(page_at(region, self->pages - nr), nr * psize(), nr * psize(),
		   MREMAP_MAYMOVE | MREMAP_FIXED, bottom) != bottom)
		SKIP(return, "mremap() to address 0x%lx failed", BOTTOM);
	skip = numa_set_hints(self->pages);
	if (skip)
		SKIP(return, "%s", skip);
	region->addr = bottom;
	region->len = nr * psize();
	EXPECT_GE(faults_of(page_at(region, nr - 1), 0), 1) {
		TH_LOG("no read took a hinting fault");
	}
	read_folios(region);
	EXPECT_EQ(write_pages(region, 'P'), 0) {
		TH_LOG("write faults on exclusive pages at the bottom");
	}
}

int main(int argc, char **argv)
{
	if (!geteuid() && thp_available())
		thp_save_settings();
	return test_harness_run(argc, argv);
}
