// SPDX-License-Identifier: GPL-2.0
/*
 * Test that the contiguous bit of arm64 changes by break before make.
 *
 * The kernel maps an aligned block of pages of one large folio by entries with the
 * contiguous bit, where all of them are alike: the block is folded. A CPU may then hold
 * one translation for all of it. When a block is folded or unfolded, the old
 * translations must be gone from the TLBs of all CPUs before the new entries are
 * valid. (Otherwise a CPU comes to hold a translation of a page beside one of the
 * block around it, and a later access ends in a TLB conflict abort: the process is
 * killed, or the kernel oopses in an access to user memory. CPUs with FEAT_BBM level 3
 * get along with both.)
 *
 * Nobody can see the bit, so each test brings blocks into the state it wants by what
 * the kernel does today, and changes it while threads on other CPUs use them: some of
 * their pages before the change, all of them after it, so that an old translation
 * and a walk that finds a new one meet. A bug kills the test, on a CPU that looks for
 * conflicts; an emulator may count them instead.
 *
 * What is in memory must survive, on any CPU.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_counters.h"
#include "bench_region.h"
#include "hugepage_settings.h"
#include "numa_hints.h"

#define BLOCKS		4
#define HINTED_SIZE	(32UL << 20)
#define ROUNDS		20
#define RACE_MS		1000		/* of a race ... */
#define MIN_ROUNDS	10		/* ... that has made so many rounds, */
#define RACE_LIMIT_MS	10000		/* or has run for so long */
#define FEW_ROUNDS	3
#define MAX_READERS	7
#define PAUSE_US	200		/* between two pages that are new to a reader */
#define READ_ONLY	PROT_READ
#define WRITABLE	(PROT_READ | PROT_WRITE)

#define TOO_SLOW	"this machine is too slow or busy: too few rounds to mean something"

/* ---- What threads share; each test has a process of its own ---- */

static struct bench_region region;
static atomic_bool stop;
static pthread_t readers[MAX_READERS];
static unsigned int nr_readers;
static atomic_uint round_nr;
static atomic_ulong wrong;		/* pages with a content that nobody wrote */

/* What the thread on the second CPU is to do, once. */
enum order { READ_SOME, READ_ALL, WRITE_ALL, END };

static pthread_t other;
static enum order order;
static atomic_uint posted, finished;

/* ---- Memory ---- */

static size_t block_size(void)
{
	return psize() == 4096 ? 65536 : 2UL << 20;
}

static size_t nr_pages(void)
{
	return region.len / psize();
}

/* The word of each page is its number, plus this. */
static unsigned int base_value;

static atomic_uint *word_of(size_t page)
{
	return (void *)(region.addr + page * psize());
}

static void write_all(unsigned int value)
{
	size_t i;

	base_value = value;
	for (i = 0; i < nr_pages(); i++)
		*word_of(i) = value + i;
}

static void read_page(size_t page)
{
	if (*word_of(page) != base_value + page)
		wrong++;
}

static void read_every(size_t step)
{
	size_t i;

	for (i = 0; i < nr_pages(); i += step)
		read_page(i);
}

static int protect(size_t start, size_t len, int prot)
{
	return mprotect(region.addr + start, len, prot);
}

static int protect_all(int prot)
{
	return protect(0, region.len, prot);
}

/* One half of each block, then the other: too little at a time to be folded. */
static int protect_halves(int prot)
{
	const size_t half = block_size() / 2;
	size_t first, start;

	for (first = 0; first <= half; first += half) {
		for (start = first; start < region.len; start += block_size()) {
			if (protect(start, half, prot))
				return -1;
		}
	}
	return 0;
}

/* Read-only, but unfolded, from whatever it is. */
static int unfold_all(void)
{
	size_t start;

	for (start = 0; start < region.len; start += block_size()) {
		if (protect(start, psize(), WRITABLE) ||
		    protect(start, psize(), READ_ONLY))
			return -1;
	}
	return 0;
}

/* ---- Threads ---- */

static void *obeyer(void *unused)
{
	unsigned int n = 0;

	bench_pin(1);
	for (;;) {
		while (posted == n)
			sched_yield();
		n++;
		switch (order) {
		case READ_SOME:
			read_every(2);
			break;
		case READ_ALL:
			read_every(1);
			break;
		case WRITE_ALL:
			write_all(base_value + 1);
			break;
		case END:
			return NULL;
		}
		finished = n;
	}
}

static void tell(enum order what)
{
	const unsigned int n = posted + 1;

	order = what;
	posted = n;
	while (what != END && finished != n)
		sched_yield();
}

/* On both CPUs: a CPU may not even have a conflict with itself. */
static void read_some(void)
{
	read_every(2);
	tell(READ_SOME);
}

static void read_all(void)
{
	read_every(1);
	tell(READ_ALL);
}

static int start_obeyer(void)
{
	bench_pin(0);
	return pthread_create(&other, NULL, obeyer, NULL);
}

static void end_obeyer(void)
{
	tell(END);
	pthread_join(other, NULL);
}

/* Reads pages at random, so that old translations stay in use. */
static void *reader(void *arg)
{
	unsigned int seed = (unsigned long)arg;

	bench_pin(seed % bench_nr_cpus());
	while (!stop)
		read_page(rand_r(&seed) % nr_pages());
	return NULL;
}

/*
 * Reads every other page at random, and now and then one of the rest, in one block
 * after the other, that it has not read in this round: a page without a translation in
 * a block with some.
 */
static void *slow_reader(void *arg)
{
	const size_t in_block = block_size() / psize(), blocks = nr_pages() / in_block;
	unsigned int seed = (unsigned long)arg, seen = 0;
	unsigned long when = 0;
	size_t n = 0;

	bench_pin(seed % bench_nr_cpus());
	while (!stop) {
		read_page(rand_r(&seed) % nr_pages() & -2);
		if (bench_ns() < when)
			continue;
		when = bench_ns() + PAUSE_US * 1000;
		if (seen != round_nr) {
			seen = round_nr;
			n = 0;
		}
		if (n < blocks * in_block / 2)
			read_page(n % blocks * in_block + n / blocks * 2 + 1);
		n++;
	}
	return NULL;
}

static int start_readers(void *(*read)(void *))
{
	unsigned int i, others = bench_nr_cpus() - 1;

	bench_pin(0);
	nr_readers = others < MAX_READERS ? others : MAX_READERS;
	for (i = 0; i < nr_readers; i++) {
		if (pthread_create(&readers[i], NULL, read, (void *)(i + 1UL)))
			return -1;
	}
	return 0;
}

static void end_readers(void)
{
	unsigned int i;

	stop = true;
	for (i = 0; i < nr_readers; i++)
		pthread_join(readers[i], NULL);
}

/* ---- Time ---- */

struct race {
	unsigned int rounds;
	unsigned long begin;
};

static bool race_goes_on(struct race *race)
{
	unsigned long ms;

	if (!race->begin)
		race->begin = bench_ns();
	ms = (bench_ns() - race->begin) / 1000000;
	if (ms >= (race->rounds < MIN_ROUNDS ? RACE_LIMIT_MS : RACE_MS))
		return false;
	race->rounds++;
	return true;
}

/* ---- Tests ---- */

FIXTURE(contpte_fold)
{
};

FIXTURE_VARIANT(contpte_fold)
{
	enum bench_map map;
};

FIXTURE_VARIANT_ADD(contpte_fold, anon)
{
	.map = BENCH_ANON,
};

FIXTURE_VARIANT_ADD(contpte_fold, memfd)
{
	.map = BENCH_MEMFD,
};

static const char *map_blocks(enum bench_map map, size_t len)
{
	const char *skip;

	if (geteuid())
		return "not root";
	if (bench_nr_cpus() < 2)
		return "translations of another CPU want a second one";
	region = (struct bench_region) {
		.map = map,
		.folio = block_size(),
		.len = len,
	};
	skip = bench_map_region(&region);
	if (!skip)
		write_all(1);
	return skip;
}

/* All is mapped by folded blocks, and writable. */
FIXTURE_SETUP(contpte_fold)
{
	const char *skip;

#ifndef __aarch64__
	SKIP(return, "only arm64 has a contiguous bit");
#endif
	skip = map_blocks(variant->map, BLOCKS * block_size());
	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_EQ(start_obeyer(), 0);
}

FIXTURE_TEARDOWN(contpte_fold)
{
	if (other)
		end_obeyer();
	EXPECT_EQ(wrong, 0);
}

/*
 * Blocks that are read-only page by page become writable as a whole: they are folded.
 * With a bug, the other CPU has translations of pages when it walks to that of a block;
 * a flush of the CPU that calls mprotect() is not enough.
 */
TEST_F(contpte_fold, halves_then_all_writable)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(protect_halves(READ_ONLY), 0);
		read_some();
		ASSERT_EQ(protect_all(WRITABLE), 0);
		read_all();
		tell(WRITE_ALL);
		read_all();
	}
}

/*
 * The other way: what was writable page by page becomes read-only as a whole. With a
 * bug, the blocks are folded before the flush that this needs anyway.
 */
TEST_F(contpte_fold, halves_then_all_read_only)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(protect_all(READ_ONLY), 0);
		ASSERT_EQ(protect_halves(WRITABLE), 0);
		tell(WRITE_ALL);
		read_some();
		ASSERT_EQ(protect_all(READ_ONLY), 0);
		read_all();
	}
}

/*
 * A part of a block becomes writable: the block is unfolded, and later folded again.
 * With a bug, the part is unfolded by entries that are written over the old ones, or
 * the rest keeps its contiguous bit.
 */
TEST_F(contpte_fold, part_of_block)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(protect_all(READ_ONLY), 0);
		read_some();
		ASSERT_EQ(protect(psize(), block_size(), WRITABLE), 0);
		read_all();
		ASSERT_EQ(protect_all(WRITABLE), 0);
		tell(WRITE_ALL);
		read_all();
	}
}

/*
 * A block is folded again after it has been out of reach. With a bug, translations have
 * outlived that.
 */
TEST_F(contpte_fold, forbidden_between)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(protect_halves(READ_ONLY), 0);
		read_some();
		ASSERT_EQ(protect_all(PROT_NONE), 0);
		ASSERT_EQ(protect_all(READ_ONLY), 0);
		read_all();
		ASSERT_EQ(protect_all(WRITABLE), 0);
		tell(WRITE_ALL);
		read_all();
	}
}

/* Every other part of the memory, from the first on. */
static void advise_parts(size_t part, int advice)
{
	size_t start;

	for (start = 0; start < region.len; start += 2 * part)
		madvise(region.addr + start, part, advice);
}

struct child {
	pid_t pid;
	int lifeline;		/* it ends when this is closed */
};

/* Of the parts that a child has, how many pages are not what they were? */
static int child_looks(size_t part)
{
	size_t page;
	int changed = 0;

	for (page = 0; page < nr_pages(); page++) {
		if (page * psize() / part % 2)
			changed += *word_of(page) != base_value + page;
	}
	return changed;
}

/* A child that shares every other part, and looks at the end whether they have changed. */
static int start_child(struct child *child, size_t part)
{
	int ends[2];
	char byte;

	if (pipe(ends))
		return -1;
	advise_parts(part, MADV_DONTFORK);
	child->pid = fork();
	if (!child->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		while (read(ends[0], &byte, 1))
			;
		_exit(!!child_looks(part));
	}
	advise_parts(part, MADV_DOFORK);
	close(ends[0]);
	child->lifeline = ends[1];
	return child->pid < 0 ? -1 : 0;
}

/* Returns 0 if the child has found its memory as it was. */
static int end_child(const struct child *child)
{
	int status;

	close(child->lifeline);
	if (waitpid(child->pid, &status, 0) != child->pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/*
 * One half of each block is shared with a child. As read-only pages they are alike, and
 * folded; when all become writable, the shared ones do not. With a bug, the block is
 * unfolded by entries that are written over the old ones.
 */
TEST_F(contpte_fold, half_shared_with_child)
{
	struct child child;
	int round;

	if (variant->map != BENCH_ANON)
		SKIP(return, "a child shares anonymous memory only");
	ASSERT_EQ(start_child(&child, block_size() / 2), 0);
	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(protect_all(PROT_NONE), 0);
		ASSERT_EQ(protect_all(READ_ONLY), 0);
		read_some();
		ASSERT_EQ(protect_all(WRITABLE), 0);
		read_all();
	}
	ASSERT_EQ(end_child(&child), 0);
}

/*
 * Halves of blocks, or every other page, are shared with a child, and then written. With a
 * bug, entries of a block differ in what they permit and are contiguous all the same: a
 * write ends in the memory of the child, at once or after another page of the block has
 * changed; or a page fault that reads such an entry never ends.
 */
TEST_F(contpte_fold, shared_parts_written)
{
	struct child child;
	size_t start;
	int round;

	if (variant->map != BENCH_ANON)
		SKIP(return, "a child shares anonymous memory only");
	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(start_child(&child, round % 2 ? psize() : block_size() / 2), 0);
		ASSERT_EQ(protect_all(PROT_NONE), 0);
		ASSERT_EQ(protect_all(READ_ONLY), 0);
		read_some();
		ASSERT_EQ(protect_all(WRITABLE), 0);
		for (start = 0; round % 4 < 2 && start < region.len; start += block_size()) {
			ASSERT_EQ(protect(start, psize(), READ_ONLY), 0);
			ASSERT_EQ(protect(start, psize(), WRITABLE), 0);
		}
		tell(WRITE_ALL);
		read_all();
		ASSERT_EQ(end_child(&child), 0);
	}
}

static int protect_at_random(unsigned int *seed)
{
	const int prot = rand_r(seed) % 2 ? READ_ONLY : WRITABLE;
	const size_t unit = rand_r(seed) % 2 ? block_size() : psize();
	const size_t units = region.len / unit;
	const size_t start = rand_r(seed) % units;
	const size_t len = 1 + rand_r(seed) % (units - start);

	return protect(start * unit, len * unit, prot);
}

/*
 * Blocks and pages of them become writable and read-only while all CPUs read them: the
 * bugs of the tests above, met by chance, with others that nobody has thought of.
 */
TEST_F(contpte_fold, toggles)
{
	struct race race = {};
	unsigned int seed = 1;

	ASSERT_EQ(start_readers(reader), 0);
	while (race_goes_on(&race)) {
		ASSERT_EQ(protect_at_random(&seed), 0);
		read_every(2);
	}
	end_readers();
	if (race.rounds < FEW_ROUNDS)
		SKIP(return, TOO_SLOW);
}

FIXTURE(contpte_hints)
{
	bool saved;
};

FIXTURE_VARIANT(contpte_hints)
{
	bool folded;		/* before they become hints */
};

FIXTURE_VARIANT_ADD(contpte_hints, folded)
{
	.folded = true,
};

FIXTURE_VARIANT_ADD(contpte_hints, not_folded)
{
};

FIXTURE_SETUP(contpte_hints)
{
	int here, elsewhere;
	const char *skip;

#ifndef __aarch64__
	SKIP(return, "only arm64 has a contiguous bit");
#endif
	skip = numa_find_nodes(&here, &elsewhere);
	if (!skip)
		skip = numa_bind(here);
	if (!skip)
		skip = map_blocks(BENCH_ANON, HINTED_SIZE);
	if (skip)
		SKIP(return, "%s", skip);
	numa_save_settings();
	self->saved = true;
}

FIXTURE_TEARDOWN(contpte_hints)
{
	if (self->saved)
		numa_restore_settings();
	EXPECT_EQ(wrong, 0);
}

/*
 * NUMA balancing makes hints of blocks, and readers on other CPUs undo them, some before
 * the scan has flushed the TLBs. With a bug, what they put into the page table is not
 * folded where it was, or folded where it was not, and meets old translations.
 */
TEST_F_TIMEOUT(contpte_hints, undone_at_once, 120)
{
	struct race race = {};
	const char *skip = numa_set_hints(1);	/* the first take long */

	if (!variant->folded)
		ASSERT_EQ(protect_halves(READ_ONLY), 0);
	ASSERT_EQ(start_readers(slow_reader), 0);
	while (!skip && race_goes_on(&race)) {
		if (!variant->folded)
			ASSERT_EQ(unfold_all(), 0);
		round_nr++;
		skip = numa_set_hints(nr_pages() / 8);
	}
	end_readers();
	if (race.rounds < FEW_ROUNDS)
		SKIP(return, "%s", skip ?: TOO_SLOW);
}

int main(int argc, char **argv)
{
	int result;

	if (!geteuid() && thp_available())
		thp_save_settings();
	/* Its scans would flush, too. */
	numa_save_settings();
	result = test_harness_run(argc, argv);
	numa_restore_settings();
	return result;
}
