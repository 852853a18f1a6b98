// SPDX-License-Identifier: GPL-2.0
/*
 * Test the TLB flushes of protection changes: relaxed where permissions are only
 * added, strict where one is taken away.
 *
 * The invariants:
 *
 * (1) Nothing that was forbidden happens once the call that forbade it has
 *     returned: no write lands, no instruction is fetched, on any CPU.
 *     (Otherwise a monitor saves a page that still changes, a garbage collector
 *     misses a store, and a child sees what its parent writes.)
 *
 * (2) What was allowed can be done once the call that allowed it has returned,
 *     on each CPU, within a bounded time: without a signal, without an error,
 *     and without refaulting for ever on a stale TLB entry.
 *
 * (3) To allow more interrupts no other CPU, and does not make later flushes on
 *     other CPUs coarser than they were.
 *
 * (1) and (2) hold for each kernel. (3) is tested where /proc/vmstat has
 * nr_tlb_relaxed_flush; interrupts are counted where /proc/interrupts has a row
 * "TLB".
 *
 * All is repeated for a time, not for a number of rounds; tests need two CPUs, and
 * are at their best with four.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"
#include "numa_hints.h"

#define MAX_CREW	15
#define SMALL_PAGES	4		/* of a region of small folios */
#define BURST		64		/* writes without a look at the flags */
#define RACE_MS		400		/* of a race ... */
#define MIN_ROUNDS	10		/* ... that has made so many rounds, */
#define MANY_ROUNDS	50		/* ... or so many, with luck to be had, */
#define RACE_LIMIT_MS	6000		/* or has run for so long */
#define PATIENCE_MS	10000		/* with another thread */
#define WAIT_US		20		/* from look to look at it */
#define LATE_US		30		/* how long to wait for a late write */
#define IDLE_SPINS	1000		/* before a thread sleeps */
#define VERY_LATE_US	5000		/* ... now and then */
#define WIDE_PAGES	512		/* more than are flushed one by one */
#define MISSED_UPGRADES	40		/* for a CPU that has missed more, one fault is enough */

#define SPARSE_SIZE	(1024UL << 20)
#define LONG_MS		20		/* for a system call */

#define NO_FEATURE	"this kernel has no relaxed flush, or was told to do without"
#define NO_IPI_COUNT	"no row \"TLB\" in /proc/interrupts"
#define TOO_SLOW	"this machine is too slow or busy: too few rounds to mean something"

/* ---- What threads share; each test has a process of its own ---- */

static struct bench_region region;
static int relaxed_flushes, relaxed_repairs;	/* counters, or -1 */
static atomic_bool stop, may_write;
static bool restless;				/* nobody may let its CPU become idle */

/* What a member may be told to do, once. */
enum order {
	READ_ALL,		/* have each page in the TLB */
	WRITE_ALL,		/* write to each page */
	FUTEX_ADD,		/* have the kernel add to the word */
	CALL_CODE,
	CALL_DENIED,
	PROTECT_PAGE,		/* take the write permission of the first page */
	JOIN_IN,		/* write-protect the first page while another does */
};

/*
 * A thread that stays on a CPU and does something to its word of the region, or
 * to all of the region.
 */
struct member {
	pthread_t thread;
	unsigned int nr;
	atomic_uint *word;
	atomic_ulong passes;		/* what it has done */
	unsigned long seen;		/* passes that the main thread knows of */
	atomic_ulong denied;		/* accesses that took a SIGSEGV */
	atomic_ulong lost;		/* writes that did not stay */
	atomic_ulong late;		/* accesses that should have been denied */
	atomic_ulong early;		/* denied though they were allowed */
	atomic_uint mine;		/* the value of its word */
	enum order order;		/* the last one */
	atomic_uint orders;
	atomic_ulong met;		/* when another was at work */
	long faults;			/* of the last order, if it counts them */
	int error;			/* of a system call */
};

static struct member crew[MAX_CREW];
static unsigned int crew_size;

/* ---- Time ---- */

static unsigned long ms_from_now(unsigned long ms)
{
	return bench_ns() + ms * 1000000;
}

static bool is_past(unsigned long end)
{
	return bench_ns() >= end;
}

static void spin_us(unsigned long us)
{
	const unsigned long end = bench_ns() + us * 1000;

	while (!is_past(end))
		;
}

/* A race that begins when all but enough is zero, and ends. */
struct race {
	unsigned long rounds, enough, late;
	unsigned long end, limit;
};

static bool race_goes_on(struct race *race)
{
	if (!race->end) {
		race->end = ms_from_now(RACE_MS);
		race->limit = ms_from_now(RACE_LIMIT_MS);
	}
	if (is_past(race->rounds < race->enough + MIN_ROUNDS ? race->limit : race->end))
		return false;
	race->rounds++;
	return true;
}

/* Count up, and see that what was written before is still there. */
static void count_up(struct member *me)
{
	const unsigned int next = me->mine + 1;

	if (*me->word != me->mine)
		me->lost++;
	atomic_store_explicit(me->word, next, memory_order_relaxed);
	me->mine = next;
}

static void burst(void *arg)
{
	struct member *me = arg;
	unsigned int i;

	for (i = 0; i < BURST; i++)
		count_up(me);
}

/* ---- The crew ---- */

/* One word for each, in a page of its own as far as there are pages. */
static atomic_uint *word_of(unsigned int nr)
{
	const size_t page = nr % SMALL_PAGES;

	/* A region of large folios: in each of them. */
	if (region.folio > psize())
		return (void *)(region.addr + (page * region.folio) % region.len +
				page * psize() + 64 * nr);
	return (void *)(region.addr + (page * psize()) % region.len + 64 * nr);
}

static void start_crew(unsigned int size, void *(*run)(void *))
{
	unsigned int i;

	atomic_store(&stop, false);
	crew_size = size;
	for (i = 0; i < size; i++) {
		crew[i] = (struct member) { .nr = i, .word = word_of(i) };
		crew[i].mine = *crew[i].word;
		if (pthread_create(&crew[i].thread, NULL, run, &crew[i]))
			ksft_exit_fail_perror("pthread_create");
	}
}

static void end_crew(void)
{
	unsigned int i;

	atomic_store(&stop, true);
	for (i = 0; i < crew_size; i++)
		pthread_join(crew[i].thread, NULL);
}

/* The first CPU is the main thread's. */
static struct member *begin_as(void *arg)
{
	struct member *me = arg;

	bench_pin((1 + me->nr) % bench_nr_cpus());
	return me;
}

static unsigned int all_other_cpus(void)
{
	const unsigned int others = bench_nr_cpus() - 1;

	return others < MAX_CREW ? others : MAX_CREW;
}

/* For a test that gives up: with a bug, a thread faults for ever. */
static bool not_in_time(unsigned int nr)
{
	fprintf(stderr, "# thread %u was not done in %d ms\n", nr, PATIENCE_MS);
	return false;
}

/* Each member makes as many passes more; false if one does not in time. */
static bool crew_passes(unsigned int passes)
{
	const unsigned long end = ms_from_now(PATIENCE_MS);
	unsigned int i;

	for (i = 0; i < crew_size; i++)
		crew[i].seen = crew[i].passes;
	for (i = 0; i < crew_size; i++) {
		while (crew[i].passes - crew[i].seen < passes) {
			if (is_past(end))
				return not_in_time(i);
			usleep(WAIT_US);
		}
	}
	return true;
}

#define sum_of(field) ({ \
	unsigned long __sum = 0; \
	unsigned int __i; \
	\
	for (__i = 0; __i < crew_size; __i++) \
		__sum += crew[__i].field; \
	__sum; \
})

/* Has the region's pages in the TLB of its CPU, as far as it can read them. */
static void *reader(void *arg)
{
	struct member *me = begin_as(arg);

	while (!atomic_load(&stop)) {
		bench_read_pages(region.addr, region.len, psize());
		me->passes++;
	}
	return NULL;
}

/* Writes to its word all the time in which it may. */
static void *writer(void *arg)
{
	struct member *me = begin_as(arg);

	while (!atomic_load(&stop)) {
		if (!atomic_load(&may_write))
			continue;
		if (try_access(burst, me))
			me->passes++;
		else
			me->denied++;
	}
	return NULL;
}

static void write_all(struct member *me)
{
	const long before = bench_thread_faults();
	size_t i;

	for (i = 0; i < region.len; i += psize()) {
		if (!try_write((void *)(region.addr + i + 64 * me->nr), me->mine))
			me->early++;
	}
	me->faults = bench_thread_faults() - before;
}

/* FUTEX_WAKE_OP adds with page faults disabled. Nobody waits for either word. */
static void futex_add(struct member *me)
{
	const int op = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);
	static unsigned int nobody;
	const long before = bench_thread_faults();

	me->error = 0;
	if (syscall(__NR_futex, &nobody, FUTEX_WAKE_OP_PRIVATE, 1, 1, me->word, op) < 0)
		me->error = errno;
	me->faults = bench_thread_faults() - before;
}

/* The code is a function that returns a number. */
static unsigned int code_returns;

static void call_code(struct member *me, const char *code, bool allowed)
{
	atomic_uint result = 0;

	/* Other code was at the same address before. */
	bench_forget_code();
	if (!try_call(code, &result))
		me->early += allowed;
	else if (!allowed)
		me->late++;
	else if (result != code_returns)
		me->lost++;
}

static bool uffd_protect(char *addr, size_t len, bool on)
{
	return bench_uffd_protect(region.uffd, addr, len, on);
}

/* To come while the main thread protects, and see that nothing is written then. */
static atomic_bool joining, protecting;
static unsigned long join_after_us;

static void join_in(struct member *me)
{
	const unsigned long end = ms_from_now(PATIENCE_MS);
	atomic_uint *word = crew[0].word;
	unsigned int was;
	bool met;

	atomic_store(&joining, true);
	while (!atomic_load(&protecting) && !is_past(end))
		;
	usleep(join_after_us);
	me->error |= !uffd_protect(region.addr, psize(), true);
	was = *word;
	met = atomic_load(&protecting);
	while (atomic_load(&protecting) && !is_past(end))
		usleep(WAIT_US);
	me->late += *word != was;
	me->met += met;
}

static void carry_out(struct member *me, enum order order)
{
	switch (order) {
	case READ_ALL:
		bench_read_pages(region.addr, region.len, psize());
		break;
	case WRITE_ALL:
		write_all(me);
		break;
	case FUTEX_ADD:
		futex_add(me);
		break;
	case CALL_CODE:
	case CALL_DENIED:
		call_code(me, region.addr, order == CALL_CODE);
		/* Of a huge page, QEMU forgets only the code at the address that is flushed. */
		if (!region.pmd)
			call_code(me, region.addr + region.len - psize(),
				  order == CALL_CODE);
		break;
	case PROTECT_PAGE:
		me->error = mprotect(region.addr, psize(), PROT_READ);
		break;
	case JOIN_IN:
		join_in(me);
		break;
	}
}

static void *obeyer(void *arg)
{
	struct member *me = begin_as(arg);
	unsigned int obeyed = 0, idle = 0;

	while (!atomic_load(&stop)) {
		if (atomic_load(&me->orders) == obeyed) {
			if (++idle > IDLE_SPINS && !restless)
				usleep(WAIT_US);
			continue;
		}
		idle = 0;
		obeyed++;
		carry_out(me, me->order);
		me->passes++;
	}
	return NULL;
}

static void tell(struct member *me, enum order order)
{
	me->seen = me->passes;
	me->order = order;
	atomic_fetch_add(&me->orders, 1);
}

/* Returns false if it has not been done in time. */
static bool is_done(struct member *me, unsigned long end)
{
	while (me->passes == me->seen) {
		if (is_past(end))
			return not_in_time(me->nr);
		usleep(WAIT_US);
	}
	return true;
}

static bool done_by(struct member *me, enum order order)
{
	tell(me, order);
	return is_done(me, ms_from_now(PATIENCE_MS));
}

/* All at once. */
static bool done_by_all(enum order order)
{
	const unsigned long end = ms_from_now(PATIENCE_MS);
	unsigned int i;

	for (i = 0; i < crew_size; i++)
		tell(&crew[i], order);
	for (i = 0; i < crew_size; i++) {
		if (!is_done(&crew[i], end))
			return false;
	}
	return true;
}

/* ---- Late writes ---- */

/*
 * How many of the words change within a moment? Call it when none may. A writer
 * may have lost its CPU: now and then the moment is long.
 */
static unsigned int late_writes(unsigned long round)
{
	unsigned int was[MAX_CREW], i, late = 0;

	for (i = 0; i < crew_size; i++)
		was[i] = *crew[i].word;
	if (round % 4)
		spin_us(LATE_US);
	else
		usleep(VERY_LATE_US);
	for (i = 0; i < crew_size; i++)
		late += *crew[i].word != was[i];
	return late;
}

static void __expect_race(struct __test_metadata *_metadata,
			  const struct race *race, const char *what)
{
	EXPECT_EQ(race->late, 0) {
		TH_LOG("%s: writes landed after it had returned, in %lu of %lu rounds",
		       what, race->late, race->rounds);
	}
	EXPECT_EQ(sum_of(lost), 0) {
		TH_LOG("%s: %lu writes were lost", what, sum_of(lost));
	}
	if (!race->late && !sum_of(lost) && race->rounds < MIN_ROUNDS)
		SKIP(return, TOO_SLOW);
}

#define expect_race(race, what) __expect_race(_metadata, race, what)

/* ---- Memory of each kind, changed by each operation ---- */

enum operation { MPROTECT, UFFD_WP };

FIXTURE(tlb_relaxed)
{
	bool mapped;
};

FIXTURE_VARIANT(tlb_relaxed)
{
	enum bench_map map;
	size_t pages;		/* if they are small, default SMALL_PAGES */
	bool thp;
	enum operation op;
};

FIXTURE_VARIANT_ADD(tlb_relaxed, anon_mprotect)
{
	.map = BENCH_ANON,
	.op = MPROTECT,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, anon_uffd_wp)
{
	.map = BENCH_ANON,
	.op = UFFD_WP,
};

/* A single page is changed by code of its own. */
FIXTURE_VARIANT_ADD(tlb_relaxed, page_mprotect)
{
	.map = BENCH_ANON,
	.pages = 1,
	.op = MPROTECT,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, thp_mprotect)
{
	.map = BENCH_ANON,
	.thp = true,
	.op = MPROTECT,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, thp_uffd_wp)
{
	.map = BENCH_ANON,
	.thp = true,
	.op = UFFD_WP,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, hugetlb_mprotect)
{
	.map = BENCH_HUGETLB,
	.op = MPROTECT,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, hugetlb_uffd_wp)
{
	.map = BENCH_HUGETLB,
	.op = UFFD_WP,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, memfd_mprotect)
{
	.map = BENCH_MEMFD,
	.op = MPROTECT,
};

FIXTURE_VARIANT_ADD(tlb_relaxed, memfd_uffd_wp)
{
	.map = BENCH_MEMFD,
	.op = UFFD_WP,
};

/* Map the region: pages of small folios, or large folios. */
static const char *map_memory(enum bench_map map, bool thp, size_t pages,
			      size_t folios)
{
	const bool large = thp || map == BENCH_HUGETLB;

	if (bench_nr_cpus() < 2)
		return "wants two CPUs";
	region = (struct bench_region) {
		.map = map, .folio = psize(), .pmd = large, .uffd = -1,
		.len = pages * psize(),
	};
	if (map == BENCH_HUGETLB)
		region.folio = default_huge_page_size();
	else if (thp)
		region.folio = bench_thp_size();
	if (large && (!region.folio || region.folio > BENCH_MAX_FOLIO))
		return "no huge pages of up to 4M here";
	if (large)
		region.len = folios * region.folio;
	return bench_map_region(&region);
}

/* The kernel was booted with relaxed_tlb=off. */
static bool is_switched_off(void)
{
	char line[4096] = "";
	FILE *file = fopen("/proc/cmdline", "r");

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	return strstr(line, "relaxed_tlb=off");
}

static void begin_test(void)
{
	bench_init();
	relaxed_flushes = -1;
	relaxed_repairs = -1;
	if (!is_switched_off()) {
		relaxed_flushes = bench_find_counter("nr_tlb_relaxed_flush");
		relaxed_repairs = bench_find_counter("nr_tlb_relaxed_repair");
	}
	catch_denied_accesses();
	bench_pin(0);
}

FIXTURE_SETUP(tlb_relaxed)
{
	const char *skip;

	begin_test();
	skip = map_memory(variant->map, variant->thp, variant->pages ?: SMALL_PAGES, 1);
	if (!skip && variant->op == UFFD_WP)
		skip = bench_register_uffd(&region, UFFDIO_REGISTER_MODE_WP);
	if (skip)
		SKIP(return, "%s", skip);
	self->mapped = true;
}

FIXTURE_TEARDOWN(tlb_relaxed)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

static bool downgrade(enum operation op)
{
	if (op == UFFD_WP)
		return uffd_protect(region.addr, region.len, true);
	return !mprotect(region.addr, region.len, PROT_READ);
}

static bool upgrade(enum operation op)
{
	if (op == UFFD_WP)
		return uffd_protect(region.addr, region.len, false);
	return !mprotect(region.addr, region.len, PROT_READ | PROT_WRITE);
}

/* What the downgrades and what the upgrades of all rounds have cost. */
struct flushes {
	struct bench_counters down, up;
	unsigned long rounds;
};

static bool count_flushes(enum operation op, struct flushes *sum)
{
	static struct bench_counters before, between, after;
	struct race race = {};

	memset(sum, 0, sizeof(*sum));
	while (race_goes_on(&race)) {
		/* All CPUs of the crew have the entries. */
		if (!crew_passes(2))
			return false;
		bench_read(&before);
		if (!downgrade(op))
			return false;
		bench_read(&between);
		bench_add_delta(&sum->down, &before, &between);
		if (!crew_passes(2))
			return false;
		bench_read(&before);
		if (!upgrade(op))
			return false;
		bench_read(&after);
		bench_add_delta(&sum->up, &before, &after);
	}
	sum->rounds = race.rounds;
	return true;
}

/* Something else may flush now and then: a quarter is much less than all. */
static bool is_nearly_none(unsigned long n, unsigned long of)
{
	return n <= of / 4;
}

/* With a bug, each other thread is interrupted in each round. */
TEST_F(tlb_relaxed, upgrade_interrupts_nobody)
{
	static struct flushes sum;
	unsigned int others;

	if (relaxed_flushes < 0)
		SKIP(return, NO_FEATURE);
	for (others = 0; others <= 3 && others <= all_other_cpus(); others++) {
		if (others == 2)
			continue; /* 1, 2 and 4 threads */
		start_crew(others, reader);
		ASSERT_TRUE(count_flushes(variant->op, &sum));
		end_crew();
		EXPECT_GE(sum.up.value[relaxed_flushes], sum.rounds) {
			TH_LOG("%lu relaxed flushes in %lu upgrades",
			       sum.up.value[relaxed_flushes], sum.rounds);
		}
		EXPECT_TRUE(is_nearly_none(sum.up.value[BENCH_IPIS], sum.rounds)) {
			TH_LOG("%lu interrupts in %lu upgrades, with %u other threads",
			       sum.up.value[BENCH_IPIS], sum.rounds, others);
		}
	}
}

/* With a bug, some CPUs are not, and keep what they may no longer do. */
TEST_F(tlb_relaxed, downgrade_interrupts)
{
	static struct flushes sum;
	unsigned long most;

	if (!bench_has_ipis())
		SKIP(return, NO_IPI_COUNT);
	start_crew(all_other_cpus(), reader);
	ASSERT_TRUE(count_flushes(variant->op, &sum));
	end_crew();
	/* A thread that is not running now and then is not interrupted. */
	most = crew_size * sum.rounds * 3 / 4;
	EXPECT_GE(sum.down.value[BENCH_IPIS], most) {
		TH_LOG("%lu interrupts in %lu downgrades, with %u other threads",
		       sum.down.value[BENCH_IPIS], sum.rounds, crew_size);
	}
}

/* The main thread's own TLB entry goes, too. Not for uffd-wp, where it would wait. */
static bool own_write_denied(void)
{
	atomic_uint *word = word_of(crew_size);

	return !try_write(word, *word + 1);
}

/*
 * Writers on every other CPU, each with a writable TLB entry when the downgrade
 * begins. With a bug, one goes on writing.
 */
TEST_F(tlb_relaxed, no_write_after_downgrade)
{
	struct race race = { .enough = MANY_ROUNDS };

	start_crew(all_other_cpus(), writer);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(upgrade(variant->op));
		atomic_store(&may_write, true);
		ASSERT_TRUE(crew_passes(2));
		*word_of(crew_size) += 1;
		ASSERT_TRUE(downgrade(variant->op));
		if (late_writes(race.rounds))
			race.late++;
		else if (variant->op == MPROTECT)
			race.late += !own_write_denied();
		atomic_store(&may_write, false);
	}
	ASSERT_TRUE(upgrade(variant->op));
	end_crew();
	expect_race(&race, "downgrade");
}

/*
 * The downgrade follows the upgrade at once: some writers repair their entries, or
 * still wait to be woken up, while the other CPUs are told to flush. With a bug, an
 * entry that became writable late is not flushed.
 */
TEST_F(tlb_relaxed, downgrade_right_after_upgrade)
{
	struct race race = { .enough = MANY_ROUNDS };

	atomic_store(&may_write, true);
	start_crew(all_other_cpus(), writer);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(upgrade(variant->op));
		spin_us(race.rounds % 8);
		ASSERT_TRUE(downgrade(variant->op));
		race.late += !!late_writes(race.rounds);
	}
	ASSERT_TRUE(upgrade(variant->op));
	ASSERT_TRUE(crew_passes(1));
	end_crew();
	expect_race(&race, "downgrade");
}

/*
 * Threads that have read-only TLB entries write as soon as the upgrade has
 * returned. With a bug, one gets a signal, or faults on its stale entry for ever.
 */
TEST_F(tlb_relaxed, upgrade_reaches_every_thread)
{
	struct race race = {};

	start_crew(all_other_cpus(), obeyer);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(downgrade(variant->op));
		ASSERT_TRUE(done_by_all(READ_ALL));
		ASSERT_TRUE(upgrade(variant->op));
		ASSERT_TRUE(done_by_all(WRITE_ALL));
	}
	end_crew();
	EXPECT_EQ(sum_of(early), 0) {
		TH_LOG("%lu writes were denied after an upgrade had returned",
		       sum_of(early));
	}
}

/*
 * The kernel writes with page faults disabled. A stale entry can make that fail: the
 * futex code then takes the way of a page that must be faulted in, and finds nothing to
 * do. With a bug, it does so for ever, or the error reaches the caller. After a
 * downgrade it must fail, and must not write.
 */
TEST_F(tlb_relaxed, futex)
{
	struct race race = {};
	unsigned int i;

	start_crew(all_other_cpus(), obeyer);
	ASSERT_TRUE(done_by_all(FUTEX_ADD)); /* faults of its own are over */
	while (race_goes_on(&race)) {
		ASSERT_TRUE(downgrade(variant->op));
		ASSERT_TRUE(done_by_all(READ_ALL));
		if (variant->op == MPROTECT) {
			ASSERT_TRUE(done_by_all(FUTEX_ADD));
			for (i = 0; i < crew_size; i++) {
				EXPECT_EQ(crew[i].error, EFAULT) {
					TH_LOG("a futex operation on a read-only page");
				}
			}
		}
		ASSERT_TRUE(upgrade(variant->op));
		ASSERT_TRUE(done_by_all(FUTEX_ADD));
		for (i = 0; i < crew_size; i++) {
			ASSERT_EQ(crew[i].error, 0) {
				TH_LOG("a futex operation after an upgrade: %s",
				       strerror(crew[i].error));
			}
			ASSERT_EQ(*crew[i].word, crew[i].mine + race.rounds + 1) {
				TH_LOG("the kernel wrote when it must not, or did not");
			}
		}
	}
	end_crew();
}

/* ---- Copy-on-write ---- */

FIXTURE(copy_on_write)
{
	bool mapped;
};

FIXTURE_VARIANT(copy_on_write)
{
	enum bench_map map;
	bool thp;
};

FIXTURE_VARIANT_ADD(copy_on_write, anon)
{
	.map = BENCH_ANON,
};

FIXTURE_VARIANT_ADD(copy_on_write, thp)
{
	.map = BENCH_ANON,
	.thp = true,
};

FIXTURE_VARIANT_ADD(copy_on_write, hugetlb)
{
	.map = BENCH_HUGETLB,
};

FIXTURE_SETUP(copy_on_write)
{
	const char *skip;

	begin_test();
	skip = map_memory(variant->map, variant->thp, SMALL_PAGES, 1);
	if (skip)
		SKIP(return, "%s", skip);
	self->mapped = true;
}

FIXTURE_TEARDOWN(copy_on_write)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

/* A child that shares pages, and looks whether its words change before the end. */
struct watcher {
	pid_t pid;
	int ready, end;		/* pipes */
};

static void watch(int ready, int end)
{
	unsigned int was[MAX_CREW], i, changed = 0;
	char c = 0;

	for (i = 0; i < crew_size; i++)
		was[i] = *crew[i].word;
	if (write(ready, &c, 1) != 1 || read(end, &c, 1))
		_exit(255);
	for (i = 0; i < crew_size; i++)
		changed += *crew[i].word != was[i];
	_exit(changed);
}

static bool start_watcher(struct watcher *watcher)
{
	int ready[2], end[2];

	if (pipe(ready) || pipe(end))
		return false;
	watcher->pid = fork();
	if (!watcher->pid) {
		close(end[1]);
		watch(ready[1], end[0]);
	}
	close(ready[1]);
	close(end[0]);
	watcher->ready = ready[0];
	watcher->end = end[1];
	return watcher->pid > 0;
}

static bool is_watching(const struct watcher *watcher)
{
	char c;

	return read(watcher->ready, &c, 1) == 1;
}

/* How many words have changed, or an error. */
static int end_watcher(const struct watcher *watcher)
{
	int status;

	close(watcher->end);
	close(watcher->ready);
	if (waitpid(watcher->pid, &status, 0) != watcher->pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/*
 * While some threads write, another forks, and upgrades pages that the child
 * shares. With a bug, the child sees what the parent writes, or a thread goes on
 * writing to the page that has become the child's.
 */
TEST_F(copy_on_write, fork_and_upgrade)
{
	struct race race = { .enough = MANY_ROUNDS };
	struct watcher watcher;

	atomic_store(&may_write, true);
	start_crew(all_other_cpus(), writer);
	while (race_goes_on(&race)) {
		/* In every other round, the pages are shared when they are upgraded. */
		atomic_store(&may_write, race.rounds % 2);
		ASSERT_TRUE(start_watcher(&watcher));
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(upgrade(MPROTECT));
		ASSERT_TRUE(is_watching(&watcher));
		atomic_store(&may_write, true);
		ASSERT_TRUE(crew_passes(1));
		race.late += !!end_watcher(&watcher);
	}
	end_crew();
	expect_race(&race, "fork");
}

/*
 * All threads have a read-only entry of a page that was shared with a child. One
 * writes, which makes the page writable, then the others. With a bug, one of them
 * faults on its stale entry for ever.
 */
TEST_F(copy_on_write, one_writer_after_the_other)
{
	struct race race = {};
	unsigned int i;
	int status;
	pid_t pid;

	start_crew(all_other_cpus(), obeyer);
	while (race_goes_on(&race)) {
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(0);
		ASSERT_TRUE(done_by_all(READ_ALL));
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		for (i = 0; i < crew_size; i++) {
			ASSERT_TRUE(done_by(&crew[i], WRITE_ALL)) {
				TH_LOG("a write by thread %u of %u", i, crew_size);
			}
		}
	}
	end_crew();
	EXPECT_EQ(sum_of(early), 0);
}

/* ---- One gather, several VMAs ---- */

/*
 * Each letter is a VMA of which all entries are (P)romoted or (D)emoted by one and
 * the same mprotect() of the region to read and execute; (M), which was readable
 * and writable, has entries of both kinds, as most of its pages are shared with a
 * child.
 */
FIXTURE(gather)
{
	const char *vmas;
};

FIXTURE_VARIANT(gather)
{
	const char *vmas;
};

FIXTURE_VARIANT_ADD(gather, demoted)
{
	.vmas = "D",
};

FIXTURE_VARIANT_ADD(gather, promoted_demoted)
{
	.vmas = "PD",
};

FIXTURE_VARIANT_ADD(gather, demoted_promoted)
{
	.vmas = "DP",
};

FIXTURE_VARIANT_ADD(gather, alternating)
{
	.vmas = "PDPDP",
};

FIXTURE_VARIANT_ADD(gather, mixed_entries)
{
	.vmas = "M",
};

#define VMA_PAGES	4

static int protect_vma(unsigned int vma, int prot)
{
	return mprotect(region.addr + vma * VMA_PAGES * psize(),
			VMA_PAGES * psize(), prot);
}

static const char *may_be_executable(void)
{
	if (mprotect(region.addr, region.len, PROT_READ | PROT_WRITE | PROT_EXEC))
		return "memory may not be executable here";
	return NULL;
}

FIXTURE_SETUP(gather)
{
	const char *skip;

	begin_test();
	skip = map_memory(BENCH_ANON, false, strlen(variant->vmas) * VMA_PAGES, 0);
	if (!skip)
		skip = may_be_executable();
	if (skip)
		SKIP(return, "%s", skip);
	self->vmas = variant->vmas;
}

FIXTURE_TEARDOWN(gather)
{
	if (self->vmas)
		bench_unmap_region(&region);
}

static bool set_vmas_apart(const char *vmas)
{
	unsigned int i;
	int prot;

	for (i = 0; vmas[i]; i++) {
		prot = PROT_READ;
		if (vmas[i] != 'P')
			prot |= PROT_WRITE;
		if (vmas[i] == 'D')
			prot |= PROT_EXEC;
		if (protect_vma(i, prot))
			return false;
	}
	return true;
}

/* The words are in what is demoted, which is the first such VMA. */
static void place_words(const char *vmas)
{
	const size_t first = strcspn(vmas, "DM") * VMA_PAGES;
	unsigned int i;
	size_t page;

	for (i = 0; i < crew_size; i++) {
		/* Of (M), the second page is demoted, the others are promoted. */
		page = first + (vmas[0] == 'M' ? 1 : i % VMA_PAGES);
		crew[i].word = (void *)(region.addr + page * psize() + 64 * i);
		crew[i].mine = *crew[i].word;
	}
}

/* With a bug, one promoted entry makes the flush of the gather relaxed. */
TEST_F(gather, no_write_after_mprotect)
{
	const bool mixed = self->vmas[0] == 'M';
	struct race race = { .enough = MANY_ROUNDS };
	struct watcher watcher;

	/* The child shares the pages that are not written to. */
	ASSERT_TRUE(!mixed || start_watcher(&watcher));
	atomic_store(&may_write, false);
	start_crew(all_other_cpus(), writer);
	place_words(self->vmas);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(set_vmas_apart(self->vmas));
		atomic_store(&may_write, true);
		ASSERT_TRUE(crew_passes(2));
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_EXEC), 0);
		race.late += !!late_writes(race.rounds);
		atomic_store(&may_write, false);
	}
	end_crew();
	ASSERT_TRUE(!mixed || !end_watcher(&watcher));
	expect_race(&race, "mprotect");
}

/* ---- Code ---- */

FIXTURE(code)
{
	bool mapped;
};

FIXTURE_VARIANT(code)
{
	size_t pages;		/* 0: of one huge page */
};

FIXTURE_VARIANT_ADD(code, small)
{
	.pages = SMALL_PAGES,
};

/* Too many pages to repair the fault of each by itself. */
FIXTURE_VARIANT_ADD(code, wide)
{
	.pages = WIDE_PAGES,
};

FIXTURE_VARIANT_ADD(code, thp)
{
	.pages = 0,
};

/* A function that returns the number, at the beginning and in the last page. */
static void emit_code(unsigned int number)
{
	bench_emit_code(region.addr, number);
	bench_emit_code(region.addr + region.len - psize(), number);
	code_returns = number & 0xffff;
}

FIXTURE_SETUP(code)
{
	const char *skip = BENCH_HAS_CODE ? NULL : "no code for this architecture";

	begin_test();
	if (!skip)
		skip = map_memory(BENCH_ANON, !variant->pages, variant->pages, 1);
	if (!skip)
		skip = may_be_executable();
	if (skip)
		SKIP(return, "%s", skip);
	self->mapped = true;
}

FIXTURE_TEARDOWN(code)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

/*
 * A JIT compiler: the page is writable or executable, never both. With a bug, a
 * thread that was told of new code gets a signal on its stale entry; or one still
 * runs what may no longer be executed.
 */
TEST_F(code, writable_or_executable)
{
	struct race race = {};

	start_crew(all_other_cpus(), obeyer);
	while (race_goes_on(&race)) {
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_WRITE), 0);
		/* For threads that have fetched from here, and those that have not. */
		ASSERT_TRUE(race.rounds % 2 || done_by_all(CALL_DENIED));
		emit_code(race.rounds);
		/* Only what takes no other permission away is relaxed. */
		ASSERT_TRUE(race.rounds % 4 < 2 ||
			    !mprotect(region.addr, region.len, PROT_READ));
		ASSERT_TRUE(done_by_all(READ_ALL));
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_EXEC), 0);
		ASSERT_TRUE(done_by_all(CALL_CODE));
	}
	end_crew();
	race.late = sum_of(late);
	EXPECT_EQ(sum_of(early), 0) {
		TH_LOG("%lu calls were denied after the code had become executable",
		       sum_of(early));
	}
	EXPECT_EQ(race.late, 0) {
		TH_LOG("%lu calls were not denied after the code had become writable",
		       race.late);
	}
	EXPECT_EQ(sum_of(lost), 0) {
		TH_LOG("%lu calls ran other code than there was", sum_of(lost));
	}
}

/* Calls until it is allowed to; me->passes: it was. */
static void *poller(void *arg)
{
	struct member *me = begin_as(arg);
	atomic_uint result;
	bool allowed;

	while (!atomic_load(&stop)) {
		allowed = atomic_load(&may_write);
		/* This makes a TLB entry, a fetch that is denied need not. */
		FORCE_READ(*region.addr);
		if (try_call(region.addr, &result))
			me->passes++;
		else if (allowed)
			me->early++;
		else
			me->denied++;
	}
	return NULL;
}

/*
 * Threads fetch from a page all the time, which cannot be executed until it can.
 * With a bug, one of them faults on its stale entry for ever.
 */
TEST_F(code, polled_until_executable)
{
	struct race race = {};
	unsigned long end;
	unsigned int i;

	emit_code(1);
	while (race_goes_on(&race)) {
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ), 0);
		atomic_store(&may_write, false);
		start_crew(all_other_cpus(), poller);
		end = ms_from_now(PATIENCE_MS);
		for (i = 0; i < crew_size; i++) {
			while (crew[i].denied < 3) {
				ASSERT_FALSE(is_past(end));
				usleep(WAIT_US);
			}
		}
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_EXEC), 0);
		atomic_store(&may_write, true);
		ASSERT_TRUE(crew_passes(1));
		end_crew();
		ASSERT_EQ(sum_of(early), 0) {
			TH_LOG("%lu calls were denied after the code had become executable",
			       sum_of(early));
		}
	}
}

/* ---- Monitors: protections change under the mmap lock for reading ---- */

FIXTURE(monitors)
{
	bool mapped;
};

FIXTURE_VARIANT(monitors)
{
	enum bench_map map;
	bool thp;
};

FIXTURE_VARIANT_ADD(monitors, anon)
{
	.map = BENCH_ANON,
};

FIXTURE_VARIANT_ADD(monitors, thp)
{
	.map = BENCH_ANON,
	.thp = true,
};

FIXTURE_VARIANT_ADD(monitors, hugetlb)
{
	.map = BENCH_HUGETLB,
};

FIXTURE_VARIANT_ADD(monitors, memfd)
{
	.map = BENCH_MEMFD,
};

FIXTURE_SETUP(monitors)
{
	const char *skip;

	begin_test();
	skip = map_memory(variant->map, variant->thp, WIDE_PAGES, 4);
	if (!skip)
		skip = bench_register_uffd(&region, UFFDIO_REGISTER_MODE_WP);
	if (skip)
		SKIP(return, "%s", skip);
	self->mapped = true;
}

FIXTURE_TEARDOWN(monitors)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

#define NR_MONITORS	2

/*
 * A half of the region, and how many monitors want the words at its beginning to
 * stay as they are. The first one protects all of it, the other one the beginning.
 */
static struct half {
	pthread_mutex_t lock;
	unsigned int holders;
	bool all;		/* is protected, or is about to be */
} halves[2] = {
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER },
};

static char *half_at(unsigned int nr)
{
	return region.addr + nr * (region.len / 2);
}

static atomic_uint *word_in_half(unsigned int nr)
{
	return (void *)(half_at(nr % 2) + 64 * nr);
}

static bool protect_half(unsigned int nr, bool all, bool on)
{
	return uffd_protect(half_at(nr), all ? region.len / 2 : region.folio, on);
}

static void hold_half(struct member *me, unsigned int nr)
{
	const bool all = !me->nr;
	struct half *half = &halves[nr];

	pthread_mutex_lock(&half->lock);
	half->holders++;
	half->all |= all;
	pthread_mutex_unlock(&half->lock);
	me->error |= !protect_half(nr, all, true);
}

/* The one that leaves last lifts the protection. */
static void let_half_go(struct member *me, unsigned int nr)
{
	struct half *half = &halves[nr];

	pthread_mutex_lock(&half->lock);
	if (!--half->holders) {
		me->error |= !protect_half(nr, half->all, false);
		half->all = false;
	}
	pthread_mutex_unlock(&half->lock);
}

/* Who does not write has no TLB entry that allows it. */
static void let_write(unsigned int half)
{
	const struct member *writer = &crew[NR_MONITORS + half];
	const unsigned long passes = writer->passes;
	const unsigned long end = ms_from_now(20);

	while (writer->passes == passes && !is_past(end))
		usleep(WAIT_US);
}

/* To come while the other monitor is at work. */
static void meet(unsigned int half, unsigned int us)
{
	const unsigned long end = ms_from_now(20);
	bool met = false;

	while (!met && !is_past(end)) {
		pthread_mutex_lock(&halves[half].lock);
		met = halves[half].all;
		pthread_mutex_unlock(&halves[half].lock);
		usleep(WAIT_US);
	}
	usleep(us);
}

static void *monitor(void *arg)
{
	struct member *me = begin_as(arg);
	unsigned int was, half, seed = me->nr;

	while (!atomic_load(&stop)) {
		half = rand_r(&seed) / 16 % 4 / 3;
		if (me->nr)
			meet(half, rand_r(&seed) % 1024);
		hold_half(me, half);
		was = *word_in_half(NR_MONITORS + half);
		usleep(LATE_US);
		me->late += *word_in_half(NR_MONITORS + half) != was;
		let_half_go(me, half);
		if (!me->nr)
			let_write(half);
		me->passes++;
	}
	return NULL;
}

static void *monitor_or_writer(void *arg)
{
	struct member *me = arg;

	if (me->nr < NR_MONITORS)
		return monitor(arg);
	me->word = word_in_half(me->nr);
	me->mine = *me->word;
	return writer(arg);
}

/*
 * Two monitors protect halves of the region, the same or not, at the same time,
 * while writers write. With a bug, the second finds the protection set, does not
 * flush, and sees writes through an entry that the first has not flushed yet; or
 * what is lifted elsewhere makes its flush relaxed; or a write is lost.
 */
TEST_F(monitors, no_write_while_protected)
{
	struct race race = { .enough = MANY_ROUNDS };
	unsigned int i, errors;

	atomic_store(&may_write, true);
	start_crew(NR_MONITORS + 2, monitor_or_writer);
	while (race_goes_on(&race)) {
		usleep(VERY_LATE_US);
		/* A round is one of the monitors', or a pass of a slow writer. */
		race.rounds = crew[0].passes + crew[1].passes;
		for (i = NR_MONITORS; i < crew_size; i++) {
			if (!crew[i].passes)
				race.rounds = 0;
		}
	}
	/* The writers may wait for a monitor that does not come back. */
	atomic_store(&stop, true);
	for (i = 0; i < NR_MONITORS; i++)
		pthread_join(crew[i].thread, NULL);
	uffd_protect(region.addr, region.len, false);
	for (i = NR_MONITORS; i < crew_size; i++) {
		pthread_join(crew[i].thread, NULL);
		EXPECT_EQ(*crew[i].word, crew[i].mine) {
			TH_LOG("a writer's last write was lost");
		}
	}
	errors = crew[0].error | crew[1].error;
	EXPECT_EQ(errors, 0) {
		TH_LOG("UFFDIO_WRITEPROTECT failed");
	}
	race.late = sum_of(late);
	expect_race(&race, "write protection");
}

/* ---- Two monitors, one of which finds the protection set ---- */

FIXTURE(second_monitor)
{
	bool mapped;
};

/* To protect all of it takes long: a marker for each page that is not there. */
static const char *map_sparse(void)
{
	int fd = syscall(__NR_memfd_create, "tlb_relaxed", 0);

	region = (struct bench_region) {
		.map = BENCH_MEMFD, .folio = psize(), .uffd = -1,
		.len = SPARSE_SIZE, .mapped = SPARSE_SIZE,
	};
	if (bench_nr_cpus() < 2)
		return "wants two CPUs";
	if (fd < 0 || ftruncate(fd, region.len))
		return "no memfd";
	region.addr = mmap(NULL, region.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (region.addr == MAP_FAILED)
		return "no memory for a sparse memfd";
	*region.addr = 1;
	return NULL;
}

FIXTURE_SETUP(second_monitor)
{
	const char *skip;

	begin_test();
	skip = map_sparse();
	if (!skip)
		skip = bench_register_uffd(&region, UFFDIO_REGISTER_MODE_WP);
	if (skip)
		SKIP(return, "%s", skip);
	self->mapped = true;
}

FIXTURE_TEARDOWN(second_monitor)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

/* How much of the region takes long to protect? */
static size_t long_to_protect(void)
{
	size_t len = 1UL << 20;
	unsigned long end;

	do {
		len *= 2;
		/* Page tables first. */
		uffd_protect(region.addr, len, true);
		uffd_protect(region.addr, len, false);
		end = ms_from_now(LONG_MS);
		uffd_protect(region.addr, len, true);
	} while (len < region.len && !is_past(end));
	return len;
}

static void *writer_or_obeyer(void *arg)
{
	const struct member *me = arg;

	return me->nr ? obeyer(arg) : writer(arg);
}

/*
 * The main thread protects all, the second monitor the first page, which it finds
 * protected, while the first flush is still to come. With a bug, it does not flush,
 * and sees writes after its call has returned.
 */
TEST_F(second_monitor, no_write_while_protected)
{
	const size_t len = long_to_protect();
	struct race race = {};
	unsigned int seed = 1;

	ASSERT_TRUE(uffd_protect(region.addr, len, false));
	restless = true;
	atomic_store(&may_write, true);
	start_crew(2, writer_or_obeyer);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(uffd_protect(region.addr, len, false));
		crew[0].seen = crew[0].passes;
		ASSERT_TRUE(is_done(&crew[0], ms_from_now(PATIENCE_MS)));
		join_after_us = rand_r(&seed) % (LONG_MS * 1000 / 2);
		tell(&crew[1], JOIN_IN);
		while (!atomic_load(&joining))
			;
		atomic_store(&joining, false);
		atomic_store(&protecting, true);
		ASSERT_TRUE(uffd_protect(region.addr, len, true));
		atomic_store(&protecting, false);
		ASSERT_TRUE(is_done(&crew[1], ms_from_now(PATIENCE_MS)));
		race.rounds = crew[1].met;
	}
	ASSERT_TRUE(uffd_protect(region.addr, len, false));
	end_crew();
	EXPECT_EQ(crew[1].error, 0) {
		TH_LOG("UFFDIO_WRITEPROTECT failed");
	}
	race.late = sum_of(late);
	expect_race(&race, "write protection");
}

/* ---- Bystanders and counters ---- */

FIXTURE(counters)
{
	bool mapped;
};

FIXTURE_SETUP(counters)
{
	const char *skip;

	begin_test();
	skip = relaxed_flushes < 0 ? NO_FEATURE :
	       map_memory(BENCH_ANON, false, WIDE_PAGES, 0);
	if (skip)
		SKIP(return, "%s", skip);
	self->mapped = true;
}

FIXTURE_TEARDOWN(counters)
{
	if (self->mapped)
		bench_unmap_region(&region);
}

/*
 * A CPU flushes one page, after many relaxed flushes of another CPU, that it was not
 * told of. With a bug, it cannot tell what it has missed, and flushes all.
 * (A CPU that is interrupted to flush counts neither.)
 */
TEST_F(counters, flush_of_a_page_stays_one)
{
	static struct bench_counters before, after, sum;
	const int one = bench_find_counter("nr_tlb_local_flush_one");
	const int all = bench_find_counter("nr_tlb_local_flush_all");
	struct race race = {};
	unsigned int i;

	if (one < 0 || all < 0)
		SKIP(return, "flushes are counted with CONFIG_DEBUG_TLBFLUSH only");
	memset(&sum, 0, sizeof(sum));
	/* A CPU that was idle flushes all when it finds that it has missed flushes. */
	restless = true;
	start_crew(1, obeyer);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(done_by_all(READ_ALL));
		for (i = 0; i < WIDE_PAGES; i++) {
			ASSERT_EQ(mprotect(region.addr + i * psize(), psize(),
					   PROT_READ | PROT_WRITE), 0);
		}
		bench_read(&before);
		ASSERT_TRUE(done_by_all(PROTECT_PAGE));
		bench_read(&after);
		bench_add_delta(&sum, &before, &after);
		ASSERT_EQ(crew[0].error, 0);
		ASSERT_TRUE(upgrade(MPROTECT));
	}
	end_crew();
	EXPECT_GE(sum.value[one], race.rounds) {
		TH_LOG("a page was flushed %lu times in %lu rounds", sum.value[one],
		       race.rounds);
	}
	EXPECT_TRUE(is_nearly_none(sum.value[all], race.rounds)) {
		TH_LOG("a whole TLB was flushed %lu times in %lu rounds", sum.value[all],
		       race.rounds);
	}
}

/* Each thread has all pages in its TLB as they are before, and writes to them after. */
static bool upgrade_under_all(bool by_page)
{
	const size_t step = by_page ? psize() : region.len;
	size_t i;

	if (!downgrade(MPROTECT) || !done_by_all(READ_ALL))
		return false;
	for (i = 0; i < region.len; i += step) {
		if (mprotect(region.addr + i, step, PROT_READ | PROT_WRITE))
			return false;
	}
	return done_by_all(WRITE_ALL);
}

/*
 * Many pages are upgraded at once, and each thread writes to all of them. With a
 * bug, each page takes a fault.
 */
TEST_F(counters, one_repair_for_all_pages)
{
	static struct bench_counters before, after;
	unsigned long repairs, upgrades, faults = 0, most;
	struct race race = {};

	ASSERT_GE(relaxed_repairs, 0) {
		TH_LOG("nr_tlb_relaxed_flush without nr_tlb_relaxed_repair");
	}
	start_crew(all_other_cpus(), obeyer);
	ASSERT_TRUE(done_by_all(WRITE_ALL));	/* faults of its own are over */
	bench_read(&before);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(upgrade_under_all(false));
		faults += sum_of(faults);
	}
	bench_read(&after);
	end_crew();
	upgrades = after.value[relaxed_flushes] - before.value[relaxed_flushes];
	repairs = after.value[relaxed_repairs] - before.value[relaxed_repairs];
	most = upgrades * (crew_size + 1);
	EXPECT_GE(upgrades, race.rounds);
	EXPECT_LE(repairs, most) {
		TH_LOG("%lu repairs after %lu upgrades, on %u CPUs",
		       repairs, upgrades, crew_size + 1);
	}
	EXPECT_LE(faults, most) {
		TH_LOG("%lu faults after %lu upgrades, on %u CPUs",
		       faults, upgrades, crew_size + 1);
	}
	if (!repairs)
		SKIP(return, "no stale entry: this CPU or emulator looks up what it may not do");
}

/*
 * Pages are upgraded one by one, and each thread writes to all of them: it has missed
 * many upgrades. With a bug, each page takes a fault, or each fault flushes all that the
 * TLB holds.
 */
TEST_F(counters, few_faults_page_by_page)
{
	static struct bench_counters before, after;
	const int all = bench_find_counter("nr_tlb_local_flush_all");
	unsigned long pages = 0, faults = 0, most = 0;
	struct race race = {};

	start_crew(all_other_cpus(), obeyer);
	ASSERT_TRUE(done_by_all(WRITE_ALL));	/* faults of its own are over */
	ASSERT_TRUE(upgrade_under_all(false));	/* ... and all have caught up */
	restless = true;
	bench_read(&before);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(upgrade_under_all(true));
		faults += sum_of(faults);
		pages += WIDE_PAGES * crew_size;
		most += MISSED_UPGRADES * crew_size;
	}
	bench_read(&after);
	end_crew();
	EXPECT_LE(faults, most) {
		TH_LOG("%lu faults on %lu pages that were upgraded one by one", faults, pages);
	}
	/* The downgrades flush all, on each CPU. */
	EXPECT_TRUE(all < 0 || is_nearly_none(after.value[all] - before.value[all],
					      pages)) {
		TH_LOG("whole TLBs were flushed %lu times for %lu pages",
		       after.value[all] - before.value[all], pages);
	}
}

/* Pages that nobody needs as long as nobody writes to them. */
static bool make_clean(void)
{
	return !madvise(region.addr, region.len, MADV_FREE);
}

/* Where it does not, a write to a clean page faults, whatever the page table permits. */
static bool cpu_sets_dirty_bit(void)
{
	struct member alone = {};

	if (!make_clean())
		return false;
	write_all(&alone);
	return is_nearly_none(alone.faults, WIDE_PAGES);
}

#define NO_DIRTY_BIT	"this CPU does not set the dirty bit by itself"

/*
 * The kernel writes with page faults disabled, to a page that was upgraded. With a bug,
 * a stale entry makes that fail, and the page has to be faulted in.
 */
TEST_F(counters, no_fault_for_the_kernel)
{
	unsigned long faults = 0, writes = 0;
	struct race race = {};

	if (!cpu_sets_dirty_bit())
		SKIP(return, NO_DIRTY_BIT);
	start_crew(all_other_cpus(), obeyer);
	ASSERT_TRUE(done_by_all(FUTEX_ADD));	/* faults of its own are over */
	while (race_goes_on(&race)) {
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(done_by_all(READ_ALL));
		ASSERT_TRUE(upgrade(MPROTECT));
		ASSERT_TRUE(done_by_all(FUTEX_ADD));
		ASSERT_EQ(sum_of(error), 0);
		faults += sum_of(faults);
		writes += crew_size;
	}
	end_crew();
	EXPECT_TRUE(is_nearly_none(faults, writes)) {
		TH_LOG("%lu faults in %lu writes to a page that is writable", faults,
		       writes);
	}
}

/*
 * Clean pages are upgraded, and each thread writes to all of them. Where the CPU sets
 * the dirty bit by itself it needs no fault for that. With a bug, the repair does not
 * know it, and leaves each page to the fault handler.
 */
TEST_F(counters, no_fault_for_clean_pages)
{
	struct race race = {};
	unsigned long faults = 0;
	unsigned int i;

	if (!cpu_sets_dirty_bit())
		SKIP(return, NO_DIRTY_BIT);
	/* One: what another thread has made dirty takes a fault like any stale entry. */
	start_crew(1, obeyer);
	while (race_goes_on(&race)) {
		ASSERT_TRUE(make_clean());
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(done_by_all(READ_ALL));
		ASSERT_TRUE(upgrade(MPROTECT));
		ASSERT_TRUE(done_by_all(WRITE_ALL));
		for (i = 0; i < crew_size; i++)
			faults += crew[i].faults;
	}
	end_crew();
	EXPECT_EQ(sum_of(early), 0);
	EXPECT_TRUE(is_nearly_none(faults, WIDE_PAGES * race.rounds)) {
		TH_LOG("%lu faults on %u writable pages in %lu rounds", faults,
		       WIDE_PAGES, race.rounds);
	}
}

#define OTHER_UPGRADES	32

/* A process of its own, whose threads catch up with more upgrades than there are yet. */
static bool another_upgrades(void)
{
	struct member alone = {};
	int status, i;
	pid_t pid;

	pid = fork();
	if (!pid) {
		write_all(&alone);	/* pages of its own */
		start_crew(all_other_cpus(), obeyer);
		for (i = 0; i < OTHER_UPGRADES; i++) {
			if (!upgrade_under_all(false))
				_exit(1);
		}
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/*
 * Each CPU has caught up with more upgrades of another process than this one has made
 * yet. With a bug, it takes them for those of this process, and each page faults.
 */
TEST_F(counters, upgrades_of_others)
{
	struct member alone = {};
	unsigned int round;

	ASSERT_TRUE(another_upgrades());
	write_all(&alone);			/* no child shares a page any more */
	start_crew(all_other_cpus(), obeyer);
	ASSERT_TRUE(done_by_all(WRITE_ALL));	/* faults of its own are over */
	for (round = 0; round < OTHER_UPGRADES / 2; round++) {
		ASSERT_TRUE(upgrade_under_all(false));
		EXPECT_EQ(sum_of(early), 0);
		EXPECT_TRUE(is_nearly_none(sum_of(faults), WIDE_PAGES)) {
			TH_LOG("%lu faults of %u threads on %u writable pages, upgrade %u",
			       sum_of(faults), crew_size, WIDE_PAGES, round + 1);
		}
	}
	end_crew();
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
