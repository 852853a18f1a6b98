// SPDX-License-Identifier: GPL-2.0
/*
 * Test the write upgrade: the decision that a protection upgrade (mprotect()
 * to read-write, UFFDIO_WRITEPROTECT lifting a protection, a NUMA hinting
 * fault) takes for each page that it maps: writable right away, or only by the
 * write fault?
 *
 * The invariants:
 *
 * (1) An upgrade makes writable exactly what the write-fault handler would make
 *     writable without further work. A later write to such a page takes NO
 *     fault. (Otherwise protection upgrades get slow, silently.)
 *
 * (2) Whatever still needs the write fault keeps faulting: a page that is
 *     shared copy-on-write, the zero page, a KSM page, a clean page of a private
 *     or a writenotify file mapping, a page tracked by soft-dirty, a page armed
 *     by uffd-wp. (Otherwise a process sees the writes of another, a file
 *     changes that must not, or a file system or a tracker misses a write.)
 *
 * Both must hold for each page, even where one upgrade handles the pages of a
 * large folio as a batch that begins in the middle of the folio: such a batch
 * has to be split into sub-batches of equal verdict.
 *
 * Faults are counted around the write of one byte to each page. A spurious
 * fault that the architecture repairs without handling a fault is not counted,
 * and is not a failure.
 *
 * The tests of files want a file system with writenotify, such as ext4: if the
 * current directory is not on one, name a directory in WRITE_UPGRADE_DIR.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../../../mm/gup_test.h"
#include "hugepage_settings.h"
#include "vm_util.h"

#define NR_SMALL	32	/* pages of a mapping of small folios */
#define MTHP_ORDER	4	/* 64K with 4K pages */
#define NR_MTHP		4	/* folios */
#define NR_WINDOW	64	/* pages that are upgraded of a PTE-mapped THP */
#define MAX_PMD_SIZE	(32UL << 20)

#define KSM_RUN		"/sys/kernel/mm/ksm/run"
#define KSM_ZERO	"/sys/kernel/mm/ksm/use_zero_pages"
#define NUMA_BALANCING	"/proc/sys/kernel/numa_balancing"
#define SECOND_NODE	"/sys/devices/system/node/node1"

/* How the mapping is backed. */
enum backing_type {
	ANON,			/* order-0 folios */
	ANON_MTHP,		/* folios of MTHP_ORDER */
	ANON_PTE_THP,		/* a PMD-sized folio mapped by PTEs */
	ANON_PMD_THP,		/* a PMD-sized folio mapped by a PMD */
	PRIVATE_MEMFD,		/* order-0 anonymous copies of file pages */
	PRIVATE_FILE,
	SHARED_ANON,
	SHARED_MEMFD,
	SHARED_FILE,		/* of a file system that has writenotify */
};

/*
 * A mapping of nr pages. Protections change in the window [first, end): where
 * folios are large, it begins and ends in the middle of one.
 */
struct area {
	enum backing_type backing;
	char *map;
	char *other;		/* second mapping of the file, or NULL */
	unsigned long nr, first, end;
	int down;		/* the protection to upgrade from */
	bool by_page;		/* a call for each page: the kernel has code for one */
	int fd;			/* of the file, or -1 */
	int uffd;
	bool *excl;		/* page is not shared with the peer */
	/*
	 * What this process or the peer found, hence shared memory. It must
	 * not be what is written between two readings of the fault counter.
	 */
	unsigned char *faults;	/* per page, faults of the last write */
};

/* A call for each page, of which a PMD has 2048 where they have 16K. */
#define MANY_CALLS_S	120

/* ---- Counting faults ---- */

/* Minor faults of this thread; the file pages of these tests never need I/O. */
static long fault_count(void)
{
	static struct rusage ru;

	if (getrusage(RUSAGE_THREAD, &ru))
		ksft_exit_fail_perror("getrusage");
	return ru.ru_minflt + ru.ru_majflt;
}

static int write_faults(char *p, char mark)
{
	const long before = fault_count();

	*p = mark;
	return fault_count() - before;
}

static int read_faults(char *p)
{
	const long before = fault_count();

	FORCE_READ(*p);
	return fault_count() - before;
}

/*
 * After a fork() the pages of the stack, of ru and of the code take faults of
 * their own: have them over with.
 */
static void settle_faults(void)
{
	static char dummy;
	char stack[1024];

	explicit_bzero(stack, sizeof(stack));
	write_faults(&dummy, 1);
	read_faults(&dummy);
}

static char *page_at(struct area *a, unsigned long i)
{
	return a->map + i * psize();
}

/* Write one byte to each page of the window that sel (NULL: all) selects. */
static void write_window(struct area *a, char mark, const bool *sel)
{
	unsigned long i;

	settle_faults();
	for (i = a->first; i < a->end; i++) {
		if (!sel || sel[i])
			a->faults[i] = write_faults(page_at(a, i), mark);
	}
}

/* ---- Signals ---- */

static sigjmp_buf on_signal;

static void jump_out(int signo)
{
	siglongjmp(on_signal, 1);
}

static void catch(int signo)
{
	const struct sigaction act = { .sa_handler = jump_out };

	sigaction(signo, &act, NULL);
}

/* ---- Data: each page is filled with its own letter, then byte 0 is marked ---- */

#define UNMARKED	0

static char fill_of(unsigned long i)
{
	return 'a' + i % 26;
}

static void fill(struct area *a)
{
	unsigned long i;

	for (i = 0; i < a->nr; i++)
		memset(page_at(a, i), fill_of(i), psize());
}

static bool page_is_filled(const char *page, unsigned long i, char mark)
{
	const char c = fill_of(i);

	/* All bytes but the first are equal if each equals its neighbour. */
	return page[0] == (mark ? mark : c) && page[1] == c &&
	       !memcmp(page + 1, page + 2, psize() - 2);
}

/* Returns the first page of the window at map whose data are wrong, or -1. */
static long wrong_page(struct area *a, const char *map, char mark,
		       const bool *skip)
{
	unsigned long i;

	for (i = a->first; i < a->end; i++) {
		if (skip && skip[i])
			continue;
		if (!page_is_filled(map + i * psize(), i, mark))
			return i;
	}
	return -1;
}

/* ---- The peer: a forked process that shares the pages ---- */

enum peer_op { PEER_CHECK, PEER_WRITE, PEER_UPGRADE, PEER_EXIT };

struct peer_order {
	enum peer_op op;
	char mark;
};

struct peer {
	pid_t pid;
	int orders;		/* pipe to the peer */
	int answers;		/* pipe from the peer */
};

static int protect_window(struct area *a, int prot)
{
	const unsigned long step = a->by_page ? 1 : a->end - a->first;
	unsigned long i;

	for (i = a->first; i < a->end; i += step) {
		if (mprotect(page_at(a, i), step * psize(), prot))
			return -1;
	}
	return 0;
}

static bool takedown(struct area *a)
{
	return !protect_window(a, a->down);
}

static bool upgrade(struct area *a)
{
	return !protect_window(a, PROT_READ | PROT_WRITE);
}

/* Only pages that are not a->excl exist in the peer. */
static long peer_obey(struct area *a, struct peer_order order)
{
	unsigned long i;

	switch (order.op) {
	case PEER_CHECK:
		return wrong_page(a, a->map, order.mark, a->excl);
	case PEER_UPGRADE:
		return takedown(a) && upgrade(a) ? -1 : -errno - 1;
	case PEER_WRITE:
		settle_faults();
		for (i = a->first; i < a->end; i++) {
			if (!a->excl[i])
				a->faults[i] = write_faults(page_at(a, i),
							    order.mark);
		}
		return -1;
	default:
		_exit(0);
	}
}

static void peer_main(struct area *a, struct peer *p)
{
	struct peer_order order;
	long answer;

	while (read(p->orders, &order, sizeof(order)) == sizeof(order)) {
		answer = peer_obey(a, order);
		if (write(p->answers, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	/* End of file: the test has ended. */
	_exit(0);
}

static bool peer_start(struct area *a, struct peer *p)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		return false;
	p->pid = fork();
	if (p->pid < 0)
		return false;
	if (!p->pid) {
		close(to[1]);
		close(from[0]);
		p->orders = to[0];
		p->answers = from[1];
		peer_main(a, p);
	}
	close(to[0]);
	close(from[1]);
	p->orders = to[1];
	p->answers = from[0];
	return true;
}

/* Returns -1 if all is right, or the page that is wrong, or less: an error. */
static long peer_ask(struct peer *p, enum peer_op op, char mark)
{
	const struct peer_order order = { .op = op, .mark = mark };
	long answer;

	if (write(p->orders, &order, sizeof(order)) != sizeof(order) ||
	    read(p->answers, &answer, sizeof(answer)) != sizeof(answer))
		return -1000;
	return answer;
}

static void peer_end(struct peer *p)
{
	close(p->orders);
	close(p->answers);
	waitpid(p->pid, NULL, 0);
}

/* ---- Assertions ---- */

/* The pages of the window that are in want have faulted, the others have not. */
static void __expect_faults(struct __test_metadata *_metadata, struct area *a,
			    const bool *want, bool all, const char *what)
{
	unsigned long i, first_bad = 0, bad = 0;
	bool fault;

	for (i = a->first; i < a->end; i++) {
		fault = want ? want[i] : all;
		if (fault == !!a->faults[i])
			continue;
		if (!bad++)
			first_bad = i;
	}
	EXPECT_EQ(bad, 0) {
		fault = want ? want[first_bad] : all;
		TH_LOG("%s: page %lu: expected %s, got %d; %lu wrong of %lu..%lu",
		       what, first_bad, fault ? "a write fault" : "no write fault",
		       a->faults[first_bad], bad, a->first, a->end - 1);
	}
}

#define expect_no_faults(a, what) \
	__expect_faults(_metadata, a, NULL, false, what)
#define expect_all_fault(a, what) \
	__expect_faults(_metadata, a, NULL, true, what)
#define expect_faults_of(a, want, what) \
	__expect_faults(_metadata, a, want, false, what)

/* Every page of the window at map_ has mark_ in byte 0 and its letter behind. */
#define expect_data(a, map_, mark_, skip, what) do {			\
	struct area *__a = (a);						\
	const char *__map = (map_);					\
	const char __mark = (mark_);					\
	long __i = wrong_page(__a, __map, __mark, skip);		\
									\
	EXPECT_EQ(__i, -1) {						\
		TH_LOG("%s: page %ld: expected '%c' then '%c', got '%c' then '%c'", \
		       what, __i, __mark ? __mark : fill_of(__i), fill_of(__i), \
		       __map[__i * psize()], __map[__i * psize() + 1]);	\
	}								\
} while (0)

/* The same of the pages that the peer shares, as the peer sees them. */
#define expect_peer_data(p, mark_, what) do {				\
	const char __mark = (mark_);					\
	long __i = peer_ask(p, PEER_CHECK, __mark);			\
									\
	EXPECT_EQ(__i, -1) {						\
		TH_LOG("%s: page %ld of the peer: expected '%c' then '%c', got other data", \
		       what, __i, __mark ? __mark : fill_of(__i), fill_of(__i)); \
	}								\
} while (0)

/* The pages of the window that are in want have the pagemap bit, others not. */
static void expect_pagemap(struct __test_metadata *_metadata, struct area *a,
			   unsigned long long bit, const bool *want,
			   bool all, const char *what)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned long i, first_bad = 0, bad = 0;
	bool got;

	ASSERT_GE(fd, 0);
	for (i = a->first; i < a->end; i++) {
		got = pagemap_get_entry(fd, page_at(a, i)) & bit;
		if (got != (want ? want[i] : all) && !bad++)
			first_bad = i;
	}
	close(fd);
	EXPECT_EQ(bad, 0) {
		got = want ? want[first_bad] : all;
		TH_LOG("%s: page %lu: pagemap bit %d: expected %d, got %d; %lu wrong of %lu..%lu",
		       what, first_bad, ffsll(bit) - 1, got, !got, bad,
		       a->first, a->end - 1);
	}
}

/* ---- Setting up a mapping. These return NULL or the reason to skip. ---- */

/* Address space of its own, so that the mapping merges with no other. */
static char *reserve(size_t len, size_t align)
{
	char *p = mmap(NULL, len + 2 * align, PROT_NONE,
		       MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		ksft_exit_fail_perror("mmap of address space");
	return (char *)(((uintptr_t)p + align) & ~(align - 1));
}

static const char *map_area(struct area *a, int flags, size_t align)
{
	const size_t len = a->nr * psize();

	a->map = mmap(reserve(len, align), len, PROT_READ | PROT_WRITE,
		      flags | MAP_FIXED, a->fd, 0);
	return a->map == MAP_FAILED ? "mmap() of the test mapping failed" : NULL;
}

static bool has_folios(struct area *a, int order, int nr)
{
	const int pagemap = open("/proc/self/pagemap", O_RDONLY);
	const int kpageflags = open("/proc/kpageflags", O_RDONLY);
	int orders[NR_ORDERS] = { 0 };
	bool ret;

	ret = !gather_folio_orders(a->map, a->nr * psize(), pagemap, kpageflags,
				   orders, NR_ORDERS) && orders[order] == nr;
	close(pagemap);
	close(kpageflags);
	return ret;
}

/*
 * The folios of a are as they shall be: khugepaged is to leave them alone. While
 * it tries to collapse them, whether or not it can, each access faults. madvise()
 * waits for an attempt that is under way, as it takes the mmap lock for writing.
 */
static void keep_folios(struct area *a)
{
	madvise(a->map, a->nr * psize(), MADV_NOHUGEPAGE);
}

static const char *setup_small(struct area *a)
{
	const char *skip;

	a->nr = NR_SMALL;
	a->first = 1;
	a->end = NR_SMALL - 1;
	skip = map_area(a, MAP_PRIVATE | MAP_ANON, psize());
	if (skip)
		return skip;
	keep_folios(a);
	fill(a);
	return NULL;
}

static const char *setup_mthp(struct area *a, int order)
{
	const unsigned long nr = 1UL << order;
	const char *skip;

	if (geteuid() || !(thp_supported_orders() & nr))
		return "no mTHP of this size here, or not root";
	a->nr = NR_MTHP * nr;
	a->first = 3;
	a->end = a->nr - 3;
	skip = map_area(a, MAP_PRIVATE | MAP_ANON, nr * psize());
	if (skip)
		return skip;
	madvise(a->map, a->nr * psize(), MADV_HUGEPAGE);
	fill(a);
	keep_folios(a);
	if (!has_folios(a, order, NR_MTHP))
		return "no folios of this size were allocated";
	return NULL;
}

static const char *setup_pmd_thp(struct area *a)
{
	const size_t size = thp_available() ? read_pmd_pagesize() : 0;
	const char *skip;

	if (geteuid() || !size || size > MAX_PMD_SIZE)
		return "no PMD-sized THP of up to 32M here, or not root";
	a->nr = size / psize();
	a->first = 0;
	a->end = a->nr;
	skip = map_area(a, MAP_PRIVATE | MAP_ANON, size);
	if (skip)
		return skip;
	madvise(a->map, size, MADV_HUGEPAGE);
	fill(a);
	keep_folios(a);
	if (!check_huge_anon(a->map, size, 1, size))
		return "no PMD-sized THP was allocated";
	return NULL;
}

static const char *setup_pte_thp(struct area *a)
{
	const char *skip = setup_pmd_thp(a);

	if (skip)
		return skip;
	/* Protecting a part makes it PTE-mapped, the folio stays. */
	if (mprotect(page_at(a, 1), psize(), PROT_READ) ||
	    mprotect(page_at(a, 1), psize(), PROT_READ | PROT_WRITE))
		return "mprotect() of one page failed";
	a->first = 7;
	a->end = a->first + NR_WINDOW;
	if (check_huge_anon(a->map, a->nr * psize(), 1, a->nr * psize()) ||
	    !has_folios(a, sz2ord(a->nr, 1), 1))
		return "no PTE-mapped THP could be made";
	return NULL;
}

static int open_local_file(void)
{
	const char *dir = getenv("WRITE_UPGRADE_DIR");
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/write_upgrade_XXXXXX", dir ?: ".");
	fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static bool has_writenotify(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	switch (fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* A file of NR_SMALL filled pages that are clean if the file system cleans. */
static const char *setup_file(struct area *a, bool local, int flags)
{
	char data[NR_SMALL * psize()];
	unsigned long i;

	a->nr = NR_SMALL;
	a->first = 1;
	a->end = NR_SMALL - 1;
	a->fd = local ? open_local_file() : memfd_create("write_upgrade", 0);
	if (a->fd < 0)
		return "no file could be made (set WRITE_UPGRADE_DIR?)";
	for (i = 0; i < a->nr; i++)
		memset(data + i * psize(), fill_of(i), psize());
	/* One write, so that it gets large folios where there are any. */
	if (write(a->fd, data, sizeof(data)) != sizeof(data) || fsync(a->fd))
		return "the file could not be written";
	return map_area(a, flags, psize());
}

static const char *setup_shared(struct area *a)
{
	const char *skip;

	if (a->backing == SHARED_ANON) {
		a->nr = NR_SMALL;
		a->first = 1;
		a->end = NR_SMALL - 1;
		return map_area(a, MAP_SHARED | MAP_ANON, psize());
	}
	skip = setup_file(a, a->backing == SHARED_FILE, MAP_SHARED);
	if (skip)
		return skip;
	if (a->backing == SHARED_FILE && !has_writenotify(a->fd))
		return "not on a file system known to have writenotify (set WRITE_UPGRADE_DIR)";
	a->other = mmap(NULL, a->nr * psize(), PROT_READ, MAP_SHARED, a->fd, 0);
	return a->other == MAP_FAILED ? "second mmap() failed" : NULL;
}

static const char *setup_backing(struct area *a)
{
	switch (a->backing) {
	case ANON:
		return setup_small(a);
	case ANON_MTHP:
		return setup_mthp(a, MTHP_ORDER);
	case ANON_PTE_THP:
		return setup_pte_thp(a);
	case ANON_PMD_THP:
		return setup_pmd_thp(a);
	case PRIVATE_MEMFD:
		return setup_file(a, false, MAP_PRIVATE);
	case PRIVATE_FILE:
		return setup_file(a, true, MAP_PRIVATE);
	default:
		return setup_shared(a);
	}
}

static const char *setup_results(struct area *a)
{
	a->faults = mmap(NULL, a->nr, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANON, -1, 0);
	a->excl = calloc(a->nr, sizeof(*a->excl));
	if (a->faults == MAP_FAILED || !a->excl)
		return "out of memory";
	memset(a->faults, 0, a->nr);
	return NULL;
}

static const char *setup_area(struct area *a, enum backing_type backing, int down)
{
	const char *skip;

	a->backing = backing;
	a->down = down;
	a->fd = -1;
	a->uffd = -1;
	skip = setup_backing(a);
	return skip ?: setup_results(a);
}

/* ---- Private mappings, all pages written by this process ---- */

FIXTURE(write_upgrade)
{
	struct area a;
};

FIXTURE_VARIANT(write_upgrade)
{
	enum backing_type backing;
	int down;
};

FIXTURE_VARIANT_ADD(write_upgrade, anon)
{
	.backing = ANON,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade, anon_none)
{
	.backing = ANON,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade, mthp)
{
	.backing = ANON_MTHP,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade, mthp_none)
{
	.backing = ANON_MTHP,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade, pte_thp)
{
	.backing = ANON_PTE_THP,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade, pte_thp_none)
{
	.backing = ANON_PTE_THP,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade, pmd_thp)
{
	.backing = ANON_PMD_THP,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade, pmd_thp_none)
{
	.backing = ANON_PMD_THP,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade, private_memfd)
{
	.backing = PRIVATE_MEMFD,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade, private_memfd_none)
{
	.backing = PRIVATE_MEMFD,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade, private_file)
{
	.backing = PRIVATE_FILE,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade, private_file_none)
{
	.backing = PRIVATE_FILE,
	.down = PROT_NONE,
};

FIXTURE_SETUP(write_upgrade)
{
	const char *skip = setup_area(&self->a, variant->backing,
				      variant->down);

	if (skip)
		SKIP(return, "%s", skip);
	/* In a private file mapping, this makes the anonymous copies. */
	if (self->a.fd >= 0)
		fill(&self->a);
}

FIXTURE_TEARDOWN(write_upgrade)
{
}

/* Pages of this process alone are upgraded without a later fault. */
TEST_F(write_upgrade, exclusive)
{
	struct area *a = &self->a;

	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "exclusive pages");
	expect_data(a, a->map, 'P', NULL, "exclusive pages");
}

/* An upgrade of the pages one by one, then of a range that ends mid-folio. */
TEST_F(write_upgrade, exclusive_in_pieces)
{
	struct area *a = &self->a;
	const unsigned long nr = a->end - a->first;
	char *window = page_at(a, a->first);

	ASSERT_TRUE(takedown(a));
	ASSERT_EQ(mprotect(window + psize(), psize(), PROT_READ | PROT_WRITE), 0);
	ASSERT_EQ(mprotect(window + 3 * psize(), (nr - 4) * psize(),
			   PROT_READ | PROT_WRITE), 0);
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "pages upgraded in pieces");
}

TEST_F_TIMEOUT(write_upgrade, exclusive_by_page, MANY_CALLS_S)
{
	struct area *a = &self->a;

	a->by_page = true;
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "exclusive pages, one by one");
	expect_data(a, a->map, 'P', NULL, "exclusive pages, one by one");
}

/* Every other page is taken down, then all are upgraded in one call. */
TEST_F_TIMEOUT(write_upgrade, alternate_protections, MANY_CALLS_S)
{
	struct area *a = &self->a;
	unsigned long i;

	for (i = a->first; i < a->end; i += 2)
		ASSERT_EQ(mprotect(page_at(a, i), psize(), a->down), 0);
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "every other page protected");
	expect_data(a, a->map, 'P', NULL, "every other page protected");
}

/* The same of pages shared with a child: none may become writable. */
TEST_F_TIMEOUT(write_upgrade, alternate_protections_shared, MANY_CALLS_S)
{
	struct area *a = &self->a;
	struct peer p;
	unsigned long i;

	ASSERT_TRUE(peer_start(a, &p));
	for (i = a->first; i < a->end; i += 2)
		ASSERT_EQ(mprotect(page_at(a, i), psize(), a->down), 0);
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "shared, every other page protected");
	expect_peer_data(&p, UNMARKED, "shared, every other page protected");
	peer_end(&p);
}

/* The parent upgrades and writes: the child must not see it, and vice versa. */
TEST_F(write_upgrade, fork_parent)
{
	struct area *a = &self->a;
	struct peer p;

	ASSERT_TRUE(peer_start(a, &p));
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "parent writes shared pages");
	expect_peer_data(&p, UNMARKED, "parent wrote");

	ASSERT_EQ(peer_ask(&p, PEER_WRITE, 'C'), -1);
	expect_data(a, a->map, 'P', NULL, "child wrote");
	expect_peer_data(&p, 'C', "child wrote");
	peer_end(&p);
}

/* The child upgrades and writes: the parent must not see it, and vice versa. */
TEST_F(write_upgrade, fork_child)
{
	struct area *a = &self->a;
	struct peer p;

	ASSERT_TRUE(peer_start(a, &p));
	ASSERT_EQ(peer_ask(&p, PEER_UPGRADE, UNMARKED), -1);
	ASSERT_EQ(peer_ask(&p, PEER_WRITE, 'C'), -1);
	expect_all_fault(a, "child writes shared pages");
	expect_data(a, a->map, UNMARKED, NULL, "child wrote");

	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_peer_data(&p, 'C', "parent wrote");
	expect_data(a, a->map, 'P', NULL, "parent wrote");
	peer_end(&p);
}

/* The fork happens between the two changes of protection. */
TEST_F(write_upgrade, fork_while_protected)
{
	struct area *a = &self->a;
	struct peer p;

	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(peer_start(a, &p));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "shared while protected");
	ASSERT_EQ(peer_ask(&p, PEER_UPGRADE, UNMARKED), -1);
	ASSERT_EQ(peer_ask(&p, PEER_WRITE, 'C'), -1);
	expect_data(a, a->map, 'P', NULL, "child wrote");
	expect_peer_data(&p, 'C', "child wrote");
	peer_end(&p);
}

/*
 * After the child's exit nobody else maps the pages. They are not exclusive
 * again before a write fault finds out, but that is not demanded here.
 */
TEST_F(write_upgrade, fork_exited)
{
	struct area *a = &self->a;
	unsigned long i, faults = 0;
	struct peer p;

	ASSERT_TRUE(peer_start(a, &p));
	peer_end(&p);
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	for (i = a->first; i < a->end; i++)
		faults += a->faults[i];
	EXPECT_LE(faults, a->end - a->first) {
		TH_LOG("after the child's exit: more than one fault per page");
	}
	expect_data(a, a->map, 'P', NULL, "after the child's exit");

	/* The write has made them exclusive, whatever it took. */
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'Q', NULL);
	expect_no_faults(a, "second upgrade after the child's exit");
	expect_data(a, a->map, 'Q', NULL, "second upgrade");
}

/*
 * Lazily freed pages are exclusive, but clean until the next write, and lost if
 * they are clean when memory is reclaimed: half of them are written before their
 * protection changes, the others after that.
 */
TEST_F(write_upgrade, lazyfree)
{
	struct area *a = &self->a;
	unsigned long i;

	if (a->fd >= 0)
		SKIP(return, "MADV_FREE is for anonymous mappings");
	ASSERT_EQ(madvise(a->map, a->nr * psize(), MADV_FREE), 0);
	for (i = a->first; i < a->end; i += 2)
		memset(page_at(a, i), fill_of(i), psize());
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	for (i = a->first + 1; i < a->end; i += 2)
		memset(page_at(a, i), fill_of(i), psize());
	madvise(a->map, a->nr * psize(), MADV_PAGEOUT);
	expect_data(a, a->map, UNMARKED, NULL, "written after MADV_FREE");
}

/* Pages of other folios in the midst of large ones: each keeps its own page. */
TEST_F(write_upgrade, replaced_pages)
{
	struct area *a = &self->a;
	unsigned long i;

	if (a->fd >= 0)
		SKIP(return, "MADV_DONTNEED brings the page of the file back");
	for (i = a->first + 2; i < a->end; i += 5) {
		ASSERT_EQ(madvise(page_at(a, i), psize(), MADV_DONTNEED), 0);
		memset(page_at(a, i), fill_of(i), psize());
	}
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	expect_data(a, a->map, UNMARKED, NULL, "pages replaced");
	write_window(a, 'P', NULL);
	expect_no_faults(a, "pages replaced");
	expect_data(a, a->map, 'P', NULL, "pages replaced");
}

/* Every third page is in swap: that one faults, its neighbours do not. */
TEST_F(write_upgrade, swapped_neighbours)
{
	struct area *a = &self->a;
	const int pagemap = open("/proc/self/pagemap", O_RDONLY);
	unsigned long i, nr = 0;
	bool want[a->nr];

	ASSERT_GE(pagemap, 0);
	for (i = a->first; i < a->end; i++) {
		want[i] = i % 3 == 0;
		if (!want[i])
			continue;
		madvise(page_at(a, i), psize(), MADV_PAGEOUT);
		nr += !(pagemap_get_entry(pagemap, page_at(a, i)) & PM_SWAP);
	}
	close(pagemap);
	if (nr)
		SKIP(return, "pages were not swapped out: no swap?");
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_faults_of(a, want, "every third page swapped out");
	expect_data(a, a->map, 'P', NULL, "every third page swapped out");
}

/*
 * Pages that are pinned stay with who pinned them, also after a fork(): the child
 * gets copies. What is written after an upgrade is seen through the pin.
 */
TEST_F(write_upgrade, pinned)
{
	struct area *a = &self->a;
	const size_t len = (a->end - a->first) * psize();
	const int gup = open("/sys/kernel/debug/gup_test", O_RDWR);
	struct pin_longterm_test pin = {
		.addr = (uintptr_t)page_at(a, a->first),
		.size = len,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	char *seen = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANON | MAP_POPULATE, -1, 0);
	__u64 to = (uintptr_t)seen;
	struct peer p;

	if (gup < 0)
		SKIP(return, "no gup_test in debugfs, or not root");
	ASSERT_NE(seen, MAP_FAILED);
	if (ioctl(gup, PIN_LONGTERM_TEST_START, &pin))
		SKIP(return, "these pages cannot be pinned for long");
	ASSERT_TRUE(peer_start(a, &p));
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "pinned pages");
	expect_data(a, a->map, 'P', NULL, "pinned pages");
	ASSERT_EQ(ioctl(gup, PIN_LONGTERM_TEST_READ, &to), 0);
	expect_data(a, seen - a->first * psize(), 'P', NULL, "through the pin");
	expect_peer_data(&p, UNMARKED, "pinned pages of the parent");
	peer_end(&p);
	ioctl(gup, PIN_LONGTERM_TEST_STOP);
	close(gup);
}

/* ---- Migration ---- */

#define MIGRATION_MS	400
#define MIGRATION_LIMIT_MS	6000	/* where that is too short for some moves, */
#define MANY_MOVES	40		/* ... which is so many */

/* A thread that moves the pages of the window to the other node, and back. */
struct mover {
	pthread_t thread;
	struct area *a;
	atomic_bool stop;
	atomic_ulong moves;
};

static void *move_pages_about(void *arg)
{
	struct mover *mover = arg;
	struct area *a = mover->a;
	const unsigned long nr = a->end - a->first;
	int nodes[nr], status[nr];
	void *pages[nr];
	unsigned long i;
	int node = 0;

	for (i = 0; i < nr; i++)
		pages[i] = page_at(a, a->first + i);
	for (; !mover->stop; node = !node) {
		for (i = 0; i < nr; i++)
			nodes[i] = node;
		if (syscall(__NR_move_pages, 0, nr, pages, nodes, status, MPOL_MF_MOVE) < 0)
			break;
		mover->moves += status[0] == node;
	}
	return NULL;
}

static long ms_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - begin->tv_sec) * 1000 +
	       (now.tv_nsec - begin->tv_nsec) / 1000000;
}

/* Nothing but memory survives the jump out of the signal handler. */
static bool try_write(char *p, char c)
{
	if (sigsetjmp(on_signal, 1))
		return false;
	atomic_store_explicit((atomic_char *)p, c, memory_order_relaxed);
	return true;
}

/* How many of some of the pages, present again, can be written to? */
static unsigned long writable_pages(struct area *a)
{
	const unsigned long step = (a->end - a->first + 15) / 16;
	unsigned long i, writable = 0;

	for (i = a->first; i < a->end; i += step) {
		FORCE_READ(*page_at(a, i));
		writable += try_write(page_at(a, i), fill_of(i));
	}
	return writable;
}

/*
 * Permissions change while a page is in migration, and has an entry that says what
 * it will be allowed. Once it is read-only, it stays so when the migration ends.
 */
TEST_F(write_upgrade, migrating)
{
	struct mover mover = { .a = &self->a };
	struct area *a = &self->a;
	unsigned long rounds = 0, writable = 0;
	struct timespec begin;
	long ms;

	if (access(SECOND_NODE, F_OK))
		SKIP(return, "fewer than two NUMA nodes");
	catch(SIGSEGV);
	ASSERT_EQ(pthread_create(&mover.thread, NULL, move_pages_about, &mover), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		/* Reading has waited for the end of a migration. */
		usleep(rounds % 16 * 500);
		ASSERT_TRUE(takedown(a));
		ASSERT_EQ(protect_window(a, PROT_READ), 0);
		writable += writable_pages(a);
		ASSERT_TRUE(upgrade(a));
		ms = ms_since(&begin);
	} while (rounds++ < 10 || ms < MIGRATION_MS ||
		 (mover.moves < MANY_MOVES && ms < MIGRATION_LIMIT_MS));
	mover.stop = true;
	pthread_join(mover.thread, NULL);
	if (mover.moves < 2)
		SKIP(return, "pages could not be moved to the other node and back");
	EXPECT_EQ(writable, 0) {
		TH_LOG("%lu writes to read-only pages, in %lu rounds, %lu moves",
		       writable, rounds, mover.moves);
	}
	write_window(a, 'P', NULL);
	expect_data(a, a->map, 'P', NULL, "pages that were moved");
}

/* ---- Folios that are shared in part ---- */

/* Tells whether page i is to be exclusive. */
typedef bool (*pattern_fn)(const struct area *a, unsigned long i);

static bool first_half_exclusive(const struct area *a, unsigned long i)
{
	/* Three pages off: the border must not be that of a folio. */
	return i < (a->first + a->end) / 2 + 3;
}

static bool odd_exclusive(const struct area *a, unsigned long i)
{
	return i >= a->first && i < a->end && i % 2;
}

static bool middle_shared(const struct area *a, unsigned long i)
{
	const unsigned long third = (a->end - a->first) / 3;

	return i < a->first + third || i >= a->end - third;
}

static bool head_exclusive(const struct area *a, unsigned long i)
{
	return i < a->first;
}

static bool head_shared(const struct area *a, unsigned long i)
{
	return i >= a->first;
}

/* madvise() each run of exclusive pages. */
static bool advise_exclusive(struct area *a, int advice)
{
	unsigned long i = 0, start;

	while (i < a->nr) {
		if (!a->excl[i++])
			continue;
		start = i - 1;
		while (i < a->nr && a->excl[i])
			i++;
		if (madvise(page_at(a, start), (i - start) * psize(), advice))
			return false;
	}
	return true;
}

static bool is_one_vma(struct area *a)
{
	struct procmap_fd procmap;
	bool one;

	if (open_self_procmap(&procmap))
		return false;
	one = find_vma_procmap(&procmap, a->map) &&
	      procmap.query.vma_start == (uintptr_t)a->map &&
	      procmap.query.vma_end == (uintptr_t)a->map + a->nr * psize();
	close_procmap(&procmap);
	return one;
}

/*
 * Fork so that only some pages are shared. Afterwards it is one VMA again: one
 * batch of PTEs can have pages of both kinds.
 */
static bool share_in_part(struct area *a, struct peer *p, pattern_fn exclusive)
{
	unsigned long i;

	for (i = 0; i < a->nr; i++)
		a->excl[i] = exclusive(a, i);
	return advise_exclusive(a, MADV_DONTFORK) && peer_start(a, p) &&
	       !madvise(a->map, a->nr * psize(), MADV_DOFORK) && is_one_vma(a);
}

/* After write_window(a, 'P'): faults and data on both sides. */
static void check_shared_in_part(struct __test_metadata *_metadata,
				 struct area *a, struct peer *p)
{
	bool want[a->nr];
	unsigned long i;

	for (i = 0; i < a->nr; i++)
		want[i] = !a->excl[i];
	expect_faults_of(a, want, "partly shared");
	expect_data(a, a->map, 'P', NULL, "partly shared, parent wrote");
	expect_peer_data(p, UNMARKED, "partly shared, parent wrote");
	EXPECT_EQ(peer_ask(p, PEER_WRITE, 'C'), -1);
	expect_data(a, a->map, 'P', NULL, "partly shared, child wrote");
	expect_peer_data(p, 'C', "partly shared, child wrote");
}

static void partly_shared(struct __test_metadata *_metadata, struct area *a,
			  pattern_fn exclusive)
{
	struct peer p;

	ASSERT_TRUE(share_in_part(a, &p, exclusive));
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	check_shared_in_part(_metadata, a, &p);
	peer_end(&p);
}

TEST_F(write_upgrade, shared_second_half)
{
	partly_shared(_metadata, &self->a, first_half_exclusive);
}

TEST_F_TIMEOUT(write_upgrade, shared_even, MANY_CALLS_S)
{
	partly_shared(_metadata, &self->a, odd_exclusive);
}

TEST_F(write_upgrade, shared_middle)
{
	partly_shared(_metadata, &self->a, middle_shared);
}

/* The verdict must not come from the folio's first page, outside the range. */
TEST_F(write_upgrade, shared_behind_head)
{
	partly_shared(_metadata, &self->a, head_exclusive);
}

TEST_F(write_upgrade, shared_head)
{
	partly_shared(_metadata, &self->a, head_shared);
}

TEST_F_TIMEOUT(write_upgrade, shared_even_by_page, MANY_CALLS_S)
{
	self->a.by_page = true;
	partly_shared(_metadata, &self->a, odd_exclusive);
}

/* ---- Trackers of writes ---- */

static bool clear_and_toggle(struct area *a, bool within)
{
	if (!within)
		clear_softdirty();
	if (!takedown(a))
		return false;
	if (within)
		clear_softdirty();
	return upgrade(a);
}

/* A write after the bits were cleared, before or within the toggle, is seen. */
static void soft_dirty(struct __test_metadata *_metadata, struct area *a,
		       bool within)
{
	if (!softdirty_supported())
		SKIP(return, "no soft-dirty tracking in this kernel");
	ASSERT_TRUE(clear_and_toggle(a, within));
	write_window(a, 'P', NULL);
	expect_pagemap(_metadata, a, PM_SOFT_DIRTY, NULL, true, "written");
}

/* Nobody has written: the toggle alone must not look like a write. */
static void soft_dirty_unwritten(struct __test_metadata *_metadata,
				 struct area *a)
{
	if (!softdirty_supported())
		SKIP(return, "no soft-dirty tracking in this kernel");
	ASSERT_TRUE(clear_and_toggle(a, false));
	expect_pagemap(_metadata, a, PM_SOFT_DIRTY, NULL, false, "not written");
}

TEST_F(write_upgrade, soft_dirty_cleared_before)
{
	soft_dirty(_metadata, &self->a, false);
}

TEST_F(write_upgrade, soft_dirty_cleared_within)
{
	soft_dirty(_metadata, &self->a, true);
}

TEST_F_TIMEOUT(write_upgrade, soft_dirty_cleared_within_by_page, MANY_CALLS_S)
{
	self->a.by_page = true;
	soft_dirty(_metadata, &self->a, true);
}

TEST_F(write_upgrade, soft_dirty_unwritten)
{
	soft_dirty_unwritten(_metadata, &self->a);
}

/*
 * Returns NULL or the reason to skip. Resolved by the kernel (WP_ASYNC): a page
 * that is armed takes a fault, but nothing needs to wait for another thread.
 */
static const char *uffd_open(struct area *a)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC |
			    UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};

	a->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (a->uffd < 0)
		return "no userfaultfd here, or not permitted";
	if (ioctl(a->uffd, UFFDIO_API, &api))
		return "userfaultfd has no WP_ASYNC here";
	if (uffd_register(a->uffd, a->map, a->nr * psize(), false, true, false))
		return "the mapping cannot be registered for uffd-wp";
	return NULL;
}

static int uffd_protect(struct area *a, unsigned long i, unsigned long nr,
			bool arm)
{
	struct uffdio_writeprotect wp = {
		.range = {
			.start = (uintptr_t)page_at(a, i),
			.len = nr * psize(),
		},
		.mode = arm ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(a->uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* Arm every third page of the window, then toggle. Fills in armed[]. */
static bool arm_and_toggle(struct area *a, bool *armed)
{
	unsigned long i;

	for (i = a->first; i < a->end; i++) {
		armed[i] = i % 3 == 0;
		if (armed[i] && uffd_protect(a, i, 1, true))
			return false;
	}
	return takedown(a) && upgrade(a);
}

/* Pages that are armed still trap after the upgrade. */
static void uffd_armed(struct __test_metadata *_metadata, struct area *a)
{
	const char *skip = uffd_open(a);
	bool armed[a->nr];

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(arm_and_toggle(a, armed));
	expect_pagemap(_metadata, a, PM_UFFD_WP, armed, false, "upgraded");
	write_window(a, 'P', armed);
	expect_faults_of(a, armed, "armed pages");
	expect_pagemap(_metadata, a, PM_UFFD_WP, NULL, false, "written");
}

/* Pages between them that are not armed do not. */
static void uffd_unarmed(struct __test_metadata *_metadata, struct area *a)
{
	const char *skip = uffd_open(a);
	bool armed[a->nr], unarmed[a->nr];
	unsigned long i;

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(arm_and_toggle(a, armed));
	for (i = a->first; i < a->end; i++)
		unarmed[i] = !armed[i];
	write_window(a, 'P', unarmed);
	expect_no_faults(a, "pages that are not armed");
	expect_pagemap(_metadata, a, PM_UFFD_WP, armed, false, "neighbours written");
}

TEST_F(write_upgrade, uffd_wp_armed)
{
	uffd_armed(_metadata, &self->a);
}

TEST_F_TIMEOUT(write_upgrade, uffd_wp_armed_by_page, MANY_CALLS_S)
{
	self->a.by_page = true;
	uffd_armed(_metadata, &self->a);
}

TEST_F(write_upgrade, uffd_wp_unarmed)
{
	uffd_unarmed(_metadata, &self->a);
}

/* From here on pages can be armed for any access. Returns the reason why not. */
static const char *rwp_open(struct area *a)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC,
	};
	struct uffdio_register reg = {
		.range = { (uintptr_t)a->map, a->nr * psize() },
		.mode = UFFDIO_REGISTER_MODE_RWP,
	};

	a->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (a->uffd < 0 || ioctl(a->uffd, UFFDIO_API, &api) ||
	    ioctl(a->uffd, UFFDIO_REGISTER, &reg))
		return "no userfaultfd with RWP here, or not permitted";
	return NULL;
}

static int rwp_arm(struct area *a, unsigned long first, unsigned long nr)
{
	struct uffdio_rwprotect arm = {
		.range = { (uintptr_t)page_at(a, first), nr * psize() },
		.mode = UFFDIO_RWPROTECT_MODE_RWP,
	};

	return ioctl(a->uffd, UFFDIO_RWPROTECT, &arm);
}

/* Pages armed for any access trap the next one, a read too. */
TEST_F(write_upgrade, rwp_armed)
{
	struct area *a = &self->a;
	const char *skip = rwp_open(a);
	unsigned long i;

	if (skip)
		SKIP(return, "%s", skip);
	for (i = a->first; i < a->end; i += 3)
		ASSERT_EQ(rwp_arm(a, i, 1), 0);
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	settle_faults();
	for (i = a->first; i < a->end; i++) {
		EXPECT_EQ(read_faults(page_at(a, i)), (i - a->first) % 3 == 0) {
			TH_LOG("page %lu", i);
		}
	}
	write_window(a, 'P', NULL);
	expect_no_faults(a, "after the traps");
	expect_data(a, a->map, 'P', NULL, "after the traps");
}

/* As one range: where a PMD is armed, one read disarms all of it. */
TEST_F(write_upgrade, rwp_armed_as_one)
{
	struct area *a = &self->a;
	const char *skip = rwp_open(a);
	unsigned long i, faults = 0;

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(rwp_arm(a, a->first, a->end - a->first), 0);
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	settle_faults();
	for (i = a->first; i < a->end; i++)
		faults += read_faults(page_at(a, i));
	EXPECT_EQ(faults, a->backing == ANON_PMD_THP ? 1 : a->end - a->first);
	write_window(a, 'P', NULL);
	expect_no_faults(a, "after the traps");
	expect_data(a, a->map, 'P', NULL, "after the traps");
}

/* As one range: a PMD stays a PMD. */
TEST_F(write_upgrade, uffd_wp_armed_as_one)
{
	struct area *a = &self->a;
	const char *skip = uffd_open(a);

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(uffd_protect(a, a->first, a->end - a->first, true), 0);
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	expect_pagemap(_metadata, a, PM_UFFD_WP, NULL, true, "upgraded");
	write_window(a, 'P', NULL);
	expect_all_fault(a, "armed pages");
	expect_pagemap(_metadata, a, PM_UFFD_WP, NULL, false, "written");
}

/* Lifting a uffd protection is an upgrade: no fault is left to take. */
TEST_F(write_upgrade, uffd_unprotect)
{
	struct area *a = &self->a;
	const unsigned long nr = a->end - a->first;
	const char *skip = uffd_open(a);

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(uffd_protect(a, a->first, nr, true), 0);
	ASSERT_EQ(uffd_protect(a, a->first, nr, false), 0);
	write_window(a, 'P', NULL);
	expect_no_faults(a, "uffd protection lifted");

	/* Lifted while the mapping is not writable: mprotect() upgrades. */
	ASSERT_EQ(uffd_protect(a, a->first, nr, true), 0);
	ASSERT_TRUE(takedown(a));
	ASSERT_EQ(uffd_protect(a, a->first, nr, false), 0);
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'Q', NULL);
	expect_no_faults(a, "uffd protection lifted while protected");
	expect_data(a, a->map, 'Q', NULL, "uffd protection lifted");
}

/* ... but not for the pages that are shared with a child. */
TEST_F(write_upgrade, uffd_unprotect_partly_shared)
{
	struct area *a = &self->a;
	const unsigned long nr = a->end - a->first;
	const char *skip;
	struct peer p;

	ASSERT_TRUE(share_in_part(a, &p, middle_shared));
	skip = uffd_open(a);
	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(uffd_protect(a, a->first, nr, true), 0);
	ASSERT_EQ(uffd_protect(a, a->first, nr, false), 0);
	write_window(a, 'P', NULL);
	check_shared_in_part(_metadata, a, &p);
	peer_end(&p);
}

/* ---- Private mappings of pages that this process has not written ---- */

FIXTURE(write_upgrade_clean)
{
	struct area a;
};

FIXTURE_VARIANT(write_upgrade_clean)
{
	enum backing_type backing;
	int down;
};

FIXTURE_VARIANT_ADD(write_upgrade_clean, memfd)
{
	.backing = PRIVATE_MEMFD,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_clean, memfd_none)
{
	.backing = PRIVATE_MEMFD,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade_clean, file)
{
	.backing = PRIVATE_FILE,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_clean, file_none)
{
	.backing = PRIVATE_FILE,
	.down = PROT_NONE,
};

FIXTURE_SETUP(write_upgrade_clean)
{
	const char *skip = setup_area(&self->a, variant->backing,
				      variant->down);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(write_upgrade_clean)
{
}

/* The write makes a private copy, the file keeps its data. */
TEST_F(write_upgrade_clean, private_file)
{
	struct area *a = &self->a;
	char *file = mmap(NULL, a->nr * psize(), PROT_READ, MAP_SHARED, a->fd, 0);

	ASSERT_NE(file, MAP_FAILED);
	force_read_pages(a->map, a->nr, psize());
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "pages of the file");
	expect_data(a, a->map, 'P', NULL, "private copy");
	expect_data(a, file, UNMARKED, NULL, "the file");
}

/* ---- The zero page, and a mixture of everything ---- */

FIXTURE(write_upgrade_zero)
{
	struct area a;
};

FIXTURE_VARIANT(write_upgrade_zero)
{
	int down;
};

FIXTURE_VARIANT_ADD(write_upgrade_zero, ro)
{
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_zero, none)
{
	.down = PROT_NONE,
};

FIXTURE_SETUP(write_upgrade_zero)
{
	const char *skip = setup_area(&self->a, ANON, variant->down);

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(madvise(self->a.map, self->a.nr * psize(), MADV_DONTNEED), 0);
}

FIXTURE_TEARDOWN(write_upgrade_zero)
{
}

static bool is_zero(const char *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

/* Each write gets a page of its own, other mappings still read zeroes. */
TEST_F(write_upgrade_zero, small)
{
	struct area *a = &self->a;
	const size_t len = a->nr * psize();
	char *other = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0);
	unsigned long i;

	ASSERT_NE(other, MAP_FAILED);
	force_read_pages(a->map, a->nr, psize());
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "zero pages");
	for (i = a->first; i < a->end; i++) {
		EXPECT_EQ(page_at(a, i)[0], 'P');
		EXPECT_TRUE(is_zero(page_at(a, i) + 1, psize() - 1)) {
			TH_LOG("page %lu: expected zeroes behind byte 0", i);
		}
	}
	EXPECT_TRUE(is_zero(other, len)) {
		TH_LOG("another mapping of the zero page has changed");
	}
}

TEST_F(write_upgrade_zero, huge)
{
	const size_t size = thp_available() ? read_pmd_pagesize() : 0;
	char *p, *other;

	if (geteuid() || !size || size > MAX_PMD_SIZE || !detect_huge_zeropage())
		SKIP(return, "no huge zero page of up to 32M here, or not root");
	p = reserve(2 * size, size);
	ASSERT_EQ(mprotect(p, 2 * size, PROT_READ | PROT_WRITE), 0);
	ASSERT_EQ(madvise(p, 2 * size, MADV_HUGEPAGE), 0);
	other = p + size;
	FORCE_READ(*p);
	FORCE_READ(*other);

	ASSERT_EQ(mprotect(p, size, variant->down), 0);
	ASSERT_EQ(mprotect(p, size, PROT_READ | PROT_WRITE), 0);
	settle_faults();
	EXPECT_GE(write_faults(p, 'P'), 1) {
		TH_LOG("huge zero page: expected a write fault, got none");
	}
	p[size - 1] = 'Q';
	EXPECT_EQ(p[0], 'P');
	EXPECT_TRUE(is_zero(p + 1, size - 2));
	EXPECT_TRUE(is_zero(other, size)) {
		TH_LOG("another mapping of the huge zero page has changed");
	}
}

enum { WRITTEN, ZERO, HOLE, GUARD, NR_KINDS };

/* What is mapped next to a page has no influence on it. */
TEST_F(write_upgrade_zero, neighbours)
{
	struct area *a = &self->a;
	bool accessible[a->nr], want[a->nr], guard[a->nr];
	unsigned long i;

	for (i = 0; i < a->nr; i++) {
		want[i] = i % NR_KINDS == ZERO || i % NR_KINDS == HOLE;
		guard[i] = i % NR_KINDS == GUARD;
		accessible[i] = !guard[i];
		if (i % NR_KINDS == WRITTEN)
			memset(page_at(a, i), fill_of(i), psize());
		else if (i % NR_KINDS == ZERO)
			FORCE_READ(*page_at(a, i));
		else if (guard[i] &&
			 madvise(page_at(a, i), psize(), MADV_GUARD_INSTALL))
			SKIP(return, "no guard pages in this kernel");
	}
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	expect_pagemap(_metadata, a, PM_GUARD_REGION, guard, false, "guard pages");
	write_window(a, 'P', accessible);
	expect_faults_of(a, want, "zero page and hole, but not the written page");
}

/* ---- KSM ---- */

FIXTURE(write_upgrade_ksm)
{
	struct area a;
	long run;		/* what KSM did before, -1: not touched */
	long zero;		/* and whether it took the zero page for zeroes */
};

FIXTURE_VARIANT(write_upgrade_ksm)
{
	int down;
};

FIXTURE_VARIANT_ADD(write_upgrade_ksm, ro)
{
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_ksm, none)
{
	.down = PROT_NONE,
};

FIXTURE_SETUP(write_upgrade_ksm)
{
	const char *skip = setup_area(&self->a, ANON, variant->down);

	self->run = -1;
	if (skip)
		SKIP(return, "%s", skip);
	if (access(KSM_RUN, W_OK))
		SKIP(return, "no KSM here, or not root");
	self->run = read_num(KSM_RUN);
	self->zero = read_num(KSM_ZERO);
}

FIXTURE_TEARDOWN(write_upgrade_ksm)
{
	if (self->run < 0)
		return;
	ksm_stop();
	write_num(KSM_ZERO, self->zero);
	write_num(KSM_RUN, self->run);
}

/* All pages are merged into one: a write to each must leave the others alone. */
TEST_F(write_upgrade_ksm, merged)
{
	struct area *a = &self->a;
	unsigned long i;

	memset(a->map, 'k', a->nr * psize());
	ASSERT_EQ(madvise(a->map, a->nr * psize(), MADV_MERGEABLE), 0);
	ASSERT_EQ(ksm_start(), 0);
	if (ksm_get_self_merging_pages() < (long)a->nr - 1)
		SKIP(return, "KSM has not merged the pages in two scans");
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "KSM pages");
	for (i = 0; i < a->nr; i++) {
		const char want = i >= a->first && i < a->end ? 'P' : 'k';

		EXPECT_EQ(page_at(a, i)[0], want) {
			TH_LOG("page %lu: expected '%c', got '%c'", i, want,
			       page_at(a, i)[0]);
		}
	}
}

/*
 * Pages of zeroes are merged into the zero page, and marked dirty to tell them from what
 * a read fault maps. A kernel that takes a dirty zero page for a mistake warns here.
 */
TEST_F(write_upgrade_ksm, zero_merged)
{
	struct area *a = &self->a;
	unsigned long i;

	memset(a->map, 'k', a->nr * psize());
	memset(a->map, 0, a->nr * psize());
	ASSERT_EQ(madvise(a->map, a->nr * psize(), MADV_MERGEABLE), 0);
	ASSERT_EQ(ksm_use_zero_pages(), 0);
	ASSERT_EQ(ksm_start(), 0);
	if (ksm_get_self_zero_pages() < (long)a->nr)
		SKIP(return, "KSM has not found the pages of zeroes in two scans");
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "KSM zero pages");
	for (i = 0; i < a->nr; i++) {
		const char want = i >= a->first && i < a->end ? 'P' : 0;

		EXPECT_EQ(page_at(a, i)[0], want) {
			TH_LOG("page %lu: expected %#x, got %#x", i, want,
			       page_at(a, i)[0]);
		}
		EXPECT_TRUE(is_zero(page_at(a, i) + 1, psize() - 1));
	}
}

/* ---- Shared mappings ---- */

FIXTURE(write_upgrade_shared)
{
	struct area a;
};

FIXTURE_VARIANT(write_upgrade_shared)
{
	enum backing_type backing;
	int down;
};

FIXTURE_VARIANT_ADD(write_upgrade_shared, anon)
{
	.backing = SHARED_ANON,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_shared, anon_none)
{
	.backing = SHARED_ANON,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade_shared, memfd)
{
	.backing = SHARED_MEMFD,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_shared, memfd_none)
{
	.backing = SHARED_MEMFD,
	.down = PROT_NONE,
};

FIXTURE_VARIANT_ADD(write_upgrade_shared, file)
{
	.backing = SHARED_FILE,
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(write_upgrade_shared, file_none)
{
	.backing = SHARED_FILE,
	.down = PROT_NONE,
};

FIXTURE_SETUP(write_upgrade_shared)
{
	const char *skip = setup_area(&self->a, variant->backing,
				      variant->down);

	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(write_upgrade_shared)
{
}

/* Dirty pages are upgraded without a fault; everybody sees the data. */
TEST_F(write_upgrade_shared, written)
{
	struct area *a = &self->a;
	struct peer p;

	fill(a);
	ASSERT_TRUE(peer_start(a, &p));
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "dirty shared pages");
	expect_peer_data(&p, 'P', "dirty shared pages");
	if (a->other)
		expect_data(a, a->other, 'P', NULL, "the other mapping");
	peer_end(&p);
}

/*
 * A file system with writenotify must hear of each write to a clean page: it
 * sets the time of modification in its page_mkwrite(). It begins long ago here,
 * since a file system may know nothing finer than seconds.
 */
TEST_F(write_upgrade_shared, clean)
{
	const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct area *a = &self->a;
	struct stat st;

	if (a->backing != SHARED_FILE)
		SKIP(return, "no writenotify in this mapping");
	force_read_pages(a->map, a->nr, psize());
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	ASSERT_EQ(futimens(a->fd, long_ago), 0);
	write_window(a, 'P', NULL);
	ASSERT_EQ(fstat(a->fd, &st), 0);
	expect_all_fault(a, "clean pages of a writenotify file");
	EXPECT_NE(st.st_mtim.tv_sec, long_ago[1].tv_sec) {
		TH_LOG("the file system has not noticed the write");
	}
	expect_data(a, a->other, 'P', NULL, "the other mapping");
}

/* Read all pages, then write every third. */
static void dirty_some(struct area *a, bool *clean)
{
	unsigned long i;

	force_read_pages(a->map, a->nr, psize());
	for (i = 0; i < a->nr; i++) {
		clean[i] = i % 3;
		if (!clean[i])
			*page_at(a, i) = 'x';
	}
}

/*
 * A page is not dirty because its neighbour is, not even in the same folio: it
 * takes its own write fault.
 */
TEST_F(write_upgrade_shared, clean_and_written)
{
	struct area *a = &self->a;
	bool clean[a->nr];

	if (a->backing != SHARED_FILE)
		SKIP(return, "no writenotify in this mapping");
#ifdef __aarch64__
	SKIP(return, "contiguous entries of arm64 share their dirty bit");
#endif
	dirty_some(a, clean);
	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_faults_of(a, clean, "clean next to dirty pages");
	expect_data(a, a->other, 'P', NULL, "the other mapping");
}

/* ... also when soft-dirty bits do not tell the pages apart. */
TEST_F(write_upgrade_shared, clean_and_written_soft_dirty)
{
	struct area *a = &self->a;
	bool clean[a->nr];

	if (a->backing != SHARED_FILE)
		SKIP(return, "no writenotify in this mapping");
	if (!softdirty_supported())
		SKIP(return, "no soft-dirty tracking in this kernel");
	dirty_some(a, clean);
	ASSERT_TRUE(clear_and_toggle(a, false));
	write_window(a, 'P', NULL);
	expect_all_fault(a, "clean next to dirty pages, soft-dirty cleared");
}

TEST_F(write_upgrade_shared, soft_dirty_cleared_before)
{
	fill(&self->a);
	soft_dirty(_metadata, &self->a, false);
}

TEST_F(write_upgrade_shared, soft_dirty_cleared_within)
{
	fill(&self->a);
	soft_dirty(_metadata, &self->a, true);
}

TEST_F(write_upgrade_shared, soft_dirty_unwritten)
{
	fill(&self->a);
	soft_dirty_unwritten(_metadata, &self->a);
}

/* A VMA registered for uffd-wp has writenotify, whatever the file system. */
TEST_F(write_upgrade_shared, uffd_wp_armed)
{
	fill(&self->a);
	uffd_armed(_metadata, &self->a);
}

TEST_F(write_upgrade_shared, uffd_wp_unarmed)
{
	fill(&self->a);
	uffd_unarmed(_metadata, &self->a);
}

TEST_F(write_upgrade_shared, uffd_unprotect)
{
	struct area *a = &self->a;
	const unsigned long nr = a->end - a->first;
	const char *skip = uffd_open(a);

	if (skip)
		SKIP(return, "%s", skip);
	fill(a);
	ASSERT_EQ(uffd_protect(a, a->first, nr, true), 0);
	ASSERT_EQ(uffd_protect(a, a->first, nr, false), 0);
	write_window(a, 'P', NULL);
	expect_no_faults(a, "uffd protection lifted");
	expect_data(a, a->map, 'P', NULL, "uffd protection lifted");
}

/* ---- A full file system: a write to a hole of a file must not get lost ---- */

/* Write until there is no space left. Returns the file, or -1. */
static int fill_file_system(void)
{
	static char data[1 << 20];
	const int fd = open_local_file();
	size_t size = sizeof(data);
	ssize_t n;

	memset(data, 'x', sizeof(data));
	while (fd >= 0 && size >= 512) {
		n = write(fd, data, size);
		if (n < 0 && errno != ENOSPC)
			break;
		if (n < (ssize_t)size)
			size /= 2;
	}
	if (fd >= 0)
		fsync(fd);
	return fd;
}

TEST(write_upgrade_full_file_system)
{
	struct area a = { .nr = NR_SMALL, .first = 1, .end = NR_SMALL - 1,
			  .down = PROT_READ };
	unsigned long i, signals = 0;
	const char *skip = NULL;
	struct statfs fs;
	int filler;

	a.fd = open_local_file();
	if (a.fd < 0 || !has_writenotify(a.fd))
		SKIP(return, "no file system known to have writenotify");
	if (fstatfs(a.fd, &fs) || fs.f_blocks * fs.f_bsize > 1UL << 30)
		SKIP(return, "the file system is too large to be filled");
	ASSERT_EQ(ftruncate(a.fd, a.nr * psize()), 0);
	skip = map_area(&a, MAP_SHARED, psize());
	if (skip)
		SKIP(return, "%s", skip);
	filler = fill_file_system();
	ASSERT_GE(filler, 0);
	catch(SIGBUS);
	force_read_pages(a.map, a.nr, psize());
	ASSERT_TRUE(takedown(&a));
	ASSERT_TRUE(upgrade(&a));
	for (i = a.first; i < a.end; i++) {
		if (sigsetjmp(on_signal, 1))
			signals++;
		else
			write_faults(page_at(&a, i), 'P');
	}
	close(filler);
	EXPECT_EQ(signals, a.end - a.first) {
		TH_LOG("writes to holes of a file, with no space left, were taken");
	}
}

/* ---- Each size of mTHP ---- */

FIXTURE(write_upgrade_mthp)
{
	struct area a;
	bool pushed;
};

FIXTURE_VARIANT(write_upgrade_mthp)
{
	int order;
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_2)
{
	.order = 2,
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_3)
{
	.order = 3,
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_4)
{
	.order = 4,
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_5)
{
	.order = 5,
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_6)
{
	.order = 6,
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_7)
{
	.order = 7,
};

FIXTURE_VARIANT_ADD(write_upgrade_mthp, order_8)
{
	.order = 8,
};

FIXTURE_SETUP(write_upgrade_mthp)
{
	struct thp_settings settings;
	const char *skip;
	int i;

	self->a = (struct area){ .backing = ANON_MTHP, .down = PROT_READ,
				 .fd = -1, .uffd = -1 };
	if (geteuid() || !thp_available())
		SKIP(return, "no THP here, or not root");
	settings = *thp_current_settings();
	for (i = 0; i < NR_ORDERS; i++)
		settings.hugepages[i].enabled =
			i == variant->order ? THP_MADVISE : THP_NEVER;
	thp_push_settings(&settings);
	self->pushed = true;
	skip = setup_mthp(&self->a, variant->order);
	if (!skip)
		skip = setup_results(&self->a);
	if (skip)
		SKIP(return, "%s", skip);
}

FIXTURE_TEARDOWN(write_upgrade_mthp)
{
	if (self->pushed)
		thp_pop_settings();
}

TEST_F(write_upgrade_mthp, exclusive)
{
	struct area *a = &self->a;

	ASSERT_TRUE(takedown(a));
	ASSERT_TRUE(upgrade(a));
	write_window(a, 'P', NULL);
	expect_no_faults(a, "exclusive pages");
	expect_data(a, a->map, 'P', NULL, "exclusive pages");
}

TEST_F(write_upgrade_mthp, shared_middle)
{
	partly_shared(_metadata, &self->a, middle_shared);
}

/* ---- NUMA hinting ---- */

FIXTURE(write_upgrade_numa)
{
	struct area a;
	long balancing;		/* the sysctl before, -1: not touched */
	pthread_t idle;
};

FIXTURE_VARIANT(write_upgrade_numa)
{
	enum backing_type backing;
};

FIXTURE_VARIANT_ADD(write_upgrade_numa, anon)
{
	.backing = ANON,
};

FIXTURE_VARIANT_ADD(write_upgrade_numa, mthp)
{
	.backing = ANON_MTHP,
};

/* Pages on the node of a single-threaded process get no hinting faults. */
static void *idle_thread(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

/* On one CPU all pages are on the right node: none is migrated. */
static bool stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(write_upgrade_numa)
{
	const char *skip;

	self->balancing = -1;
	if (access(NUMA_BALANCING, W_OK))
		SKIP(return, "no NUMA balancing here, or not root");
	if (access(SECOND_NODE, F_OK))
		SKIP(return, "fewer than two NUMA nodes");
	ASSERT_TRUE(stay_on_this_cpu());
	ASSERT_EQ(pthread_create(&self->idle, NULL, idle_thread, NULL), 0);
	skip = setup_area(&self->a, variant->backing, PROT_NONE);
	if (skip)
		SKIP(return, "%s", skip);
	self->balancing = read_num(NUMA_BALANCING);
	write_num(NUMA_BALANCING, 1);
	ASSERT_EQ(syscall(__NR_set_mempolicy, MPOL_DEFAULT, NULL, 0), 0);
}

FIXTURE_TEARDOWN(write_upgrade_numa)
{
	if (self->balancing >= 0)
		write_num(NUMA_BALANCING, self->balancing);
}

/* Read page i until that takes a hinting fault, for some seconds. */
static bool await_hint(struct area *a, unsigned long i)
{
	const time_t end = time(NULL) + 6;

	settle_faults();
	while (time(NULL) < end) {
		if (read_faults(page_at(a, i)))
			return true;
	}
	return false;
}

/*
 * Read, then write each page of the window. Returns how many of the reads took
 * a fault: the hint, for all pages were present and readable.
 */
static unsigned long hint_and_write(struct area *a, char mark)
{
	unsigned long i, hints = 0;

	settle_faults();
	for (i = a->first; i < a->end; i++) {
		hints += read_faults(page_at(a, i));
		a->faults[i] = write_faults(page_at(a, i), mark);
	}
	return hints;
}

/*
 * The hinting fault of a read leaves an exclusive page writable, but not a page
 * that was shared in the meantime. All pages get their hint in the same scan.
 */
TEST_F(write_upgrade_numa, hinting_fault)
{
	struct area *a = &self->a;
	struct peer p;

	a->first = 0;
	a->end = a->nr / 2;
	if (!await_hint(a, 0))
		SKIP(return, "no hinting fault in six seconds");
	hint_and_write(a, 'P');
	expect_no_faults(a, "exclusive, after the hinting fault");

	a->first = a->nr / 2;
	a->end = a->nr;
	ASSERT_TRUE(peer_start(a, &p));
	EXPECT_GE(hint_and_write(a, 'P'), 1) {
		TH_LOG("no shared page took a hinting fault");
	}
	expect_all_fault(a, "shared, after the hinting fault");
	expect_peer_data(&p, UNMARKED, "after the hinting fault");
	peer_end(&p);
}

/* Folios of the sizes asked for by MADV_HUGEPAGE, and of no other size. */
static void thp_setup(void)
{
	struct thp_settings settings;
	unsigned long pmd_order;
	int i;

	if (geteuid() || !thp_available())
		return;
	thp_save_settings();
	thp_read_settings(&settings);
	settings.thp_enabled = THP_MADVISE;
	settings.thp_defrag = THP_DEFRAG_ALWAYS;
	settings.use_zero_page = true;
	pmd_order = sz2ord(read_pmd_pagesize(), psize());
	for (i = 0; i < NR_ORDERS; i++)
		settings.hugepages[i].enabled =
			i == MTHP_ORDER || i == pmd_order ? THP_MADVISE : THP_NEVER;
	thp_push_settings(&settings);
}

int main(int argc, char **argv)
{
	thp_setup();
	/* A task with a policy of its own gets no hinting faults: count none. */
	syscall(__NR_set_mempolicy, MPOL_LOCAL, NULL, 0);
	return test_harness_run(argc, argv);
}
