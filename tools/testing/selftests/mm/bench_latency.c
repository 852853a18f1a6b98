// SPDX-License-Identifier: GPL-2.0
/*
 * The topic "latency": how long single stores of other threads take while one thread
 * takes protection and gives it back, at a fixed rate, on memory of the process that
 * they do not use, or on theirs. In that case they run into the protection, too, and
 * try again until they may.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_region.h"
#include "bench_timed.h"

#define PAGES		32
#define CASE_NS		300000000UL
#define PERIOD_NS	100000UL	/* from one down to the next one */
#define SUB_BITS	4		/* a bucket is as wide as a 16th of its value, or less */
#define BUCKETS		((64 - SUB_BITS + 1) << SUB_BITS)

enum where { NOWHERE, ELSEWHERE, SAME, NR_WHERES };

static const char * const where_names[NR_WHERES] = { "idle", "elsewhere", "same" };

struct latency {
	enum where where;
	unsigned int cpus;
};

struct writer {
	pthread_t thread;
	int cpu;
	char *addr;
	unsigned long longest, stores;
	unsigned long bucket[BUCKETS];	/* stores that took so many ticks */
};

static struct writer writers[BENCH_MAX_CPUS];
static atomic_uint nr_ready;
static atomic_bool stop;

/* Ticks below 2^SUB_BITS have a bucket each, then each power of two has so many. */
static unsigned int bucket_of(unsigned long ticks)
{
	unsigned int power;

	if (ticks < 1 << SUB_BITS)
		return ticks;
	power = 63 - __builtin_clzl(ticks);
	return ((power - SUB_BITS + 1) << SUB_BITS) +
	       ((ticks >> (power - SUB_BITS)) & ((1 << SUB_BITS) - 1));
}

static unsigned long least_of(unsigned int bucket)
{
	unsigned int power = bucket >> SUB_BITS;

	if (!power)
		return bucket;
	return (1UL << SUB_BITS | (bucket & ((1 << SUB_BITS) - 1))) << (power - 1);
}

/* The store that was refused is tried again: as long as that takes is its time. */
static void try_again(int sig)
{
}

static void *write_on(void *arg)
{
	struct writer *w = arg;
	unsigned long begin, ticks;
	size_t at = 0;

	bench_pin(w->cpu);
	memset(w->bucket, 0, sizeof(w->bucket));
	atomic_fetch_add(&nr_ready, 1);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		begin = bench_ticks();
		w->addr[at] = 1; /* between two looks at memory, for the compiler */
		ticks = bench_ticks() - begin;
		w->bucket[bucket_of(ticks)]++;
		w->stores++;
		if (ticks > w->longest)
			w->longest = ticks;
		at = at + psize() < PAGES * psize() ? at + psize() : 0;
	}
	return NULL;
}

/* At a fixed rate, by the clock: a kernel that is faster is not asked more often. */
static unsigned long toggle(char *addr)
{
	const unsigned long period = PERIOD_NS / bench_tick_ns();
	unsigned long next = bench_ticks(), end = bench_ns() + CASE_NS, n;
	const size_t len = PAGES * psize();

	for (n = 0; bench_ns() < end; n++) {
		next += period;
		bench_wait_until(next);
		if (addr && (mprotect(addr, len, PROT_READ) ||
			     mprotect(addr, len, PROT_READ | PROT_WRITE)))
			bench_failed("mprotect()");
	}
	return n;
}

static void report_share(const struct bench_case *c, const char *name, double share,
			 unsigned int nr, unsigned long all)
{
	const unsigned long cost = bench_tick_cost();
	unsigned long seen = 0, ticks;
	unsigned int b, i;

	for (b = 0; b < BUCKETS; b++) {
		for (i = 0; i < nr; i++)
			seen += writers[i].bucket[b];
		if (seen >= share * all)
			break;
	}
	ticks = least_of(b);
	bench_value(c, "store", name, "ns/store",
		    (ticks > cost ? ticks - cost : 0) * bench_tick_ns(), all);
}

static void measure(const struct bench_case *c)
{
	const struct latency *l = c->arg;
	struct sigaction action = { .sa_handler = try_again };
	char *used = bench_plain_memory(PAGES * psize(), false);
	char *unused = bench_plain_memory(PAGES * psize(), false);
	const unsigned long wanted = CASE_NS / PERIOD_NS;
	unsigned long longest = 0, all = 0, toggles;
	unsigned int i, nr = l->cpus - 1;

	if (!used || !unused)
		bench_cannot("there is not enough memory");
	bench_tick_ns();
	sigaction(SIGSEGV, &action, NULL);
	for (i = 0; i < nr; i++) {
		writers[i].cpu = bench_cpu(i + 1);
		writers[i].addr = used + i * 64 % psize(); /* a line of cache for each */
		if (pthread_create(&writers[i].thread, NULL, write_on, &writers[i]))
			bench_failed("pthread_create()");
	}
	while (atomic_load(&nr_ready) != nr)
		bench_relax();
	toggles = toggle(l->where == NOWHERE ? NULL : l->where == SAME ? used : unused);
	atomic_store(&stop, true);
	for (i = 0; i < nr; i++) {
		pthread_join(writers[i].thread, NULL);
		all += writers[i].stores;
		if (writers[i].longest > longest)
			longest = writers[i].longest;
	}
	report_share(c, "p50", .5, nr, all);
	report_share(c, "p99", .99, nr, all);
	report_share(c, "p99.9", .999, nr, all);
	report_share(c, "p99.99", .9999, nr, all);
	bench_value(c, "store", "max", "ns/store", longest * bench_tick_ns(), all);
	bench_value(c, "store", "mean", "ns/store",
		    (double)CASE_NS * nr / all - bench_tick_cost() * bench_tick_ns(), all);
	bench_value(c, "toggles", "missed", "toggles/s",
		    (wanted > toggles ? wanted - toggles : 0) * 1e9 / CASE_NS, toggles);
}

static int run(const char *only)
{
	int status = KSFT_SKIP;
	unsigned int cpus, where;

	for (cpus = bench_next_number(0); cpus; cpus = bench_next_number(cpus)) {
		for (where = 0; where < NR_WHERES && cpus > 1; where++) {
			struct latency l = { where, cpus };
			struct bench_case c = {
				.topic = "latency", .measure = measure, .arg = &l,
			};

			snprintf(c.name, sizeof(c.name), "mprotect anon 4k ro pages=%d cpus=%u %s",
				 PAGES, cpus, where_names[where]);
			status = bench_worse(status, bench_run_case(&c, only));
		}
	}
	return status;
}

const struct bench_topic bench_latency = { "latency", run };
