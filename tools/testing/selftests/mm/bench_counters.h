/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks of protection upgrades have in common: counters of the
 * kernel, the tick, markers for an emulator, and the output.
 *
 * Nothing here allocates memory after bench_init(), and reading the counters
 * touches only memory that bench_init() has touched, so that a measurement does
 * not take faults of its own.
 */
#ifndef __BENCH_COUNTERS_H__
#define __BENCH_COUNTERS_H__

#include <stdbool.h>
#include <stddef.h>

#define BENCH_MAX_COUNTERS	48
#define BENCH_MAX_CPUS		256
#define BENCH_MAX_SAMPLES	1024

/*
 * Counters with fixed places. Those from BENCH_VMSTAT on are the rows of
 * /proc/vmstat that concern TLB flushes and NUMA hints, as many as the running
 * kernel has, by their own names.
 */
enum bench_counter {
	BENCH_FAULTS,		/* minor faults of this process */
	BENCH_IPIS,		/* TLB shootdown interrupts, sum of all CPUs */
	BENCH_VMSTAT,
};

struct bench_counters {
	unsigned long value[BENCH_MAX_COUNTERS];
	unsigned long cpu_ipis[BENCH_MAX_CPUS];
};

/* The sign of good: what a reader should hope for when comparing kernels. */
enum bench_good { BENCH_LESS, BENCH_SAME };

struct bench_metric {
	const char *topic;
	const char *name;	/* of the case */
	const char *metric;
	const char *unit;
	double value;
	unsigned long n;	/* measurements behind the value */
	enum bench_good good;
	bool exact;		/* repeats to the digit, see bench_ticks() */
};

struct bench_samples {
	unsigned long value[BENCH_MAX_SAMPLES];
	unsigned int n;
};

extern bool bench_json;

void bench_init(void);

/* Counters */
void bench_read(struct bench_counters *counters);
void bench_add_delta(struct bench_counters *sum,
		     const struct bench_counters *before,
		     const struct bench_counters *after);
const char *bench_counter_name(unsigned int counter);
const char *bench_counter_unit(unsigned int counter);
unsigned int bench_nr_counters(void);
int bench_find_counter(const char *name);
bool bench_has_ipis(void);

/*
 * What a CPU flushed because another one asked it to: all of its TLB, or some
 * pages. /proc/vmstat has no such counter, the tracepoint tlb:tlb_flush has. -1:
 * this kernel or architecture lacks it, or the user must not.
 */
enum bench_flush { BENCH_FLUSH_FULL, BENCH_FLUSH_RANGED, BENCH_NR_FLUSHES };

int bench_open_flushes(unsigned int cpu, enum bench_flush kind);
unsigned long bench_read_flushes(int fd);

/* Samples */
void bench_sample(struct bench_samples *samples, unsigned long value);
unsigned long bench_percentile(struct bench_samples *samples, unsigned int percent);

/* Output */
void bench_report(const struct bench_metric *metric);
void bench_skip(const char *topic, const char *name, const char *reason);
void bench_report_counters(struct bench_metric *metric, const char *prefix,
			   const char *op, const struct bench_counters *sum,
			   double per);

/* CPUs, processes and time */
bool bench_pin(int cpu);
bool bench_fork_and_exit(void);
int bench_nr_cpus(void);
unsigned long bench_ns(void);

/*
 * The tick: the time stamp counter on x86, the virtual counter on arm64, the timer
 * on riscv. On hardware it is a time. Under "qemu -icount shift=0" x86's counts
 * executed instructions of the guest, which repeats to the digit with one thread.
 */
static inline unsigned long bench_ticks(void)
{
#if defined(__x86_64__)
	unsigned int low, high;

	asm volatile("lfence\n\trdtsc\n\tlfence"
		     : "=a" (low), "=d" (high) : : "memory");
	return (unsigned long)high << 32 | low;
#elif defined(__aarch64__)
	unsigned long ticks;

	asm volatile("isb\n\tmrs %0, cntvct_el0\n\tisb"
		     : "=r" (ticks) : : "memory");
	return ticks;
#elif defined(__riscv)
	unsigned long ticks;

	asm volatile("fence\n\trdtime %0\n\tfence" : "=r" (ticks) : : "memory");
	return ticks;
#else
	return bench_ns();
#endif
}

/*
 * Markers: instructions without effect that an emulator can look for, to count
 * what happens between the two. Pairs are numbered from 1 in each run.
 */
#ifdef __aarch64__
#define BENCH_HAS_MARKERS	1
#else
#define BENCH_HAS_MARKERS	0
#endif

static inline void bench_mark_begin(void)
{
#ifdef __aarch64__
	asm volatile("hint #112" : : : "memory");
#endif
}

static inline void bench_mark_end(void)
{
#ifdef __aarch64__
	asm volatile("hint #113" : : : "memory");
#endif
}

static inline void bench_mark_run(void)
{
#ifdef __aarch64__
	asm volatile("hint #114" : : : "memory");
#endif
}

#endif /* __BENCH_COUNTERS_H__ */
