// SPDX-License-Identifier: GPL-2.0
/*
 * Test protection upgrades of hugetlb: where processes share its page tables, and of
 * each size of page, of contiguous entries, too.
 *
 * The invariants:
 *
 * (1) What a process forbids is forbidden to it alone, and when the call has returned.
 *     (Otherwise a write lands after it, by a TLB entry of a page table that the
 *     process does not have any more, or another process loses what it may do.)
 *
 * (2) What an upgrade allows each thread can do, with as many faults as there are
 *     entries at most. (Otherwise a thread faults for ever.)
 *
 * (3) An upgrade leaves no write fault for a page that this process alone has, and one for
 *     each other page. (Otherwise it is slow; or a write is seen by a child, or not by a
 *     monitor.)
 *
 * (1) and (2) hold for each kernel. How many faults stale TLB entries of other CPUs may
 * cost is tested where /proc/vmstat has nr_tlb_relaxed_flush.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"

#define RACE_MS		400		/* of a race ... */
#define MIN_ROUNDS	10		/* ... that has made so many rounds, */
#define RACE_LIMIT_MS	6000		/* or has run for so long */
#define PATIENCE_MS	10000
#define ROUNDS		20

#define TOO_SLOW	"this machine is too slow or busy: too few rounds to mean something"

static struct bench_region region;
static struct bench_thread other, third;	/* on other CPUs */

static const char *begin_test(void)
{
	bench_init();
	catch_denied_accesses();
	bench_pin(0);
	return bench_nr_cpus() < 2 ? "wants two CPUs" : NULL;
}

static bool is_past(unsigned long end)
{
	return bench_ns() >= end;
}

static unsigned long ms_from_now(unsigned long ms)
{
	return bench_ns() + ms * 1000000;
}

/* ---- Page tables of hugetlb that two processes share ---- */

/* What the child is told, and tells. */
enum { READ_SECOND = -1, WRITE_SECOND = -2 };

struct peer {
	struct bench_writer writer;
	atomic_int probe;		/* one of these, then how many faults that took */
	atomic_bool ready;
};

FIXTURE(shared_table)
{
	size_t huge, len;
	char *map, *view, *second;	/* of the file: with the table, without it */
	int fd;
	struct peer *peer;
	pid_t pid;
	struct bench_writer writer;
};

/* A range of more pages than are flushed one by one: all entries go, of hugetlb, too. */
static void forget_tlb(void)
{
	const size_t len = 2048 * psize();
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p[0] = 1;
	p[len - 1] = 1;
	munmap(p, len);
}

/* The second huge page, which nobody else uses. Returns the faults. */
static int use_second(FIXTURE_DATA(shared_table) * self, int how)
{
	long before;

	if (how == WRITE_SECOND)
		forget_tlb();
	before = bench_thread_faults();
	if (how == WRITE_SECOND)
		self->map[self->huge]++;
	else
		FORCE_READ(self->map[self->huge]);
	return bench_thread_faults() - before;
}

static int peer_main(FIXTURE_DATA(shared_table) * self)
{
	struct peer *peer = self->peer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(2 % bench_nr_cpus());
	FORCE_READ(*self->map);
	peer->ready = true;
	while (!atomic_load(&peer->writer.stop)) {
		if (peer->probe < 0)
			peer->probe = use_second(self, peer->probe);
		if (atomic_load(&peer->writer.may))
			bench_write_pass(&peer->writer);
	}
	return !!peer->writer.lost;
}

/* The mapping anew: it shares the table of whoever has one. */
static bool map_anew(FIXTURE_DATA(shared_table) * self)
{
	return mmap(self->map, self->len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, self->fd, 0) == self->map;
}

static const char *map_table(FIXTURE_DATA(shared_table) * self)
{
	char *p;

	self->huge = default_huge_page_size();
	self->len = self->huge * (psize() / 8);
	if (self->huge != (size_t)psize() * (psize() / 8))
		return "no hugetlb whose pages are mapped by PMDs";
	if (hugetlb_free_default_pages() < 4)
		return "fewer than 4 free huge pages";
	self->fd = syscall(__NR_memfd_create, "write_upgrade_hugetlb", MFD_HUGETLB);
	p = mmap(NULL, 2 * self->len, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (self->fd < 0 || ftruncate(self->fd, self->len) || p == MAP_FAILED)
		return "no memfd of hugetlb, or no address space, of the size of a page table";
	self->map = (char *)(((uintptr_t)p + self->len - 1) & ~(self->len - 1));
	self->view = mmap(NULL, self->huge, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	self->peer = mmap(NULL, psize(), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->second = mmap(NULL, self->huge, PROT_READ, MAP_SHARED, self->fd, self->huge);
	if (self->view == MAP_FAILED || self->second == MAP_FAILED ||
	    self->peer == MAP_FAILED || !map_anew(self))
		return "hugetlb could not be mapped";
	return NULL;
}

/* How many faults does that take the peer? */
static int ask_peer(FIXTURE_DATA(shared_table) * self, int how)
{
	const unsigned long end = ms_from_now(PATIENCE_MS);

	self->peer->probe = how;
	while (self->peer->probe < 0 && !is_past(end))
		usleep(20);
	return self->peer->probe;
}

/* A page that one process faults in is there for the other one, without a fault. */
static bool tables_are_shared(FIXTURE_DATA(shared_table) * self)
{
	const unsigned long end = ms_from_now(PATIENCE_MS);

	while (!self->peer->ready && !is_past(end))
		usleep(20);
	self->map[self->huge] = 1;
	return !ask_peer(self, READ_SECOND);
}

FIXTURE_SETUP(shared_table)
{
	const char *skip = begin_test();

	if (!skip)
		skip = map_table(self);
	if (skip)
		SKIP(return, "%s", skip);
	*self->map = 1;
	self->writer.word = (void *)(self->map + 64);
	self->peer->writer.word = (void *)(self->map + 128);
	self->pid = fork();
	ASSERT_GE(self->pid, 0);
	if (!self->pid)
		_exit(peer_main(self));
	if (!tables_are_shared(self)) {
		kill(self->pid, SIGKILL);
		SKIP(return, "this kernel shares no page tables of hugetlb");
	}
	bench_start_thread(&other, 1);
	bench_tell(&other, bench_write_on, &self->writer);
}

FIXTURE_TEARDOWN(shared_table)
{
	if (!other.thread)
		return;
	atomic_store(&self->writer.stop, true);
	bench_end_thread(&other);
}

/* In a way that does not ask the page table that may be shared. */
static atomic_uint *in_view(FIXTURE_DATA(shared_table) * self, const atomic_uint *word)
{
	return (void *)(self->view + ((char *)word - self->map));
}

/* Both write, and this process has the table of the other one. */
static bool share_and_write(FIXTURE_DATA(shared_table) * self, unsigned long *shared)
{
	long before;

	if (!map_anew(self))
		return false;
	FORCE_READ(*self->map);
	before = bench_thread_faults();
	FORCE_READ(self->map[self->huge]);
	*shared += bench_thread_faults() == before;
	atomic_store(&self->writer.may, true);
	atomic_store(&self->peer->writer.may, true);
	return bench_writer_passes(&self->writer, 2) &&
	       bench_writer_passes(&self->peer->writer, 2);
}

static int end_peer(FIXTURE_DATA(shared_table) * self)
{
	int status;

	atomic_store(&self->peer->writer.stop, true);
	if (waitpid(self->pid, &status, 0) != self->pid)
		return -1;
	return status;
}

enum change { PROTECT, UNMAP, UNMAP_PART };

static bool take_away(FIXTURE_DATA(shared_table) * self, enum change change)
{
	if (change == UNMAP)
		return !munmap(self->map, self->len);
	/* The page table is shared no more, the rest of it must come back. */
	if (change == UNMAP_PART)
		return !munmap(self->map, self->huge);
	return !mprotect(self->map, self->len, PROT_READ);
}

/*
 * A thread of this process and the other process write. With a bug, the thread goes on
 * by a TLB entry of the table that the process does not have any more; or the other
 * process loses its permission; or what it writes is not seen.
 */
static void forbid_and_allow(struct __test_metadata *_metadata,
			     FIXTURE_DATA(shared_table) * self, enum change change)
{
	const unsigned long end = ms_from_now(RACE_MS), limit = ms_from_now(RACE_LIMIT_MS);
	atomic_uint *mine = in_view(self, self->writer.word);
	unsigned long late = 0, shared = 0, rounds;
	unsigned int was;

	for (rounds = 0; !is_past(rounds < MIN_ROUNDS ? limit : end); rounds++) {
		ASSERT_TRUE(share_and_write(self, &shared));
		ASSERT_TRUE(take_away(self, change));
		late += bench_changes(mine, rounds);
		late += try_write(self->writer.word, *mine);
		was = *in_view(self, self->peer->writer.word);
		ASSERT_TRUE(bench_writer_passes(&self->peer->writer, 2)) {
			TH_LOG("the other process does not go on");
		}
		EXPECT_NE(*in_view(self, self->peer->writer.word), was);
		EXPECT_EQ(ask_peer(self, WRITE_SECOND), 0) {
			TH_LOG("the other process has lost its permission to write");
		}
		if (change != PROTECT) {
			atomic_store(&self->writer.may, false);
			continue;
		}
		EXPECT_NE(*self->peer->writer.word, was) {
			TH_LOG("what the other process writes is not seen");
		}
		ASSERT_EQ(mprotect(self->map, self->len, PROT_READ | PROT_WRITE), 0);
		ASSERT_TRUE(bench_writer_passes(&self->writer, 2)) {
			TH_LOG("the thread cannot write after the upgrade");
		}
		atomic_store(&self->writer.may, false);
	}
	EXPECT_EQ(late, 0) {
		TH_LOG("writes landed after the call had returned, in %lu of %lu rounds",
		       late, rounds);
	}
	EXPECT_EQ(self->writer.lost, 0);
	EXPECT_EQ(end_peer(self), 0);
	EXPECT_EQ(*in_view(self, self->peer->writer.word), self->peer->writer.mine);
	EXPECT_EQ(self->second[0], (char)(rounds + 1));
	if (!late && (rounds < MIN_ROUNDS || shared < rounds / 2))
		SKIP(return, TOO_SLOW);
}

/* With a bug, the change is made in the table of both, or a TLB keeps the old one. */
TEST_F(shared_table, protect_and_upgrade)
{
	forbid_and_allow(_metadata, self, PROTECT);
}

/* With a bug, the thread writes to a file that its process has unmapped. */
TEST_F(shared_table, unmap)
{
	forbid_and_allow(_metadata, self, UNMAP);
}

/* The same of one page. With a bug, the other process loses it, too. */
TEST_F(shared_table, unmap_part)
{
	forbid_and_allow(_metadata, self, UNMAP_PART);
}

/* The table stays with who is left. With a bug, it goes, or has what the other forbade. */
TEST_F(shared_table, exit_of_one)
{
	unsigned long shared = 0;
	unsigned int last;

	ASSERT_TRUE(share_and_write(self, &shared));
	ASSERT_EQ(kill(self->pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(self->pid, NULL, 0), self->pid);
	last = *in_view(self, self->peer->writer.word);
	ASSERT_TRUE(bench_writer_passes(&self->writer, 2));
	EXPECT_EQ(*self->peer->writer.word, last);
	EXPECT_EQ(self->map[self->huge], 1);
	ASSERT_EQ(mprotect(self->map, self->len, PROT_READ), 0);
	EXPECT_FALSE(bench_changes(in_view(self, self->writer.word), 3));
	ASSERT_EQ(mprotect(self->map, self->len, PROT_READ | PROT_WRITE), 0);
	ASSERT_TRUE(bench_writer_passes(&self->writer, 2));
	EXPECT_EQ(self->writer.lost, 0);
	EXPECT_EQ(*self->peer->writer.word, last);
	if (!shared)
		SKIP(return, TOO_SLOW);
}

/* ---- Private pages whose permission comes back ---- */

#define NR_UPGRADED	3	/* huge pages; a child needs as many for copies */

FIXTURE(upgraded)
{
	bool mapped;
};

FIXTURE_VARIANT(upgraded)
{
	int down;
};

FIXTURE_VARIANT_ADD(upgraded, ro)
{
	.down = PROT_READ,
};

FIXTURE_VARIANT_ADD(upgraded, none)
{
	.down = PROT_NONE,
};

FIXTURE_SETUP(upgraded)
{
	const size_t size = default_huge_page_size();

	bench_init();
	bench_pin(0);
	if (!size)
		SKIP(return, "no hugetlb here");
	if (hugetlb_free_default_pages() < 2 * NR_UPGRADED)
		SKIP(return, "fewer than %d free huge pages", 2 * NR_UPGRADED);
	region = (struct bench_region) {
		.map = BENCH_HUGETLB,
		.folio = size,
		.len = NR_UPGRADED * size,
		.mapped = NR_UPGRADED * size,
		.uffd = -1,
	};
	region.addr = mmap(NULL, region.len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(region.addr, MAP_FAILED);
	memset(region.addr, 'f', region.len);
	self->mapped = true;
}

FIXTURE_TEARDOWN(upgraded)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

static char *huge_page(int i)
{
	return region.addr + i * region.folio;
}

static bool upgrade_from(int down)
{
	return !mprotect(region.addr, region.len, down) &&
	       !mprotect(region.addr, region.len, PROT_READ | PROT_WRITE);
}

/* Write to each huge page, or read from it. Returns how many of them took a fault. */
static int faults_of(bool write, char mark)
{
	int i, faults = 0;
	long before;

	bench_thread_faults();	/* after a fork() this has faults of its own */
	for (i = 0; i < NR_UPGRADED; i++) {
		before = bench_thread_faults();
		if (write)
			*huge_page(i) = mark;
		else
			FORCE_READ(*huge_page(i));
		faults += bench_thread_faults() != before;
	}
	return faults;
}

static int faults_of_writes(char mark)
{
	return faults_of(true, mark);
}

/* With a bug, no entry is upgraded. */
TEST_F(upgraded, exclusive)
{
	ASSERT_TRUE(upgrade_from(variant->down));
	EXPECT_EQ(faults_of_writes('P'), 0) {
		TH_LOG("huge pages of this process alone took a write fault");
	}
}

static int sees_old_data(int when)
{
	int i;
	char c;

	if (read(when, &c, 1))
		return 2;
	for (i = 0; i < NR_UPGRADED; i++) {
		if (*huge_page(i) != 'f')
			return 1;
	}
	return 0;
}

/* With a bug, the child sees what the parent writes after an upgrade. */
TEST_F(upgraded, shared_with_child)
{
	int when[2], status;
	pid_t pid;

	ASSERT_EQ(pipe(when), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(when[1]);
		_exit(sees_old_data(when[0]));
	}
	close(when[0]);
	ASSERT_TRUE(upgrade_from(variant->down));
	EXPECT_EQ(faults_of_writes('P'), NR_UPGRADED) {
		TH_LOG("a huge page that is shared took no write fault");
	}
	close(when[1]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0) {
		TH_LOG("the child sees what the parent has written");
	}
}

/* Arm, or disarm, nr huge pages from this one on. */
static bool protect(int first, int nr, bool arm)
{
	return bench_uffd_protect(region.uffd, huge_page(first), nr * region.folio, arm);
}

/* A page that userfaultfd has armed goes on to trap, the others do not. */
TEST_F(upgraded, one_is_watched)
{
	const char *skip = bench_register_uffd_with(&region, UFFDIO_REGISTER_MODE_WP,
						    UFFD_FEATURE_PAGEFAULT_FLAG_WP |
						    UFFD_FEATURE_WP_ASYNC);

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(protect(0, NR_UPGRADED, true));
	ASSERT_TRUE(protect(0, 2, false));
	EXPECT_EQ(faults_of_writes('P'), 1) {
		TH_LOG("of two huge pages unprotected and one protected, not one took a fault");
	}
	ASSERT_TRUE(protect(1, 1, true));
	ASSERT_TRUE(upgrade_from(variant->down));
	EXPECT_EQ(faults_of_writes('Q'), 1) {
		TH_LOG("after an upgrade: one huge page is protected, but not one took a fault");
	}
}

/* Pages armed for any access trap the next one, and let the write after it pass. */
TEST_F(upgraded, rwp_armed)
{
	const char *skip = bench_register_uffd_with(&region, UFFDIO_REGISTER_MODE_RWP,
						    UFFD_FEATURE_RWP |
						    UFFD_FEATURE_RWP_ASYNC);
	struct uffdio_rwprotect arm = {
		.range = { (unsigned long)region.addr, region.len },
		.mode = UFFDIO_RWPROTECT_MODE_RWP,
	};

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(ioctl(region.uffd, UFFDIO_RWPROTECT, &arm), 0);
	ASSERT_TRUE(upgrade_from(variant->down));
	EXPECT_EQ(faults_of(false, 0), NR_UPGRADED) {
		TH_LOG("a read of an armed huge page took no fault");
	}
	EXPECT_EQ(faults_of_writes('P'), 0) {
		TH_LOG("a huge page of this process alone took a write fault after it");
	}
}

/* ---- hugetlb of each size: on arm64, of contiguous entries ---- */

FIXTURE(hugetlb_size)
{
	char *map;
	unsigned int nr;
};

FIXTURE_VARIANT(hugetlb_size)
{
	unsigned long kb;
	bool shared;
};

FIXTURE_VARIANT_ADD(hugetlb_size, private_64k)
{
	.kb = 64,
};

FIXTURE_VARIANT_ADD(hugetlb_size, shared_64k)
{
	.kb = 64,
	.shared = true,
};

FIXTURE_VARIANT_ADD(hugetlb_size, private_2m)
{
	.kb = 2048,
};

FIXTURE_VARIANT_ADD(hugetlb_size, shared_2m)
{
	.kb = 2048,
	.shared = true,
};

FIXTURE_VARIANT_ADD(hugetlb_size, private_32m)
{
	.kb = 32768,
};

FIXTURE_VARIANT_ADD(hugetlb_size, shared_32m)
{
	.kb = 32768,
	.shared = true,
};

/* A child needs as many for copies. */
static const char *reserve(unsigned long size, unsigned int nr)
{
	unsigned long sizes[16];
	int i, found = detect_hugetlb_page_sizes(sizes, 16);

	for (i = 0; i < found && sizes[i] != size; i++)
		;
	if (i == found)
		return "no hugetlb of this size here";
	if (hugetlb_free_pages(size) < 2 * nr)
		hugetlb_set_nr_pages(size, hugetlb_nr_pages(size) + 2 * nr);
	return hugetlb_free_pages(size) < 2 * nr ? "no memory for hugetlb of this size" : NULL;
}

FIXTURE_SETUP(hugetlb_size)
{
	const unsigned long size = variant->kb << 10;
	const char *skip = begin_test();
	int flags = MAP_HUGETLB | __builtin_ctzl(size) << MAP_HUGE_SHIFT;

	self->nr = size > 4UL << 20 ? 1 : 3;
	if (!skip)
		skip = reserve(size, self->nr);
	if (skip)
		SKIP(return, "%s", skip);
	self->map = mmap(NULL, self->nr * size, PROT_READ | PROT_WRITE,
			 MAP_ANONYMOUS | flags | (variant->shared ? MAP_SHARED : MAP_PRIVATE),
			 -1, 0);
	ASSERT_NE(self->map, MAP_FAILED);
	region = (struct bench_region) { .addr = self->map, .len = self->nr * size,
					 .folio = size };
	bench_start_thread(&other, 1);
	bench_start_thread(&third, 2);
}

FIXTURE_TEARDOWN(hugetlb_size)
{
	if (!self->map)
		return;
	bench_end_thread(&other);
	bench_end_thread(&third);
	munmap(region.addr, region.len);
}

/* 16 places in each huge page: one for each entry, where they are contiguous. */
#define PLACES	16

/* For bench_do(): a word of its own in each place. */
struct visit {
	unsigned int nr;		/* of the thread */
	unsigned int value;		/* to write; 0: read */
	unsigned int denied;
	long faults;
};

static atomic_uint *place(unsigned int i, unsigned int nr)
{
	return (void *)(region.addr + i * (region.folio / PLACES) + 64 * nr);
}

static unsigned int places(void)
{
	return region.len / (region.folio / PLACES);
}

static void visit(void *arg)
{
	struct visit *v = arg;
	long before = bench_thread_faults();
	unsigned int i, value;

	for (i = 0; i < places(); i++)
		v->denied += !(v->value ? try_write(place(i, v->nr), v->value + i) :
					  try_read(place(i, v->nr), &value));
	v->faults = bench_thread_faults() - before;
}

static bool visit_by(unsigned int nr, unsigned int value, long *faults)
{
	struct bench_thread *threads[] = { NULL, &other, &third };
	struct visit v = { .nr = nr, .value = value };
	const bool done = bench_do(threads[nr], visit, &v);

	*faults += v.faults;
	return done && !v.denied;
}

static unsigned int wrong_words(unsigned int nr, unsigned int value)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < places(); i++)
		wrong += *place(i, nr) != value + i;
	return wrong;
}

/*
 * Where hardware does not set the dirty bit, an entry that may be written is made so by
 * a fault. With a bug, a thread takes it for ever, or each time as the entry has lost
 * that it is dirty, or an upgrade loses data.
 */
TEST_F(hugetlb_size, written_by_two_threads)
{
	const long entries = self->nr * PLACES;
	long none = 0, first = 0, second = 0;
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(visit_by(i, 1000, &none));
	for (i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ), 0);
		ASSERT_TRUE(visit_by(1, 0, &none));
		ASSERT_TRUE(visit_by(2, 0, &none));
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_WRITE), 0);
		ASSERT_TRUE(visit_by(1, 1000 * i, &first));
		ASSERT_TRUE(visit_by(2, 1000 * i, &second));
		ASSERT_EQ(wrong_words(0, 1000), 0);
		ASSERT_EQ(wrong_words(1, 1000 * i), 0);
		ASSERT_EQ(wrong_words(2, 1000 * i), 0);
	}
	EXPECT_LE(first, entries * ROUNDS);
	EXPECT_LE(second, entries * ROUNDS);
	if (bench_find_counter("nr_tlb_relaxed_flush") < 0)
		return;
	/* A stale entry of the region may cost each thread one, for each upgrade. */
	EXPECT_LE(first + second, 2 * ROUNDS) {
		TH_LOG("%ld and %ld write faults on %u dirty huge pages in %u rounds",
		       first, second, self->nr, ROUNDS);
	}
}

/*
 * Both threads have a read-only entry of a page that was shared with a child. With a
 * bug, the second one faults for ever on what the first one has made writable.
 */
TEST_F(hugetlb_size, one_after_the_other)
{
	const long entries = self->nr * PLACES;
	long none = 0, first = 0, second = 0;
	unsigned int i;
	int status;
	pid_t pid;

	if (variant->shared)
		SKIP(return, "for pages that a child gets copies of");
	ASSERT_TRUE(visit_by(0, 1000, &none));
	for (i = 1; i <= ROUNDS; i++) {
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(0);
		ASSERT_TRUE(visit_by(1, 0, &none));
		ASSERT_TRUE(visit_by(2, 0, &none));
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		ASSERT_TRUE(visit_by(1, 1000 * i, &first));
		ASSERT_TRUE(visit_by(2, 1000 * i, &second));
		ASSERT_EQ(wrong_words(0, 1000), 0);
		ASSERT_EQ(wrong_words(1, 1000 * i), 0);
		ASSERT_EQ(wrong_words(2, 1000 * i), 0);
	}
	EXPECT_LE(first, entries * ROUNDS);
	EXPECT_LE(second, entries * ROUNDS);
}

int main(int argc, char **argv)
{
	if (!geteuid())
		hugepage_save_settings(thp_available(), hugetlb_available());
	return test_harness_run(argc, argv);
}
