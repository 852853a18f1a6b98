// SPDX-License-Identifier: GPL-2.0
/*
 * Test protection upgrades of memory that userfaultfd watches for writes, after
 * mremap(), fork() and UFFDIO_MOVE.
 *
 * The invariants:
 *
 * (1) A page that is armed for writes traps the next one, once, whoever makes it. An
 *     upgrade lifts no trap but those that it was told to. (Otherwise a monitor misses
 *     a write: a snapshot or a migration has old data.)
 *
 * (2) A page that is not armed does not trap. (Otherwise a process waits for a monitor
 *     that knows nothing of it.)
 *
 * (3) Data stay with their page, and with their process.
 *
 * All hold for each kernel. The monitor is a thread that counts traps and lifts them.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"

#define MAX_UNITS	512
#define MAX_AREAS	2
#define PAGES		40
#define HUGE_PAGES	8
#define PATIENCE_MS	2000		/* with the monitor */

/*
 * What traps as one: a page, a huge page of hugetlb. An area is a number of them, and
 * the userfaultfd of the process that has it.
 */
struct area {
	int uffd;
	char *base;
	unsigned int units;
	atomic_uint traps[MAX_UNITS];
};

static struct bench_region region;
static size_t unit;
static struct area areas[MAX_AREAS];
static struct bench_thread other, monitor;
static atomic_bool stop_monitor;
static atomic_int forked_uffd;		/* of the child */
static atomic_ulong forks, remapped_to;	/* that it was told of */
static atomic_uint strange;		/* messages */

/* ---- The monitor ---- */

static struct area *area_of(int uffd, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < MAX_AREAS; i++) {
		if (areas[i].uffd == uffd && areas[i].units &&
		    addr - (unsigned long)areas[i].base < areas[i].units * unit)
			return &areas[i];
	}
	return NULL;
}

static void trapped(int uffd, const struct uffd_msg *msg)
{
	const unsigned long addr = msg->arg.pagefault.address & ~(unit - 1);
	struct area *area = area_of(uffd, addr);

	if (area && msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
		area->traps[(addr - (unsigned long)area->base) / unit]++;
	else
		strange++;
	if (!bench_uffd_protect(uffd, (char *)addr, unit, false))
		strange++;
}

static void heard(int uffd, const struct uffd_msg *msg)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		trapped(uffd, msg);
		break;
	case UFFD_EVENT_FORK:
		forked_uffd = msg->arg.fork.ufd;
		forks++;
		break;
	case UFFD_EVENT_REMAP:
		remapped_to = msg->arg.remap.to;
		break;
	default:
		strange++;
	}
}

static void serve(void *unused)
{
	struct uffd_msg msg;
	unsigned int i;

	while (!atomic_load(&stop_monitor)) {
		struct pollfd fds[2] = {
			{ .fd = region.uffd, .events = POLLIN },
			{ .fd = forked_uffd, .events = POLLIN },
		};

		poll(fds, 2, 10);
		for (i = 0; i < 2; i++) {
			while (fds[i].fd >= 0 &&
			       read(fds[i].fd, &msg, sizeof(msg)) == sizeof(msg))
				heard(fds[i].fd, &msg);
		}
	}
}

static void start_monitor(void)
{
	atomic_store(&stop_monitor, false);
	bench_start_thread(&monitor, 2);
	bench_tell(&monitor, serve, NULL);
}

static void end_monitor(void)
{
	atomic_store(&stop_monitor, true);
	bench_end_thread(&monitor);
}

/* The call that it is told of may return before it has done what it does then. */
static bool is_heard(atomic_ulong *what, unsigned long value)
{
	const unsigned long end = bench_ns() + PATIENCE_MS * 1000000UL;

	while (*what != value && bench_ns() < end)
		usleep(100);
	return *what == value;
}

/* ---- Areas ---- */

static void set_area(struct area *area, int uffd, char *base)
{
	unsigned int i;

	area->uffd = uffd;
	area->base = base;
	for (i = 0; i < MAX_UNITS; i++)
		area->traps[i] = 0;
	area->units = region.len / unit;
}

static atomic_uint *word_of(const struct area *area, unsigned int i)
{
	return (void *)(area->base + i * unit + 8);
}

static bool protect(const struct area *area, unsigned int first, unsigned int nr, bool on)
{
	return bench_uffd_protect(area->uffd, area->base + first * unit, nr * unit, on);
}

static bool is_armed(unsigned int i)
{
	return i % 4 == 0;
}

static bool arm(const struct area *area)
{
	unsigned int i;

	for (i = 0; i < area->units; i++) {
		if (is_armed(i) && !protect(area, i, 1, true))
			return false;
	}
	return true;
}

/* What lies between those that are armed is armed, too, and then no more. */
static bool protect_neighbours(const struct area *area)
{
	unsigned int i;

	for (i = 1; i + 2 < area->units; i += 4) {
		if (!protect(area, i, 1, true) || !protect(area, i + 1, 2, true) ||
		    !protect(area, i, 3, false))
			return false;
	}
	return true;
}

static bool toggle(const struct area *area)
{
	const size_t len = area->units * unit;

	return !mprotect(area->base, len, PROT_READ) &&
	       !mprotect(area->base, len, PROT_READ | PROT_WRITE);
}

/* For bench_do() */
struct units {
	const struct area *area;
	unsigned int first, step;	/* which of them */
	unsigned int value;		/* plus their number */
	unsigned int denied, wrong;
};

static void read_units(void *arg)
{
	struct units *u = arg;
	unsigned int i, value;

	for (i = u->first; i < u->area->units; i += u->step) {
		if (!try_read(word_of(u->area, i), &value))
			u->denied++;
		else if (value != u->value + i)
			u->wrong++;
	}
}

static void write_units(void *arg)
{
	struct units *u = arg;
	unsigned int i;

	for (i = u->first; i < u->area->units; i += u->step)
		u->denied += !try_write(word_of(u->area, i), u->value + i);
}

static bool units_do(struct bench_thread *t, void (*todo)(void *), struct area *area,
		     unsigned int first, unsigned int step, unsigned int value)
{
	struct units u = { area, first, step, value };

	return bench_do(t, todo, &u) && !u.denied && !u.wrong;
}

/* Odd ones by the other CPU, which has entries of what was allowed before. */
static bool write_area(struct area *area, unsigned int value)
{
	return units_do(&other, write_units, area, 1, 2, value) &&
	       units_do(NULL, write_units, area, 0, 2, value);
}

static bool area_has(struct area *area, unsigned int value)
{
	return units_do(NULL, read_units, area, 0, 1, value);
}

static void __expect_traps(struct __test_metadata *_metadata, struct area *area,
			   bool (*want)(unsigned int), const char *what)
{
	unsigned int i, bad = 0, first_bad = 0;

	for (i = 0; i < area->units; i++) {
		if (area->traps[i] != want(i) && !bad++)
			first_bad = i;
	}
	EXPECT_EQ(bad, 0) {
		TH_LOG("%s: %u of %u are wrong; the first, %u, trapped %u times, not %u",
		       what, bad, area->units, first_bad, area->traps[first_bad],
		       want(first_bad));
	}
	EXPECT_EQ(strange, 0) {
		TH_LOG("%s: %u strange messages of userfaultfd", what, strange);
	}
}

static void __expect_bits(struct __test_metadata *_metadata, struct area *area,
			  bool (*want)(unsigned int), const char *what)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned int i, bad = 0, first_bad = 0;

	ASSERT_GE(fd, 0);
	for (i = 0; i < area->units; i++) {
		const bool armed = pagemap_get_entry(fd, area->base + i * unit) & PM_UFFD_WP;

		if (armed != want(i) && !bad++)
			first_bad = i;
	}
	close(fd);
	EXPECT_EQ(bad, 0) {
		TH_LOG("%s: %u of %u are wrong; the first, %u, is %s", what, bad,
		       area->units, first_bad, want(first_bad) ? "not armed" : "armed");
	}
}

#define expect_traps(area, want, what)	__expect_traps(_metadata, area, want, what)
#define expect_bits(area, want, what)	__expect_bits(_metadata, area, want, what)

static bool never(unsigned int i)
{
	return false;
}

/* ---- Armed pages: moved, inherited ---- */

FIXTURE(armed)
{
	bool ready;
};

FIXTURE_VARIANT(armed)
{
	enum bench_memory memory;
};

FIXTURE_VARIANT_ADD(armed, anon)
{
	.memory = BENCH_SMALL,
};

FIXTURE_VARIANT_ADD(armed, mthp)
{
	.memory = BENCH_MTHP,
};

FIXTURE_VARIANT_ADD(armed, thp)
{
	.memory = BENCH_THP,
};

FIXTURE_VARIANT_ADD(armed, hugetlb)
{
	.memory = BENCH_HUGE,
};

FIXTURE_VARIANT_ADD(armed, memfd)
{
	.memory = BENCH_SHMEM,
};

static const char *map_memory(enum bench_memory memory)
{
	const char *skip;

	if (bench_nr_cpus() < 2)
		return "wants two CPUs";
	/* A child gets copies. */
	if (memory == BENCH_HUGE && !hugetlb_setup_default(2 * HUGE_PAGES + 2))
		return "no huge pages to be had";
	skip = bench_map_memory(&region, memory, PAGES,
				memory == BENCH_HUGE ? HUGE_PAGES : 1);
	unit = memory == BENCH_HUGE ? region.folio : psize();
	if (!skip && region.len / unit > MAX_UNITS)
		skip = "more pages in a huge page than this test is made for";
	return skip;
}

FIXTURE_SETUP(armed)
{
	const char *skip;

	bench_init();
	catch_denied_accesses();
	bench_pin(0);
	forked_uffd = -1;
	skip = map_memory(variant->memory);
	if (skip)
		SKIP(return, "%s", skip);
	bench_start_thread(&other, 1);
	self->ready = true;
}

/* What was moved goes with the process. */
FIXTURE_TEARDOWN(armed)
{
	if (!self->ready)
		return;
	if (monitor.thread)
		end_monitor();
	bench_end_thread(&other);
}

/* The region becomes the first area: written by both CPUs, watched, and armed. */
static const char *watch(unsigned long features)
{
	const char *skip;

	skip = bench_register_uffd_with(&region, UFFDIO_REGISTER_MODE_WP,
					features | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (skip)
		return skip;
	set_area(&areas[0], region.uffd, region.addr);
	if (!write_area(&areas[0], 1000) ||
	    !units_do(&other, write_units, &areas[0], 0, 1, 1000) || !arm(&areas[0]))
		return "the region could not be written and armed";
	start_monitor();
	return NULL;
}

/* A place for the region: of small pages so that it is nowhere aligned as before. */
static char *new_place(void)
{
	const size_t align = region.folio > HPAGE_SIZE ? region.folio : HPAGE_SIZE;
	char *p = mmap(NULL, region.len + 2 * align, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	p = (char *)(((uintptr_t)p + align) & ~(align - 1));
	return unit == region.folio && unit > psize() ? p : p + 3 * psize();
}

static bool move_region(void)
{
	char *to = new_place();

	if (!to || mremap(region.addr, region.len, region.len,
			  MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return false;
	region.addr = to;
	return true;
}

/*
 * Two upgrades, and a write to each. With a bug, one that was armed does not trap, as
 * the move or the upgrade has lifted it; or one that was not traps.
 */
static void upgrade_and_write(struct __test_metadata *_metadata, struct area *area,
			      bool (*want)(unsigned int), const char *what)
{
	ASSERT_TRUE(toggle(area));
	ASSERT_TRUE(units_do(&other, read_units, area, 0, 1, 1000));
	ASSERT_TRUE(protect_neighbours(area));
	ASSERT_TRUE(toggle(area));
	expect_bits(area, want, what);
	ASSERT_TRUE(write_area(area, 2000)) {
		TH_LOG("%s: writes were denied, or are not done", what);
	}
	expect_traps(area, want, what);
	EXPECT_TRUE(area_has(area, 2000));
	/* All is over: each can be written to again. */
	ASSERT_TRUE(write_area(area, 3000));
	expect_traps(area, want, what);
	EXPECT_TRUE(area_has(area, 3000));
}

/*
 * A write that waited for the monitor finds its page upgraded. It did not fault because of
 * a stale TLB entry. With a bug, it passes for such a fault, and after some of them the CPU
 * flushes all that it holds.
 */
TEST_F(armed, resolved_is_not_repaired)
{
	static struct bench_counters before, after;
	const char *skip = watch(0);
	unsigned long repairs, traps = 0;
	int counter;

	if (skip)
		SKIP(return, "%s", skip);
	counter = bench_find_counter("nr_tlb_relaxed_repair");
	if (counter < 0)
		SKIP(return, "this kernel has no relaxed flush, or was told to do without");
	bench_read(&before);
	while (traps < 200) {
		ASSERT_TRUE(protect(&areas[0], 0, areas[0].units, true));
		ASSERT_TRUE(units_do(&other, write_units, &areas[0], 0, 1, 2000));
		traps += areas[0].units;
	}
	bench_read(&after);
	EXPECT_EQ(strange, 0);
	repairs = after.value[counter] - before.value[counter];
	EXPECT_LE(repairs, traps / 8) {
		TH_LOG("%lu repairs of stale entries in %lu writes that trapped", repairs, traps);
	}
}

/* With a bug, what moves with its monitor arrives without its traps, or next to them. */
TEST_F(armed, mremap)
{
	const char *skip = watch(UFFD_FEATURE_EVENT_REMAP);

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(move_region());
	ASSERT_TRUE(is_heard(&remapped_to, (unsigned long)region.addr));
	set_area(&areas[0], region.uffd, region.addr);
	upgrade_and_write(_metadata, &areas[0], is_armed, "moved");
}

/*
 * A monitor that does not want to know of it loses what is moved. With a bug, a trap is
 * left, for which nobody waits.
 */
TEST_F(armed, mremap_unwatched)
{
	const char *skip = watch(0);

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(move_region());
	set_area(&areas[0], region.uffd, region.addr);
	ASSERT_TRUE(toggle(&areas[0]));
	ASSERT_TRUE(units_do(&other, read_units, &areas[0], 0, 1, 1000));
	ASSERT_TRUE(toggle(&areas[0]));
	expect_bits(&areas[0], never, "moved, not watched");
	ASSERT_TRUE(write_area(&areas[0], 2000));
	expect_traps(&areas[0], never, "moved, not watched");
	EXPECT_TRUE(area_has(&areas[0], 2000));
}

/* 1: data of the parent are wrong; 2: a write failed; 3: data written are wrong. */
static int child_writes(void *arg)
{
	struct area *area = arg;

	if (!area_has(area, 1000))
		return 1;
	if (!toggle(area) || !units_do(NULL, write_units, area, 0, 1, 5000))
		return 2;
	return area_has(area, 5000) ? 0 : 3;
}

/*
 * The child's pages are armed as its parent's. With a bug, the fork() or an upgrade of
 * one of them lifts a trap, or one sees what the other writes.
 */
TEST_F(armed, fork)
{
	const bool shared = region.map == BENCH_MEMFD;
	const char *skip = watch(UFFD_FEATURE_EVENT_FORK);
	struct bench_child child;

	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(bench_start_child(&child, child_writes, &areas[0]));
	ASSERT_TRUE(is_heard(&forks, 1));
	set_area(&areas[1], forked_uffd, region.addr);
	ASSERT_TRUE(protect_neighbours(&areas[1]));
	EXPECT_EQ(bench_end_child(&child), 0);
	expect_traps(&areas[1], is_armed, "in the child");
	expect_traps(&areas[0], never, "in the parent, when the child writes");
	if (shared) {
		ASSERT_TRUE(area_has(&areas[0], 5000));
		ASSERT_TRUE(protect(&areas[0], 0, areas[0].units, false));
		ASSERT_TRUE(write_area(&areas[0], 1000));
		ASSERT_TRUE(arm(&areas[0]));
	}
	upgrade_and_write(_metadata, &areas[0], is_armed, "in the parent");
}

/*
 * The parent writes first, while the child has the pages; the child is not watched. With
 * a bug, the copies that these writes make are not armed, or the child waits for nobody.
 */
TEST_F(armed, fork_unwatched)
{
	const char *skip = watch(0);
	struct bench_child child;

	if (region.map == BENCH_MEMFD)
		SKIP(return, "shared memory does not become different");
	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(bench_start_child(&child, child_writes, &areas[0]));
	upgrade_and_write(_metadata, &areas[0], is_armed, "in the parent");
	EXPECT_EQ(bench_end_child(&child), 0);
	expect_traps(&areas[0], is_armed, "in the parent, when the child writes");
}

/* ---- UFFDIO_MOVE ---- */

/* Of four, the first is there and armed, the second and third are moved here. */
static bool is_moved(unsigned int i)
{
	return i % 4 == 1 || i % 4 == 2;
}

/* The destination: without those that are to come. */
static bool make_holes(struct area *area)
{
	unsigned int i;

	for (i = 1; i + 1 < area->units; i += 4) {
		if (madvise(area->base + i * unit, 2 * unit, MADV_DONTNEED))
			return false;
	}
	return true;
}

static bool move_units(struct area *from, struct area *to)
{
	unsigned int i;

	for (i = 1; i + 1 < from->units; i += 4) {
		struct uffdio_move move = {
			.dst = (unsigned long)to->base + i * unit,
			.src = (unsigned long)from->base + i * unit,
			.len = 2 * unit,
		};

		while (ioctl(region.uffd, UFFDIO_MOVE, &move)) {
			if (errno != EAGAIN)
				return false;
			if (move.move < 0)
				continue;
			move.dst += move.move;
			move.src += move.move;
			move.len -= move.move;
		}
	}
	return true;
}

/* A second region of the same kind, watched by the same monitor. */
static bool add_source(enum bench_memory memory, char **base)
{
	const struct bench_region destination = region;
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	const char *skip = map_memory(memory);

	*base = region.addr;
	region = destination;
	if (skip)
		return false;
	reg.range.start = (unsigned long)*base;
	reg.range.len = region.len;
	return !ioctl(region.uffd, UFFDIO_REGISTER, &reg);
}

/*
 * With a bug, a page does not become what it was on the way; a page next to it loses or
 * gets a trap; or a CPU still writes to it at the old address.
 */
TEST_F(armed, uffdio_move)
{
	struct area *to = &areas[0], *from = &areas[1];
	unsigned int i, wrong = 0;
	const char *skip;
	char *source;

	if (region.map != BENCH_ANON)
		SKIP(return, "UFFDIO_MOVE is for anonymous memory");
	skip = watch(UFFD_FEATURE_MOVE);
	if (skip)
		SKIP(return, "%s", skip);
	ASSERT_TRUE(add_source(variant->memory, &source));
	set_area(from, region.uffd, source);
	ASSERT_TRUE(write_area(from, 1000));
	ASSERT_TRUE(arm(from));
	ASSERT_TRUE(make_holes(to));
	/* Now it has writable TLB entries of what is moved. */
	ASSERT_TRUE(units_do(&other, write_units, from, 1, 4, 1000));
	ASSERT_TRUE(units_do(&other, write_units, from, 2, 4, 1000));
	ASSERT_TRUE(move_units(from, to)) {
		TH_LOG("UFFDIO_MOVE: %s", strerror(errno));
	}
	ASSERT_TRUE(units_do(&other, write_units, from, 1, 4, 7000));
	ASSERT_TRUE(units_do(&other, write_units, from, 2, 4, 7000));
	EXPECT_TRUE(area_has(to, 1000)) {
		TH_LOG("a write to the old place has changed what was moved");
	}
	upgrade_and_write(_metadata, to, is_armed, "moved to");

	for (i = 0; i < from->units; i++)
		wrong += *word_of(from, i) != (is_moved(i) ? 7000 : 1000) + i;
	EXPECT_EQ(wrong, 0);
	ASSERT_TRUE(toggle(from));
	expect_bits(from, is_armed, "moved from");
	ASSERT_TRUE(write_area(from, 8000));
	expect_traps(from, is_armed, "moved from");
	EXPECT_TRUE(area_has(from, 8000));
	EXPECT_TRUE(area_has(to, 3000));
}

int main(int argc, char **argv)
{
	if (!geteuid())
		hugepage_save_settings(thp_available(), hugetlb_available());
	return test_harness_run(argc, argv);
}
