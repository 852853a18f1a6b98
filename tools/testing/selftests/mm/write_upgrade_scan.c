// SPDX-License-Identifier: GPL-2.0
/*
 * Test protection upgrades of memory that is watched for writes by PAGEMAP_SCAN with
 * PM_SCAN_WP_MATCHING: it reports the pages that were written to since the last look.
 *
 * The invariants:
 *
 * (1) A page that was written to is reported by the next look, whoever has written,
 *     and whatever protections changed meanwhile. (Otherwise a checkpoint or a garbage
 *     collector goes on with old data.)
 *
 * (2) It is reported once, and no other page is.
 *
 * Both hold for each kernel.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"

#define ROUNDS		24
#define RACE_MS		500		/* of a race ... */
#define RACE_LIMIT_MS	6000		/* or so long, for enough to happen */
#define MAX_UNITS	2048

static struct bench_region region;
static size_t unit;			/* what is reported as one */
static unsigned int units;
static int pagemap;
static struct bench_thread other;	/* on another CPU */

FIXTURE(watched)
{
	bool ready;
};

FIXTURE_VARIANT(watched)
{
	enum bench_memory memory;
	size_t folios;
};

FIXTURE_VARIANT_ADD(watched, anon)
{
	.memory = BENCH_SMALL,
	.folios = 64,
};

FIXTURE_VARIANT_ADD(watched, mthp)
{
	.memory = BENCH_MTHP,
	.folios = 4,
};

FIXTURE_VARIANT_ADD(watched, thp)
{
	.memory = BENCH_THP,
	.folios = 4,
};

FIXTURE_VARIANT_ADD(watched, hugetlb)
{
	.memory = BENCH_HUGE,
	.folios = 12,
};

FIXTURE_VARIANT_ADD(watched, memfd)
{
	.memory = BENCH_SHMEM,
	.folios = 64,
};

FIXTURE_SETUP(watched)
{
	const char *skip = bench_nr_cpus() < 2 ? "wants two CPUs" : NULL;

	bench_init();
	catch_denied_accesses();
	bench_pin(0);
	if (!skip)
		skip = bench_map_memory(&region, variant->memory, 1, variant->folios);
	if (!skip)
		skip = bench_register_uffd_with(&region, UFFDIO_REGISTER_MODE_WP,
						UFFD_FEATURE_PAGEFAULT_FLAG_WP |
						UFFD_FEATURE_WP_ASYNC);
	unit = variant->memory == BENCH_HUGE ? region.folio : psize();
	units = region.len / unit;
	if (!skip && units > MAX_UNITS)
		skip = "more pages in a huge page than this test is made for";
	if (skip)
		SKIP(return, "%s", skip);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_GE(pagemap, 0);
	bench_start_thread(&other, 1);
	self->ready = true;
}

FIXTURE_TEARDOWN(watched)
{
	if (!self->ready)
		return;
	bench_end_thread(&other);
	bench_unmap_region(&region);
}

static atomic_uint *word_of(unsigned int i)
{
	return (void *)(region.addr + i * unit + 8);
}

static bool toggle(unsigned int first, unsigned int nr)
{
	char *addr = region.addr + first * unit;

	return !mprotect(addr, nr * unit, PROT_READ) &&
	       !mprotect(addr, nr * unit, PROT_READ | PROT_WRITE);
}

/*
 * What was written since the last call? The kernel has a way of its own for those who
 * ask for nothing else. It may stop early, and say so where it has not.
 */
static bool scan(bool *written, bool nothing_else)
{
	static struct page_region found[MAX_UNITS];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.walk_end = (unsigned long)region.addr,
		.end = (unsigned long)region.addr + region.len,
		.vec = (unsigned long)found,
		.vec_len = MAX_UNITS,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN | (nothing_else ? 0 : PAGE_IS_PRESENT),
	};
	unsigned long addr;
	int i, n;

	memset(written, 0, MAX_UNITS);
	while (arg.walk_end < arg.end) {
		arg.start = arg.walk_end;
		n = ioctl(pagemap, PAGEMAP_SCAN, &arg);
		if (n < 0)
			return false;
		for (i = 0; i < n; i++) {
			for (addr = found[i].start; addr < found[i].end; addr += unit)
				written[(addr - (unsigned long)region.addr) / unit] = true;
		}
	}
	return true;
}

/* For bench_do(): write to each second unit of those that are wanted. */
struct writes {
	const bool *want;
	unsigned int first, value, denied;
};

static void write_wanted(void *arg)
{
	struct writes *w = arg;
	unsigned int i;

	for (i = w->first; i < units; i += 2) {
		if (w->want[i])
			w->denied += !try_write(word_of(i), w->value + i);
	}
}

static bool write_by_both(const bool *want, unsigned int value)
{
	struct writes mine = { want, 0, value }, others = { want, 1, value };

	return bench_do(&other, write_wanted, &others) &&
	       bench_do(NULL, write_wanted, &mine) && !mine.denied && !others.denied;
}

/* Each CPU has a writable TLB entry of each. */
static bool write_all(unsigned int value)
{
	static bool all[MAX_UNITS];
	struct writes crossed[2] = { { all, 0, value }, { all, 1, value } };

	memset(all, true, sizeof(all));
	return write_by_both(all, value) &&
	       bench_do(&other, write_wanted, &crossed[0]) &&
	       bench_do(NULL, write_wanted, &crossed[1]);
}

/* A quarter; of large folios a few, and of those that PMDs map one more by and by. */
static void choose(bool *want, unsigned int round, unsigned int *seed)
{
	const unsigned int per_folio = region.folio / unit;
	const unsigned int folios = units / per_folio * round / ROUNDS + 1;
	unsigned int i;

	memset(want, 0, MAX_UNITS);
	for (i = 0; i < (region.pmd ? folios * per_folio : units); i++) {
		want[i] = rand_r(seed) / 16 % 4 == 0;
		if (i % 16 == 15 && per_folio > 16)
			i += per_folio / 4;
	}
}

/* In four ways: before, after, both or neither. In part, or all. */
static bool maybe_toggle(unsigned int round, bool before)
{
	if (!(round / 2 % 4 & (before ? 1 : 2)))
		return true;
	return round % 2 ? toggle(units / 4, units / 3) : toggle(0, units);
}

static unsigned int count(const bool *in, const bool *not_in)
{
	unsigned int i, n = 0;

	for (i = 0; i < units; i++)
		n += in[i] && !not_in[i];
	return n;
}

static void __expect_found(struct __test_metadata *_metadata, const bool *got,
			   const bool *want, unsigned int round, const char *when)
{
	EXPECT_EQ(count(want, got), 0) {
		TH_LOG("round %u, %s: %u writes were not reported", round, when,
		       count(want, got));
	}
	EXPECT_EQ(count(got, want), 0) {
		TH_LOG("round %u, %s: %u were reported that nobody wrote to", round, when,
		       count(got, want));
	}
}

#define expect_found(want, when) \
	__expect_found(_metadata, got, want, round, when)

/*
 * Some are written, by two CPUs, before a look and after it. With a bug, one is not
 * reported, as an upgrade has lifted the watch, or a CPU has a writable entry; or one
 * is reported that nobody has written to.
 */
TEST_F(watched, each_write_once)
{
	static bool want[MAX_UNITS], got[MAX_UNITS], none[MAX_UNITS];
	unsigned int round, seed = 1;

	ASSERT_TRUE(write_all(1000));
	for (round = 0; round < ROUNDS; round++) {
		choose(want, round, &seed);
		ASSERT_TRUE(write_by_both(want, 1000 * round));
		ASSERT_TRUE(scan(got, round % 2));
		if (round)
			expect_found(want, "the first look");
		ASSERT_TRUE(maybe_toggle(round, true));
		ASSERT_TRUE(write_by_both(want, 2000 * round));
		ASSERT_TRUE(maybe_toggle(round, false));
		ASSERT_TRUE(scan(got, round % 3));
		expect_found(want, "the second look");
		ASSERT_TRUE(scan(got, round % 2));
		expect_found(none, "the third look");
	}
}

/* Two threads, until they are told to stop. */
static atomic_bool stop_race;
static atomic_ulong written, toggled;

static void write_on(void *unused)
{
	unsigned int seed = 2;

	for (written = 0; !atomic_load(&stop_race); )
		written += try_write(word_of(rand_r(&seed) / 16 % units), written + 1);
}

static void toggle_on(void *ok)
{
	unsigned int seed = 3, i;

	for (toggled = 0; !atomic_load(&stop_race); toggled++) {
		i = rand_r(&seed) / 16 % units;
		if (!toggle(i, toggled % 2 ? units - i : 1))
			*(bool *)ok = false;
	}
}

static bool is_race(unsigned long looks)
{
	return looks >= 5 && written >= 100 && toggled >= 5;
}

/*
 * A copy follows the memory, by looks only, while one thread writes and another one
 * toggles. With a bug, a write is not reported, and the copy is old in the end.
 */
TEST_F(watched, copy_follows)
{
	static bool got[MAX_UNITS];
	static unsigned int copy[MAX_UNITS];
	struct bench_thread toggler;
	unsigned long end, limit, looks;
	unsigned int i, wrong = 0;
	bool more = true, ok = true;

	ASSERT_TRUE(write_all(0));
	for (i = 0; i < units; i++)
		copy[i] = i;
	ASSERT_TRUE(scan(got, true));
	bench_start_thread(&toggler, 2);
	bench_tell(&other, write_on, NULL);
	bench_tell(&toggler, toggle_on, &ok);
	end = bench_ns() + RACE_MS * 1000000UL;
	limit = bench_ns() + RACE_LIMIT_MS * 1000000UL;
	for (looks = 0; more; looks++) {
		if (bench_ns() >= (is_race(looks) ? end : limit)) {
			/* The last look comes after the last write. */
			atomic_store(&stop_race, true);
			ASSERT_TRUE(bench_is_done(&other));
			ASSERT_TRUE(bench_is_done(&toggler));
			more = false;
		}
		ASSERT_TRUE(scan(got, looks % 2));
		for (i = 0; i < units; i++) {
			if (got[i])
				copy[i] = *word_of(i);
		}
	}
	bench_end_thread(&toggler);
	for (i = 0; i < units; i++)
		wrong += copy[i] != *word_of(i);
	EXPECT_EQ(wrong, 0) {
		TH_LOG("%u writes were not reported, in %lu looks, %lu writes, %lu toggles",
		       wrong, looks, (unsigned long)written, (unsigned long)toggled);
	}
	EXPECT_TRUE(ok) {
		TH_LOG("mprotect() failed");
	}
	if (!wrong && !is_race(looks))
		SKIP(return, "this machine is too slow or busy: too few rounds to mean something");
}

int main(int argc, char **argv)
{
	if (!geteuid())
		hugepage_save_settings(thp_available(), hugetlb_available());
	return test_harness_run(argc, argv);
}
