/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the timed topics of write_upgrade_bench have in common. They measure time
 * on real CPUs; in an emulator they run, and mean nothing.
 *
 * Each case runs in a process of its own, pinned to the first CPU of
 * bench_cpu(), and ends after BENCH_CASE_SECONDS in any case.
 */
#ifndef __BENCH_TIMED_H__
#define __BENCH_TIMED_H__

#include <stdbool.h>
#include <stddef.h>

#include "bench_counters.h"
#include "kselftest.h"

#define BENCH_CASE_SECONDS	20

/* A case; what it is for the topic is behind @arg. */
struct bench_case {
	const char *topic;
	char name[64];
	void (*measure)(const struct bench_case *c);
	const void *arg;
};

struct bench_topic {
	const char *name;
	/* Cases whose names contain @only, if it is there. Exit status as the program's. */
	int (*run)(const char *only);
};

extern const struct bench_topic bench_shootdown, bench_stale, bench_mprot, bench_latency;

int bench_run_case(const struct bench_case *c, const char *only);
/* Statuses of cases add up to that of the topic. */
int bench_worse(int status, int of_case);

/* To end a case early, from its own process. */
void __noreturn bench_cannot(const char *why);
void __noreturn bench_failed(const char *what);

/* CPUs that this process may use: one of each core, then the other threads of cores. */
unsigned int bench_nr_usable(void);
int bench_cpu(unsigned int nr);
/* 1, 2, 4 ... and all of them; 0 after the last one. */
unsigned int bench_next_number(unsigned int n);

/* Time in ticks, which are finer than any clock. */
double bench_tick_ns(void);
unsigned long bench_tick_cost(void);
void bench_wait_until(unsigned long tick);

/* Written memory with small folios, all of its mapping. NULL: no memory. */
char *bench_plain_memory(size_t len, bool shared);

/* One metric: @value is in @unit, of @n measurements. */
void bench_value(const struct bench_case *c, const char *prefix, const char *suffix,
		 const char *unit, double value, unsigned long n);
/* p50, p90, p99 and max of samples in ticks, @less each, in ns of 1/@per of them. */
void bench_times(const struct bench_case *c, const char *prefix,
		 struct bench_samples *samples, unsigned long less, double per,
		 const char *unit);

static inline void bench_relax(void)
{
#if defined(__x86_64__)
	asm volatile("pause" : : : "memory");
#elif defined(__aarch64__)
	asm volatile("isb" : : : "memory");
#else
	asm volatile("" : : : "memory");
#endif
}

#endif /* __BENCH_TIMED_H__ */
