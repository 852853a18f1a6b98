// SPDX-License-Identifier: GPL-2.0
/* See bench_steal.h. */
#include <stdatomic.h>
#include <string.h>

#include "bench_region.h"
#include "bench_steal.h"
#include "bench_timed.h"

#define GAP_NS		200	/* more than a lap: no interrupt is shorter */
#define LAPS_TO_LEARN	1000
#define ASKS		32	/* of a clock */

static struct {
	unsigned long start, length;
	unsigned int slots;
} plan;

static atomic_uint nr_ready, asked, answered;
static atomic_ulong answer;
static atomic_bool planned;

static inline void read_next(const struct bench_watcher *w, size_t *at)
{
	if (!w->reads)
		return;
	FORCE_READ(w->reads[*at]);
	*at += psize();
	if (*at >= w->len)
		*at = 0;
}

/* The median, as laps with an interrupt are few. */
static unsigned long learn_lap(const struct bench_watcher *w)
{
	struct bench_samples laps;
	unsigned long last, now;
	unsigned int i;
	size_t at = 0;

	laps.n = 0;
	for (last = bench_ticks(), i = 0; i < LAPS_TO_LEARN; i++, last = now) {
		read_next(w, &at);
		now = bench_ticks();
		bench_sample(&laps, now - last);
	}
	return bench_percentile(&laps, 50);
}

static void watch(struct bench_watcher *w)
{
	const unsigned long gap = w->lap + GAP_NS / bench_tick_ns();
	unsigned long last = plan.start, end = plan.start + plan.length, now;
	unsigned int slot = 0, laps = 0, stolen = 0;
	size_t at = 0;

	bench_wait_until(plan.start);
	for (;;) {
		read_next(w, &at);
		now = bench_ticks();
		laps++;
		if (now - last > gap)
			stolen += now - last - w->lap;
		last = now;
		while ((long)(now - end) >= 0) {
			w->laps[slot] = laps;
			w->stolen[slot] = stolen;
			laps = 0;
			stolen = 0;
			end += plan.length;
			if (++slot == plan.slots)
				return;
		}
	}
}

/* Number @nr of the watchers says what its clock shows whenever it is asked. */
static void answer_all(unsigned int nr)
{
	unsigned int i;

	for (i = 1; i <= ASKS; i++) {
		while (atomic_load(&asked) != nr * ASKS + i)
			bench_relax();
		atomic_store(&answer, bench_ticks());
		atomic_store(&answered, nr * ASKS + i);
	}
}

struct start {
	struct bench_watcher *watcher;
	unsigned int nr;
};

static void *run_watcher(void *arg)
{
	struct start start = *(struct start *)arg;
	struct bench_watcher *w = start.watcher;

	bench_pin(w->cpu);
	memset(w->laps, 0, sizeof(w->laps));
	memset(w->stolen, 0, sizeof(w->stolen));
	bench_tick_ns();
	w->lap = learn_lap(w);
	atomic_fetch_add(&nr_ready, 1);
	answer_all(start.nr);
	while (!atomic_load(&planned))
		bench_relax();
	watch(w);
	return NULL;
}

/**
 * bench_start_watchers() - start threads that watch their CPUs
 * @watchers: the threads, with cpu, reads and len
 * @nr: how many
 */
void bench_start_watchers(struct bench_watcher *watchers, unsigned int nr)
{
	static struct start starts[BENCH_MAX_CPUS];
	unsigned int i;

	bench_tick_ns();
	for (i = 0; i < nr; i++) {
		starts[i] = (struct start) { &watchers[i], i };
		if (pthread_create(&watchers[i].thread, NULL, run_watcher, &starts[i]))
			bench_failed("pthread_create()");
	}
	while (atomic_load(&nr_ready) != nr)
		bench_relax();
}

/**
 * bench_clocks_apart() - compare this CPU's clock with those of the watchers
 * @nr: how many watchers there are
 *
 * An answer that was given between two looks at this CPU's clock must lie between
 * them; by how much it does not, the clocks are apart.
 *
 * Return: ticks, 0 if nothing speaks against them being the same.
 */
unsigned long bench_clocks_apart(unsigned int nr)
{
	unsigned long apart = 0;
	unsigned int i;

	for (i = 1; i <= nr * ASKS; i++) {
		unsigned long before = bench_ticks(), after, theirs;

		atomic_store(&asked, i);
		while (atomic_load(&answered) != i)
			bench_relax();
		after = bench_ticks();
		theirs = atomic_load(&answer);
		if ((long)(before - theirs) > (long)apart)
			apart = before - theirs;
		if ((long)(theirs - after) > (long)apart)
			apart = theirs - after;
	}
	return apart;
}

/**
 * bench_begin_slots() - tell the watchers when to look
 * @start: tick of the first slot
 * @length: of each slot, in ticks
 * @slots: how many, up to BENCH_MAX_SLOTS
 */
void bench_begin_slots(unsigned long start, unsigned long length, unsigned int slots)
{
	plan.start = start;
	plan.length = length;
	plan.slots = slots;
	atomic_store(&planned, true);
}

/**
 * bench_end_watchers() - wait for the end of the slots
 * @watchers: as started
 * @nr: how many
 */
void bench_end_watchers(struct bench_watcher *watchers, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		pthread_join(watchers[i].thread, NULL);
}
