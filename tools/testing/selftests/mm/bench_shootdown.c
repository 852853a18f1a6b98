// SPDX-License-Identifier: GPL-2.0
/*
 * The topic "shootdown": what an mprotect() down and up takes when the process runs on
 * N CPUs, of the CPU that calls, and what it steals from each of the others, which spin
 * without touching the memory, or read it.
 *
 * Slots come in threes: down, up, and one in which nothing is done. A round whose calls
 * did not fit in their slots is not counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench_region.h"
#include "bench_steal.h"
#include "bench_timed.h"

#define MAX_ROUNDS	(BENCH_MAX_SLOTS / NR_KINDS)
#define LEAST_ROUNDS	20
#define CASE_NS		400000000UL	/* all slots of a case together */
#define LEAST_SLOT_NS	20000
#define MARGIN_NS	10000		/* of a slot, after the call */
#define COUNT_ROUNDS	32		/* that count interrupts, and show how long a call is */
#define AHEAD_NS	1000000		/* until the first slot */
#define WARM_UP		5

enum kind { DOWN, UP, IDLE, NR_KINDS };

static const char * const kind_names[NR_KINDS] = { "down", "up", "idle" };

struct shootdown {
	unsigned int pages, cpus;
	bool read;
};

static struct bench_watcher watchers[BENCH_MAX_CPUS];
static struct bench_samples calls[2];
static bool clean[MAX_ROUNDS];
static unsigned int rounds, nr_clean;
static unsigned long slot;

static unsigned long call(char *addr, size_t len, enum kind kind)
{
	unsigned long begin = bench_ticks();

	if (mprotect(addr, len, kind == UP ? PROT_READ | PROT_WRITE : PROT_READ))
		bench_failed("mprotect()");
	return bench_ticks() - begin;
}

/* While the others spin, and before the slots: sets the slots' length. */
static void count_interrupts(const struct bench_case *c, char *addr, size_t len)
{
	static struct bench_counters at[3], sum[2];
	struct bench_metric m = {
		.topic = c->topic, .name = c->name, .n = COUNT_ROUNDS,
	};
	unsigned long longest[2];
	unsigned int i, kind;

	for (i = 0; i < WARM_UP + COUNT_ROUNDS; i++) {
		/* Touches all of it, or the sums would count their own first faults. */
		if (i <= WARM_UP)
			memset(sum, 0, sizeof(sum));
		bench_read(&at[0]);
		for (kind = DOWN; kind <= UP; kind++) {
			bench_sample(&calls[kind], call(addr, len, kind));
			bench_read(&at[kind + 1]);
			bench_add_delta(&sum[kind], &at[kind], &at[kind + 1]);
		}
		bench_write_pages(addr, len, psize());
	}
	for (kind = DOWN; kind <= UP; kind++) {
		bench_report_counters(&m, kind_names[kind], "call", &sum[kind],
				      COUNT_ROUNDS);
		longest[kind] = bench_percentile(&calls[kind], 75);
		calls[kind].n = 0;
	}
	slot = 2 * (longest[DOWN] > longest[UP] ? longest[DOWN] : longest[UP]);
	slot += MARGIN_NS / bench_tick_ns();
	if (slot < LEAST_SLOT_NS / bench_tick_ns())
		slot = LEAST_SLOT_NS / bench_tick_ns();
}

/* False if one of its calls began late or ended after its slot. */
static bool one_round(char *addr, size_t len, unsigned long start)
{
	unsigned long took[2];
	unsigned int kind;

	for (kind = DOWN; kind <= UP; kind++) {
		bench_wait_until(start + kind * slot);
		took[kind] = call(addr, len, kind);
	}
	if ((long)(bench_ticks() - (start + (UP + 1) * slot)) > 0 || took[DOWN] > slot)
		return false;
	bench_sample(&calls[DOWN], took[DOWN]);
	bench_sample(&calls[UP], took[UP]);
	return true;
}

static void all_rounds(char *addr, size_t len)
{
	const unsigned long start = bench_ticks() + AHEAD_NS / bench_tick_ns();
	unsigned int i;

	rounds = CASE_NS / bench_tick_ns() / (NR_KINDS * slot);
	rounds = rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds < LEAST_ROUNDS ? LEAST_ROUNDS : rounds;
	bench_begin_slots(start, slot, NR_KINDS * rounds);
	for (i = 0; i < rounds; i++) {
		unsigned long begin = start + i * NR_KINDS * slot;

		clean[i] = (long)(bench_ticks() - begin) < 0 && one_round(addr, len, begin);
		nr_clean += clean[i];
		if (clean[i])
			bench_write_pages(addr, len, psize()); /* in the idle slot, at its begin */
	}
}

/* Of a kind of slot, on all CPUs but the caller's. */
struct seen {
	unsigned int *laps, *stolen;
	unsigned int n, hit;
	double sum;
};

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

/* A watcher that lost its CPU for most of a slot says nothing of that slot. */
static void look(struct seen *seen, enum kind kind, unsigned int nr)
{
	unsigned int i, w;

	*seen = (struct seen) {
		.laps = calloc((size_t)nr * rounds, sizeof(*seen->laps)),
		.stolen = calloc((size_t)nr * rounds, sizeof(*seen->stolen)),
	};
	if (!seen->laps || !seen->stolen)
		bench_cannot("there is not enough memory");
	for (i = 0; i < nr * rounds; i++) {
		unsigned int at = i / nr * NR_KINDS + kind;

		w = i % nr;
		if (!clean[i / nr] || watchers[w].stolen[at] > slot / 2 || !watchers[w].laps[at])
			continue;
		seen->laps[seen->n] = watchers[w].laps[at];
		seen->stolen[seen->n++] = watchers[w].stolen[at];
		seen->hit += !!watchers[w].stolen[at];
		seen->sum += watchers[w].stolen[at];
	}
	qsort(seen->laps, seen->n, sizeof(*seen->laps), compare);
	qsort(seen->stolen, seen->n, sizeof(*seen->stolen), compare);
}

static double part(const struct seen *seen, unsigned int percent)
{
	return seen->stolen[(seen->n - 1UL) * percent / 100] * bench_tick_ns();
}

static void report_stolen(const struct bench_case *c, unsigned int nr)
{
	const char *unit = "ns/call and CPU";
	struct seen seen[NR_KINDS];
	double idle, laps;
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		look(&seen[kind], kind, nr);
	if (!seen[DOWN].n || !seen[UP].n || !seen[IDLE].n)
		bench_cannot("the other CPUs did not run all the time");
	idle = seen[IDLE].sum / seen[IDLE].n * bench_tick_ns();
	laps = seen[IDLE].laps[seen[IDLE].n / 2];
	for (kind = DOWN; kind <= UP; kind++) {
		const struct seen *s = &seen[kind];
		const char *name = kind_names[kind];
		char metric[32];

		snprintf(metric, sizeof(metric), "%s_stolen", name);
		bench_value(c, metric, "p50", unit, part(s, 50), s->n);
		bench_value(c, metric, "p90", unit, part(s, 90), s->n);
		bench_value(c, metric, "p99", unit, part(s, 99), s->n);
		bench_value(c, metric, "mean", unit,
			    s->sum / s->n * bench_tick_ns() - idle, s->n);
		bench_value(c, metric, "share", "slots/call and CPU",
			    (double)s->hit / s->n - (double)seen[IDLE].hit / seen[IDLE].n,
			    s->n);
		/* In laps: also what is too short to be a gap, such as a TLB miss. */
		bench_value(c, name, "slowed", unit,
			    (1 - s->laps[s->n / 2] / laps) * slot * bench_tick_ns(), s->n);
	}
	bench_value(c, "idle", "stolen_mean", "ns/slot", idle, seen[IDLE].n);
}

static void measure(const struct bench_case *c)
{
	const struct shootdown *s = c->arg;
	const size_t len = s->pages * psize();
	const unsigned int others = s->cpus - 1;
	char *addr = bench_plain_memory(len, false);
	unsigned long apart;
	unsigned int i;

	if (!addr)
		bench_cannot("there is not enough memory");
	for (i = 0; i < others; i++) {
		watchers[i].cpu = bench_cpu(i + 1);
		watchers[i].reads = s->read ? addr : NULL;
		watchers[i].len = len;
	}
	bench_start_watchers(watchers, others);
	apart = bench_clocks_apart(others);
	if (apart * bench_tick_ns() > MARGIN_NS / 10)
		bench_cannot("the clocks of the CPUs do not agree");
	count_interrupts(c, addr, len);
	all_rounds(addr, len);
	bench_end_watchers(watchers, others);
	if (nr_clean < LEAST_ROUNDS / 2)
		bench_cannot("almost all rounds were disturbed");
	for (i = DOWN; i <= UP; i++)
		bench_times(c, kind_names[i], &calls[i], bench_tick_cost(), 1, "ns/call");
	bench_value(c, "slot", "length", "ns", slot * bench_tick_ns(), nr_clean);
	if (others)
		report_stolen(c, others);
}

static int run_number(unsigned int cpus, const char *only)
{
	static const unsigned int pages[] = { 1, 8, 32, 512 };
	int status = KSFT_SKIP;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(pages); i++) {
		struct shootdown s = { pages[i / 2], cpus, i % 2 };
		struct bench_case c = {
			.topic = "shootdown", .measure = measure, .arg = &s,
		};

		if (cpus == 1 && s.read)
			continue; /* there is nobody to read */
		snprintf(c.name, sizeof(c.name), "mprotect anon 4k ro pages=%u cpus=%u%s",
			 s.pages, cpus, cpus == 1 ? "" : s.read ? " readers" : " bystanders");
		status = bench_worse(status, bench_run_case(&c, only));
	}
	return status;
}

static int run(const char *only)
{
	int status = KSFT_SKIP;
	unsigned int cpus;

	for (cpus = bench_next_number(0); cpus; cpus = bench_next_number(cpus))
		status = bench_worse(status, run_number(cpus, only));
	return status;
}

const struct bench_topic bench_shootdown = { "shootdown", run };
