// SPDX-License-Identifier: GPL-2.0
/*
 * Test that write access is kept, or comes back at once, where the kernel knows that
 * nothing is in its way: after fork(), when the child is gone, and after migration.
 *
 * The invariants, for folios of each size:
 *
 * (1) When the child is gone, a few write faults are enough for what a VMA and a page
 *     table map of a folio.
 *
 * (2) After migration a page that is exclusive to the process is written without a fault.
 *
 * (3) Nothing else is written to without its fault: a page that a child still maps, or
 *     that anybody else holds; a page of a read-only VMA; one that userfaultfd or
 *     soft-dirty tracking waits for; one of another folio, in the midst of this one.
 *
 * (4) Data survive.
 *
 * (1) and (2) hold where the kernel keeps write access, (3) and (4) for each kernel.
 *
 * Wants root, to make folios of a size; for migration two nodes with memory.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"
#include "numa_hints.h"

#define SMALL_PAGES	64
#define HUGE_PAGES	3
#define MAX_PAGES	2048
#define ROUNDS		12
#define PROTECTIONS	200	/* or as many as there is time for, */
#define ENOUGH_NS	5000000000UL	/* long before the harness gives up */
#define AROUND		512UL	/* entries that one fault reaches, at most, */
#define GROWTH		4	/* and this many times as many as those before it */

#define OLD		'o'	/* what the pages are filled with */
#define NEW		'n'	/* what is written to them */

static struct bench_region region;
static size_t unit;		/* bytes of a page, which may be a huge one */
static unsigned long pages, per_folio;
static struct bench_child child;
static bool ready;

/* ---- Memory ---- */

static char *page_at(unsigned long i)
{
	return region.addr + i * unit;
}

/* Write to the first byte of a page. Returns how many faults that took. */
static long write_page(unsigned long i, char mark)
{
	const long before = bench_thread_faults();

	atomic_store_explicit((atomic_char *)page_at(i), mark, memory_order_relaxed);
	return bench_thread_faults() - before;
}

static long write_pages(unsigned long first, unsigned long end, char mark)
{
	long faults = 0;

	for (; first < end; first++)
		faults += write_page(first, mark);
	return faults;
}

static bool is_page(unsigned long i, char mark)
{
	const char *page = page_at(i);

	return page[0] == mark && page[1] == OLD &&
	       !memcmp(page + 1, page + 2, unit - 2);
}

static unsigned long wrong_pages(unsigned long first, unsigned long end, char mark)
{
	unsigned long wrong = 0;

	for (; first < end; first++)
		wrong += !is_page(first, mark);
	return wrong;
}

static unsigned long folios(void)
{
	return pages / per_folio;
}

/* So many faults make all of the pages writable, if they are written to in order. */
static unsigned long few_faults(void)
{
	unsigned long of_folio = 1, nr;

	for (nr = 1; !region.pmd && nr < per_folio; of_folio++)
		nr += nr * GROWTH < AROUND ? nr * (GROWTH - 1) : AROUND;
	return folios() * of_folio;
}

/*
 * Is what a fault makes writable flushed on this CPU, so that a page that was read before
 * takes no spurious fault? A kernel that does that counts such flushes.
 */
static bool flushes_around(void)
{
	return numa_count("nr_tlb_relaxed_flush") >= 0;
}

static void begin_test(void)
{
	bench_init();
	catch_denied_accesses();
	bench_pin(0);
}

/* Of so many pages each; 1: of a PMD, 0: small. */
static const char *set_up(size_t folio, bool pmd)
{
	const char *why;

	if (geteuid())
		return "not root";
	begin_test();
	if (folio == 1)
		folio = bench_thp_size();
	else
		folio = (folio ?: 1) * psize();
	if (!folio)
		return "no huge pages of up to 4M here";
	region = (struct bench_region) {
		.folio = folio, .pmd = pmd,
		.len = folio > SMALL_PAGES * psize() ? folio : SMALL_PAGES * psize(),
	};
	unit = psize();
	pages = region.len / unit;
	per_folio = folio / unit;
	if (pages > MAX_PAGES)
		return "more pages in a huge page than this test is made for";
	why = bench_map_region(&region);
	if (why)
		return why;
	memset(region.addr, OLD, region.len);
	ready = true;
	return NULL;
}

static const char *set_up_hugetlb(void)
{
	const char *why;

	if (geteuid())
		return "not root";
	begin_test();
	if (!hugetlb_setup_default(4 * HUGE_PAGES))
		return "no huge pages to be had";
	why = bench_map_memory(&region, BENCH_HUGE, 1, HUGE_PAGES);
	if (why)
		return why;
	unit = region.folio;
	pages = HUGE_PAGES;
	per_folio = 1;
	memset(region.addr, OLD, region.len);
	ready = true;
	return NULL;
}

static int child_looks(void *unused)
{
	return wrong_pages(0, pages, OLD) != 0;
}

static bool share(void)
{
	return bench_start_child(&child, child_looks, NULL);
}

/* The child ends. Has it seen nothing but the old data? */
static bool end_child(void)
{
	return bench_end_child(&child) == 0;
}

static bool share_and_unshare(void)
{
	return share() && end_child();
}

/* ---- What waits for a write ---- */

/* The kernel itself resolves the fault of a write-protected page. */
static const char *register_watcher(void)
{
	return bench_register_uffd_with(&region, UFFDIO_REGISTER_MODE_WP,
					UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					UFFD_FEATURE_WP_ASYNC);
}

/* Write-protect each step-th page. */
static const char *watch(unsigned long first, unsigned long step)
{
	const char *why = register_watcher();
	unsigned long i;

	for (i = first; !why && i < pages; i += step) {
		if (!bench_uffd_protect(region.uffd, page_at(i), unit, true))
			why = "UFFDIO_WRITEPROTECT failed";
	}
	return why;
}

/* How many writes to these pages took no fault? */
static unsigned long missed(unsigned long first, unsigned long step)
{
	unsigned long i, missed = 0;

	for (i = first; i < pages; i += step)
		missed += write_page(i, NEW) == 0;
	return missed;
}

static int pagemap = -1;

static const char *track_soft_dirty(void)
{
	if (!softdirty_supported())
		return "no soft-dirty tracking here";
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		return "no pagemap";
	clear_softdirty();
	return NULL;
}

static unsigned long soft_dirty_pages(void)
{
	unsigned long i, dirty = 0;

	for (i = 0; i < pages; i++)
		dirty += pagemap_is_softdirty(pagemap, page_at(i));
	return dirty;
}

/* ---- After fork() ---- */

FIXTURE(after_fork)
{
	bool unused;
};

FIXTURE_VARIANT(after_fork)
{
	size_t folio;		/* pages; 1: as many as a PMD maps */
	bool pmd;
};

FIXTURE_VARIANT_ADD(after_fork, order_2)
{
	.folio = 4,
};

FIXTURE_VARIANT_ADD(after_fork, mthp)
{
	.folio = 16,
};

FIXTURE_VARIANT_ADD(after_fork, pte_thp)
{
	.folio = 1,
};

FIXTURE_VARIANT_ADD(after_fork, pmd_thp)
{
	.folio = 1,
	.pmd = true,
};

FIXTURE_SETUP(after_fork)
{
	const char *skip = set_up(variant->folio, variant->pmd);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(after_fork)
{
	if (ready)
		bench_unmap_region(&region);
}

static void __expect_at_most(struct __test_metadata *_metadata, unsigned long most,
			     unsigned long faults)
{
	EXPECT_LE(faults, most) {
		TH_LOG("%lu write faults, for %lu folios of %lu pages", faults, folios(),
		       per_folio);
	}
}

#define expect_at_most(most, faults)	__expect_at_most(_metadata, most, faults)

/* With a bug, each page takes a fault. */
TEST_F(after_fork, child_is_gone)
{
	unsigned long faults;

	ASSERT_TRUE(share_and_unshare());
	faults = write_pages(0, pages, NEW);
	expect_at_most(few_faults(), faults);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
	/* Once more, from the middle on, and where TLBs have the pages read-only. */
	memset(region.addr, OLD, region.len);
	ASSERT_TRUE(share_and_unshare());
	if (flushes_around())
		EXPECT_EQ(wrong_pages(0, pages, OLD), 0);
	faults = write_pages(pages / 2 + 1, pages, NEW) + write_pages(0, pages / 2 + 1, NEW);
	expect_at_most(2 * few_faults(), faults);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* With a bug, the child sees what its parent writes. */
TEST_F(after_fork, child_lives)
{
	unsigned long faults;

	ASSERT_TRUE(share());
	faults = write_pages(0, pages, NEW);
	EXPECT_GE(faults, region.pmd ? folios() : pages) {
		TH_LOG("shared pages were written without a fault");
	}
	EXPECT_TRUE(end_child()) {
		TH_LOG("the child sees what the parent has written");
	}
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* 1: without a fault; 2: and does not read what it has written */
static int child_writes(void *unused)
{
	const unsigned long faults = write_pages(0, pages, NEW);

	if (wrong_pages(0, pages, NEW))
		return 2;
	return faults < (region.pmd ? folios() : pages);
}

TEST_F(after_fork, child_writes)
{
	ASSERT_TRUE(bench_start_child(&child, child_writes, NULL));
	EXPECT_EQ(bench_end_child(&child), 0) {
		TH_LOG("the child wrote to shared pages, see child_writes()");
	}
	EXPECT_EQ(wrong_pages(0, pages, OLD), 0) {
		TH_LOG("the parent sees what the child has written");
	}
	write_pages(0, pages, NEW);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* A child that looks all the time, and ends when its pages change. */
static pid_t start_watcher(unsigned long first, unsigned long end)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (child.pid > 0)
		close(child.go); /* or that one would wait for this one to end */
	while (!wrong_pages(first, end, OLD) && getppid() != 1)
		usleep(1000);
	_exit(1);
}

static bool end_watcher(pid_t pid)
{
	bool has_seen;

	usleep(50000);
	has_seen = waitpid(pid, NULL, WNOHANG) == pid;
	if (!has_seen) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return !has_seen;
}

/* A part of each folio was never shared. The other part still is, or was. */
TEST_F(after_fork, shared_in_part)
{
	const unsigned long own = pages / 2 + 3;
	unsigned int lives;
	unsigned long faults;
	pid_t pid;

	if (region.pmd)
		SKIP(return, "a VMA edge splits the PMD");
	for (lives = 0; lives < 2; lives++) {
		memset(region.addr, OLD, region.len);
		ASSERT_EQ(madvise(region.addr, own * psize(), MADV_DONTFORK), 0);
		pid = start_watcher(own, pages);
		ASSERT_GT(pid, 0);
		ASSERT_EQ(madvise(region.addr, own * psize(), MADV_DOFORK), 0);
		if (!lives)
			ASSERT_TRUE(end_watcher(pid));
		EXPECT_EQ(write_pages(0, own, NEW), 0) {
			TH_LOG("pages that were never shared took a write fault");
		}
		faults = write_pages(own, pages, NEW);
		if (lives) {
			EXPECT_GE(faults, pages - own) {
				TH_LOG("%lu write faults on %lu shared pages", faults,
				       pages - own);
			}
			EXPECT_TRUE(end_watcher(pid)) {
				TH_LOG("the child sees what the parent has written");
			}
		} else {
			expect_at_most(few_faults(), faults);
		}
		EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
	}
}

/*
 * The child has put a page into a pipe, and is gone: what is in the pipe does not
 * change. With a bug, references that are no mappings do not count.
 */
static int pipe_ends[2];

static int child_leaves_page(void *unused)
{
	struct iovec iov = { page_at(pages / 2 + 1), psize() };

	return vmsplice(pipe_ends[1], &iov, 1, 0) != psize();
}

static bool pipe_has(char c)
{
	static char got[65536];

	return read(pipe_ends[0], got, psize()) == psize() && got[0] == c &&
	       !memcmp(got, got + 1, psize() - 1);
}

TEST_F(after_fork, page_is_held)
{
	ASSERT_EQ(pipe(pipe_ends), 0);
	ASSERT_TRUE(bench_start_child(&child, child_leaves_page, NULL));
	ASSERT_EQ(bench_end_child(&child), 0);
	close(pipe_ends[1]);
	write_pages(0, pages, NEW);
	EXPECT_TRUE(pipe_has(OLD)) {
		TH_LOG("what is in the pipe has changed");
	}
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* The same while the parent writes: before, in the midst of, or after its faults. */
TEST_F(after_fork, page_is_held_meanwhile)
{
	unsigned int round;
	pid_t pid;

	for (round = 0; round < ROUNDS; round++) {
		memset(region.addr, OLD, region.len);
		ASSERT_EQ(pipe(pipe_ends), 0);
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(child_leaves_page(NULL));
		close(pipe_ends[1]);	/* so that it ends with the child */
		usleep(round * 100);
		write_pages(0, pages, NEW);
		write_pages(0, pages, NEW);
		ASSERT_TRUE(pipe_has(OLD)) {
			TH_LOG("round %u: what is in the pipe has changed", round);
		}
		EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
		ASSERT_EQ(waitpid(pid, NULL, 0), pid);
		close(pipe_ends[0]);
	}
}

/* ---- One thread writes, another one makes children that see their memory change ---- */

static atomic_bool stop;

static atomic_uint *word_of(unsigned long i)
{
	return (atomic_uint *)(page_at(i) + 64);
}

static void write_on(void *unused)
{
	unsigned int n = 0;
	unsigned long i;

	while (!atomic_load(&stop)) {
		n++;
		for (i = 0; i < pages && !atomic_load(&stop); i++)
			atomic_store(word_of(i), n);
	}
}

static int child_compares(void)
{
	static unsigned int seen[MAX_PAGES];
	unsigned long i;

	for (i = 0; i < pages; i++)
		seen[i] = atomic_load(word_of(i));
	usleep(2000);
	for (i = 0; i < pages; i++) {
		if (seen[i] != atomic_load(word_of(i)))
			return 1;
	}
	return 0;
}

TEST_F(after_fork, forks_meanwhile)
{
	struct bench_thread writer;
	unsigned int round;
	int status;
	pid_t pid;

	if (bench_nr_cpus() < 2)
		SKIP(return, "wants two CPUs");
	bench_start_thread(&writer, 1);
	bench_tell(&writer, write_on, NULL);
	for (round = 0; round < ROUNDS; round++) {
		pid = fork();
		if (!pid)
			_exit(child_compares());
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			break;
	}
	atomic_store(&stop, true);
	EXPECT_TRUE(bench_is_done(&writer));
	bench_end_thread(&writer);
	EXPECT_EQ(round, ROUNDS) {
		TH_LOG("round %u: the child saw its memory change", round);
	}
}

/* ---- Entries that one fault leaves alone ---- */

TEST_F(after_fork, watched_by_uffd)
{
	const char *skip;
	unsigned long i;

	if (region.pmd)
		SKIP(return, "to watch a page splits the PMD");
	ASSERT_TRUE(share_and_unshare());
	skip = watch(3, 4);
	if (skip)
		SKIP(return, "%s", skip);
	for (i = 0; i < pages; i++) {
		if (i % 4 != 3)
			write_page(i, NEW);
	}
	EXPECT_EQ(missed(3, 4), 0) {
		TH_LOG("writes to pages that were write-protected went unseen");
	}
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

TEST_F(after_fork, watched_for_soft_dirty)
{
	const char *skip;
	unsigned long i;

	if (region.pmd)
		SKIP(return, "a PMD is soft-dirty as a whole");
	ASSERT_TRUE(share_and_unshare());
	skip = track_soft_dirty();
	if (skip)
		SKIP(return, "%s", skip);
	EXPECT_EQ(soft_dirty_pages(), 0);
	for (i = 0; i < per_folio - 1; i++)
		write_page(i, NEW);
	EXPECT_EQ(soft_dirty_pages(), per_folio - 1) {
		TH_LOG("%lu pages were written to, and %lu are soft-dirty", per_folio - 1,
		       soft_dirty_pages());
	}
	write_page(per_folio - 1, NEW);
	EXPECT_EQ(soft_dirty_pages(), per_folio);
}

/* The middle of a folio is another VMA, which is read-only. */
TEST_F(after_fork, read_only_neighbours)
{
	const unsigned long first = per_folio / 4, nr = per_folio / 2;
	unsigned long i, writable = 0;

	if (region.pmd)
		SKIP(return, "a VMA edge splits the PMD");
	ASSERT_TRUE(share_and_unshare());
	ASSERT_EQ(mprotect(page_at(first), nr * psize(), PROT_READ), 0);
	write_pages(0, first, NEW);
	write_pages(first + nr, per_folio, NEW);
	for (i = first; i < first + nr; i++)
		writable += try_write((void *)page_at(i), 1);
	EXPECT_EQ(writable, 0) {
		TH_LOG("%lu pages of a read-only VMA were written to", writable);
	}
	ASSERT_EQ(mprotect(page_at(first), nr * psize(), PROT_READ | PROT_WRITE), 0);
	write_pages(0, pages, NEW);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/*
 * A page of another folio, in the midst of this one, is shared with a second child, when
 * the first one, which has shared this folio, is gone.
 */
TEST_F(after_fork, replaced_page)
{
	const unsigned long at = per_folio / 2;
	char *page = page_at(at);
	pid_t second;

	if (region.pmd)
		SKIP(return, "a page cannot be replaced under a PMD");
	ASSERT_TRUE(share());
	ASSERT_EQ(madvise(page, psize(), MADV_DONTNEED), 0);
	memset(page, OLD, psize());
	ASSERT_EQ(madvise(region.addr, at * psize(), MADV_DONTFORK), 0);
	ASSERT_EQ(madvise(page + psize(), (pages - at - 1) * psize(), MADV_DONTFORK), 0);
	second = start_watcher(at, at + 1);
	ASSERT_GT(second, 0);
	ASSERT_EQ(madvise(region.addr, region.len, MADV_DOFORK), 0);
	ASSERT_TRUE(end_child());
	write_pages(0, at, NEW);
	EXPECT_EQ(write_page(at, NEW), 1) {
		TH_LOG("a shared page of another folio was written without a fault");
	}
	EXPECT_TRUE(end_watcher(second)) {
		TH_LOG("the second child sees what the parent has written");
	}
	write_pages(0, pages, NEW);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* Moved by a few pages: a large folio is in two page tables. */
TEST_F(after_fork, moved)
{
	const size_t align = region.folio > HPAGE_SIZE ? region.folio : HPAGE_SIZE;
	unsigned long faults;
	char *raw, *to;

	if (region.pmd)
		SKIP(return, "mremap() splits the PMD");
	raw = mmap(NULL, region.len + 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(raw, MAP_FAILED);
	to = (char *)(((unsigned long)raw + align) & ~(align - 1)) + 3 * psize();
	ASSERT_EQ(mremap(region.addr, region.len, region.len,
			 MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	region.addr = to;
	region.mapped = region.len;
	ASSERT_TRUE(share_and_unshare());
	faults = write_pages(0, pages, NEW);
	expect_at_most(2 * few_faults(), faults);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* Lazily freed pages are lost if they are clean: what is written is not. */
TEST_F(after_fork, lazily_freed)
{
	unsigned long i;

	ASSERT_TRUE(share_and_unshare());
	ASSERT_EQ(madvise(region.addr, region.len, MADV_FREE), 0);
	for (i = 0; i < pages; i += 2)
		memset(page_at(i), OLD, psize());
	for (i = 1; i < pages; i += 2)
		memset(page_at(i), OLD, psize());
	madvise(region.addr, region.len, MADV_PAGEOUT);
	EXPECT_EQ(wrong_pages(0, pages, OLD), 0) {
		TH_LOG("written pages were lost");
	}
}

/* In the midst of each folio, a page of its own is swapped out. */
TEST_F(after_fork, swapped_out)
{
	unsigned long i, swapped = 0, faults;

	if (region.pmd)
		SKIP(return, "to swap a page splits the PMD");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_GE(pagemap, 0);
	for (i = per_folio / 2; i < pages; i += per_folio) {
		ASSERT_EQ(madvise(page_at(i), psize(), MADV_DONTNEED), 0);
		memset(page_at(i), OLD, psize());
	}
	ASSERT_TRUE(share_and_unshare());
	for (i = per_folio / 2; i < pages; i += per_folio) {
		madvise(page_at(i), psize(), MADV_PAGEOUT);
		swapped += pagemap_is_swapped(pagemap, page_at(i));
	}
	if (!swapped)
		SKIP(return, "no swap, or nothing was swapped out");
	faults = write_pages(0, pages, NEW);
	/* It is in the way, and takes a fault or two of its own. */
	expect_at_most(2 * few_faults() + 2 * folios(), faults);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* ---- After migration ---- */

FIXTURE(migrated)
{
	int here, there;
};

FIXTURE_VARIANT(migrated)
{
	size_t folio;		/* see set_up() */
	bool pmd;
	bool hugetlb;
};

FIXTURE_VARIANT_ADD(migrated, small)
{
};

FIXTURE_VARIANT_ADD(migrated, mthp)
{
	.folio = 16,
};

FIXTURE_VARIANT_ADD(migrated, pte_thp)
{
	.folio = 1,
};

FIXTURE_VARIANT_ADD(migrated, pmd_thp)
{
	.folio = 1,
	.pmd = true,
};

FIXTURE_VARIANT_ADD(migrated, hugetlb)
{
	.hugetlb = true,
};

FIXTURE_SETUP(migrated)
{
	const char *skip = numa_find_nodes(&self->here, &self->there);

	if (!skip)
		skip = numa_bind(self->here);
	if (!skip)
		skip = variant->hugetlb ? set_up_hugetlb() :
					  set_up(variant->folio, variant->pmd);
	if (!skip)
		skip = numa_bind(-1);
	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(migrated)
{
	if (ready)
		bench_unmap_region(&region);
}

/* Move the pages to a node. Returns how many of them are there. */
static unsigned long move(int node, int flags)
{
	static void *addrs[MAX_PAGES];
	static int nodes[MAX_PAGES], status[MAX_PAGES];
	unsigned long i, moved = 0;

	for (i = 0; i < pages; i++) {
		addrs[i] = page_at(i);
		nodes[i] = node;
		status[i] = -1;
	}
	syscall(__NR_move_pages, 0, pages, addrs, nodes, status, flags);
	syscall(__NR_move_pages, 0, pages, addrs, NULL, status, 0);
	for (i = 0; i < pages; i++)
		moved += status[i] == node;
	return moved;
}

/* How the kernel makes a page exclusive without a write: by reading it for somebody. */
static bool make_exclusive_read_only(void)
{
	unsigned long i;
	char byte;

	if (!share_and_unshare())
		return false;
	for (i = 0; i < pages; i++) {
		struct iovec to = { &byte, 1 }, from = { page_at(i), 1 };

		if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 1)
			return false;
	}
	return true;
}

/* With a bug, each page takes a write fault, although nobody else has it. */
TEST_F(migrated, exclusive)
{
	unsigned long moved, faults;

	ASSERT_TRUE(make_exclusive_read_only());
	moved = move(self->there, MPOL_MF_MOVE);
	if (moved < pages)
		SKIP(return, "%lu of %lu pages could not be moved", pages - moved, pages);
	faults = write_pages(0, pages, NEW);
	EXPECT_EQ(faults, 0) {
		TH_LOG("%lu write faults on %lu exclusive pages", faults, pages);
	}
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* With a bug, the child sees what its parent writes. */
TEST_F(migrated, shared)
{
	unsigned long moved, faults;

	ASSERT_TRUE(share());
	moved = move(self->there, MPOL_MF_MOVE_ALL);
	if (!moved) {
		ASSERT_TRUE(end_child());
		SKIP(return, "no page could be moved");
	}
	faults = write_pages(0, pages, NEW);
	EXPECT_GE(faults, region.pmd ? folios() : pages) {
		TH_LOG("shared pages were written without a fault");
	}
	EXPECT_TRUE(end_child()) {
		TH_LOG("the child sees what the parent has written");
	}
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

TEST_F(migrated, watched_by_uffd)
{
	const char *skip;

	if (region.pmd)
		SKIP(return, "to watch a page splits the PMD");
	skip = watch(1, 4);
	if (skip)
		SKIP(return, "%s", skip);
	if (!move(self->there, MPOL_MF_MOVE))
		SKIP(return, "no page could be moved");
	EXPECT_EQ(missed(1, 4), 0) {
		TH_LOG("writes to pages that were write-protected went unseen");
	}
	EXPECT_EQ(write_pages(0, pages, NEW), 0);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

TEST_F(migrated, watched_for_soft_dirty)
{
	const unsigned long written = region.pmd ? per_folio : 1;
	const char *skip;

	if (variant->hugetlb)
		SKIP(return, "clear_refs leaves hugetlb out");
	skip = track_soft_dirty();
	if (skip)
		SKIP(return, "%s", skip);
	if (!move(self->there, MPOL_MF_MOVE))
		SKIP(return, "no page could be moved");
	EXPECT_EQ(soft_dirty_pages(), 0) {
		TH_LOG("no page was written to, and %lu are soft-dirty", soft_dirty_pages());
	}
	write_page(pages / 2 + 1, NEW);
	EXPECT_EQ(soft_dirty_pages(), written) {
		TH_LOG("one page was written to, and %lu are soft-dirty", soft_dirty_pages());
	}
}

TEST_F(migrated, read_only)
{
	unsigned long i, faults, writable = 0;

	ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ), 0);
	if (!move(self->there, MPOL_MF_MOVE))
		SKIP(return, "no page could be moved");
	for (i = 0; i < pages; i++)
		writable += try_write((void *)page_at(i), 1);
	EXPECT_EQ(writable, 0) {
		TH_LOG("%lu pages of a read-only VMA were written to", writable);
	}
	ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_WRITE), 0);
	/* Whether mprotect() upgrades hugetlb is no matter of migration. */
	faults = write_pages(0, pages, NEW);
	expect_at_most(variant->hugetlb ? pages : 0, faults);
	EXPECT_EQ(wrong_pages(0, pages, NEW), 0);
}

/* ---- One thread moves the pages all the time ---- */

static int nodes_to_move_to[2];

static void move_on(void *unused)
{
	unsigned int n = 0;

	while (!atomic_load(&stop))
		move(nodes_to_move_to[n++ % 2], MPOL_MF_MOVE);
}

/* Each so many pages are looked at: there are more rounds then. */
static unsigned long step(void)
{
	return 1 + pages / 16;
}

/* Rounds of what another thread does meanwhile, up to the first that is not good. */
static void __while_moving(struct __test_metadata *_metadata, int there, int here,
			   const char *(*one_round)(void))
{
	const unsigned long end = bench_ns() + ENOUGH_NS;
	struct bench_thread mover;
	const char *wrong = NULL;
	unsigned int round;

	nodes_to_move_to[0] = there;
	nodes_to_move_to[1] = here;
	bench_start_thread(&mover, 1);
	bench_tell(&mover, move_on, NULL);
	for (round = 0; round < PROTECTIONS && bench_ns() < end && !wrong; round++)
		wrong = one_round();
	atomic_store(&stop, true);
	EXPECT_TRUE(bench_is_done(&mover));
	bench_end_thread(&mover);
	EXPECT_EQ(wrong, NULL) {
		TH_LOG("round %u: %s", round, wrong);
	}
	EXPECT_EQ(wrong_pages(0, pages, OLD), 0);
}

#define while_moving(one_round)	__while_moving(_metadata, self->there, self->here, one_round)

static const char *protect_and_write(void)
{
	unsigned long i, writable = 0;

	if (mprotect(region.addr, region.len, PROT_READ))
		return "mprotect() failed";
	for (i = 0; i < pages; i += step())
		writable += try_write((void *)page_at(i), NEW);
	if (mprotect(region.addr, region.len, PROT_READ | PROT_WRITE))
		return "mprotect() failed";
	for (i = 0; i < pages; i += step())
		write_page(i, OLD);
	return writable ? "pages of a read-only VMA were written to" : NULL;
}

/* With a bug, a page that is mapped while the VMA changes is writable afterwards. */
TEST_F(migrated, protected_meanwhile)
{
	if (bench_nr_cpus() < 2)
		SKIP(return, "wants two CPUs");
	while_moving(protect_and_write);
}

static const char *watch_and_write(void)
{
	unsigned long i, unseen = 0;

	if (!bench_uffd_protect(region.uffd, region.addr, region.len, true))
		return "UFFDIO_WRITEPROTECT failed";
	for (i = 0; i < pages; i += step())
		unseen += write_page(i, OLD) == 0;
	return unseen ? "writes to write-protected pages went unseen" : NULL;
}

/* With a bug, userfaultfd does not see a write to a page that is mapped meanwhile. */
TEST_F(migrated, watched_meanwhile)
{
	const char *skip;

	if (bench_nr_cpus() < 2)
		SKIP(return, "wants two CPUs");
	if (region.pmd)
		SKIP(return, "to watch a page splits the PMD");
	skip = register_watcher();
	if (skip)
		SKIP(return, "%s", skip);
	while_moving(watch_and_write);
}

static const char *track_and_write(void)
{
	unsigned long i, unseen = 0;

	clear_softdirty();
	for (i = 0; i < pages; i += step())
		write_page(i, OLD);
	for (i = 0; i < pages; i += step())
		unseen += !pagemap_is_softdirty(pagemap, page_at(i));
	return unseen ? "pages were written to, and are not soft-dirty" : NULL;
}

/*
 * The same for soft-dirty tracking. Linux 7.3.4 has this bug: of a migration entry that
 * is writable only the soft-dirty bit is cleared.
 */
TEST_F(migrated, tracked_meanwhile)
{
	const char *skip;

	if (bench_nr_cpus() < 2)
		SKIP(return, "wants two CPUs");
	if (variant->hugetlb)
		SKIP(return, "clear_refs leaves hugetlb out");
	skip = track_soft_dirty();
	if (skip)
		SKIP(return, "%s", skip);
	while_moving(track_and_write);
}

int main(int argc, char **argv)
{
	int status;

	if (!geteuid()) {
		hugepage_save_settings(thp_available(), hugetlb_available());
		numa_save_settings();	/* a hint would be a fault more */
	}
	status = test_harness_run(argc, argv);
	if (!geteuid())
		numa_restore_settings();
	return status;
}
