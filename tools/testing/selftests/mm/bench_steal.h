/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What others steal from a CPU: a thread on it looks at the tick all the time, and
 * sees as a gap whatever interrupts it.
 *
 * Time is cut into slots of one length, of which all threads know where they begin.
 * In each slot something is done elsewhere, or nothing; a gap belongs to the slot in
 * which it begins. What was stolen in the slots where nothing was done is the noise.
 * This wants ticks that are the same on all CPUs.
 */
#ifndef __BENCH_STEAL_H__
#define __BENCH_STEAL_H__

#include <pthread.h>
#include <stddef.h>

#define BENCH_MAX_SLOTS	3072

struct bench_watcher {
	pthread_t thread;
	int cpu;
	/* In each lap of its loop it reads one page of this, in turn; NULL: it does not. */
	const char *reads;
	size_t len;
	unsigned long lap;			/* ticks of an undisturbed lap */
	unsigned int laps[BENCH_MAX_SLOTS];	/* in each slot */
	unsigned int stolen[BENCH_MAX_SLOTS];	/* ticks in each slot */
};

/* They look at nothing until the slots begin. Exits if there are no threads. */
void bench_start_watchers(struct bench_watcher *watchers, unsigned int nr);
/* By how many ticks the CPUs' clocks are apart, at least; afterwards they wait. */
unsigned long bench_clocks_apart(unsigned int nr);
void bench_begin_slots(unsigned long start, unsigned long length, unsigned int slots);
/* Once the slots are over. */
void bench_end_watchers(struct bench_watcher *watchers, unsigned int nr);

#endif /* __BENCH_STEAL_H__ */
