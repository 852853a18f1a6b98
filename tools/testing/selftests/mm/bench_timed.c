// SPDX-License-Identifier: GPL-2.0
/* See bench_timed.h. */
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_region.h"
#include "bench_timed.h"

#define CALIBRATION_NS	20000000UL
#define COST_ROUNDS	1000

static const struct bench_case *current;
static int cpus[BENCH_MAX_CPUS];
static unsigned int nr_cpus;

/**
 * bench_cannot() - end a case that cannot be measured here
 * @why: the reason, one sentence without an end
 */
void bench_cannot(const char *why)
{
	bench_skip(current->topic, current->name, why);
	_exit(KSFT_SKIP);
}

/**
 * bench_failed() - end a case that went wrong
 * @what: what did, errno says why
 */
void bench_failed(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", current->name, what, strerror(errno));
	_exit(KSFT_FAIL);
}

/**
 * bench_worse() - add the status of a case to that of its topic
 * @status: of the topic so far
 * @of_case: of the case
 *
 * Return: that of the topic; of which any case was measured, and none failed, passes.
 */
int bench_worse(int status, int of_case)
{
	if (status == KSFT_FAIL || of_case == KSFT_FAIL)
		return KSFT_FAIL;
	return status == KSFT_PASS || of_case == KSFT_PASS ? KSFT_PASS : KSFT_SKIP;
}

static void __noreturn run_in_child(const struct bench_case *c)
{
	current = c;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(bench_cpu(0));
	alarm(BENCH_CASE_SECONDS);
	c->measure(c);
	fflush(stdout);
	_exit(KSFT_PASS);
}

/**
 * bench_run_case() - run a case in a process of its own
 * @c: the case
 * @only: what its name must contain, or NULL
 *
 * Return: KSFT_PASS, KSFT_SKIP or KSFT_FAIL.
 */
int bench_run_case(const struct bench_case *c, const char *only)
{
	char why[64];
	int status;
	pid_t pid;

	if (only && !strstr(c->name, only))
		return KSFT_SKIP;
	bench_nr_usable(); /* before a child is pinned */
	fflush(stdout);
	pid = fork();
	if (!pid)
		run_in_child(c);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return KSFT_FAIL;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (WTERMSIG(status) != SIGALRM) {
		fprintf(stderr, "%s: ended by signal %d\n", c->name, WTERMSIG(status));
		return KSFT_FAIL;
	}
	snprintf(why, sizeof(why), "it was not done in %d seconds", BENCH_CASE_SECONDS);
	bench_skip(c->topic, c->name, why);
	return KSFT_SKIP;
}

/* The lowest CPU of the core that this one is a thread of; itself if that is unknown. */
static int first_of_core(int cpu)
{
	char path[96];
	int first = cpu;
	FILE *file;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
	file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%d", &first) != 1)
			first = cpu;
		fclose(file);
	}
	return first;
}

static void list_cpus(void)
{
	cpu_set_t set;
	bool first;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set)) {
		cpus[nr_cpus++] = 0;
		return;
	}
	for (first = true; ; first = false) {
		for (cpu = 0; cpu < CPU_SETSIZE && nr_cpus < BENCH_MAX_CPUS; cpu++)
			if (CPU_ISSET(cpu, &set) && (first_of_core(cpu) == cpu) == first)
				cpus[nr_cpus++] = cpu;
		if (!first)
			return;
	}
}

/**
 * bench_nr_usable() - number of the CPUs that this process may use
 *
 * Return: at least 1.
 */
unsigned int bench_nr_usable(void)
{
	if (!nr_cpus)
		list_cpus();
	return nr_cpus;
}

/**
 * bench_cpu() - one of the CPUs that this process may use
 * @nr: from 0; one thread of each core comes before all second threads
 *
 * Return: its number.
 */
int bench_cpu(unsigned int nr)
{
	return cpus[nr % bench_nr_usable()];
}

/**
 * bench_next_number() - numbers of CPUs to measure with
 * @n: the one before, 0 at first
 *
 * Return: 1, 2, 4 ..., at last the number of all CPUs, then 0.
 */
unsigned int bench_next_number(unsigned int n)
{
	const unsigned int all = bench_nr_usable();

	if (n == all)
		return 0;
	return !n ? 1 : 2 * n < all ? 2 * n : all;
}

/**
 * bench_tick_ns() - how long a tick is
 *
 * Return: nanoseconds, measured once in each process.
 */
double bench_tick_ns(void)
{
	static double length;
	unsigned long ticks, ns;

	if (length)
		return length;
	ns = bench_ns();
	ticks = bench_ticks();
	while (bench_ns() - ns < CALIBRATION_NS)
		;
	ns = bench_ns() - ns;
	ticks = bench_ticks() - ticks;
	length = ticks ? (double)ns / ticks : 1;
	return length;
}

/**
 * bench_tick_cost() - what it takes to look at the tick
 *
 * Return: ticks between two looks, the least of many.
 */
unsigned long bench_tick_cost(void)
{
	unsigned long begin, cost, least = -1UL;
	unsigned int i;

	for (i = 0; i < COST_ROUNDS; i++) {
		begin = bench_ticks();
		cost = bench_ticks() - begin;
		if (cost < least)
			least = cost;
	}
	return least;
}

/**
 * bench_wait_until() - spin
 * @tick: until this tick
 */
void bench_wait_until(unsigned long tick)
{
	while ((long)(bench_ticks() - tick) < 0)
		bench_relax();
}

/**
 * bench_plain_memory() - memory with small folios, written
 * @len: bytes, whole pages
 * @shared: it can be shared with children, else it is private
 *
 * It is the whole of a mapping that can merge with no other, so that a change of
 * its protection changes entries and splits nothing.
 *
 * Return: its address, or NULL.
 */
char *bench_plain_memory(size_t len, bool shared)
{
	const size_t page = psize();
	char *hole = mmap(NULL, len + 2 * page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *addr;

	if (hole == MAP_FAILED)
		return NULL;
	munmap(hole, len + 2 * page);
	addr = mmap(hole + page, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS |
		    MAP_FIXED_NOREPLACE | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	if (addr == MAP_FAILED)
		return NULL;
	madvise(addr, len, MADV_NOHUGEPAGE);
	bench_write_pages(addr, len, page);
	return addr;
}

/**
 * bench_value() - report one metric of a case
 * @c: the case
 * @prefix: of the metric's name
 * @suffix: the rest of its name
 * @unit: of @value
 * @value: what was measured
 * @n: number of measurements behind it
 */
void bench_value(const struct bench_case *c, const char *prefix, const char *suffix,
		 const char *unit, double value, unsigned long n)
{
	char metric[64];
	struct bench_metric m = {
		.topic = c->topic, .name = c->name, .metric = metric,
		.unit = unit, .value = value, .n = n, .good = BENCH_LESS,
	};

	snprintf(metric, sizeof(metric), "%s_%s", prefix, suffix);
	bench_report(&m);
}

/**
 * bench_times() - report how samples are distributed
 * @c: the case
 * @prefix: of the names of the metrics
 * @samples: in ticks; they are sorted
 * @less: what to take off each, for the looks at the tick
 * @per: how many of @unit one sample is
 * @unit: such as "ns/call"
 */
void bench_times(const struct bench_case *c, const char *prefix,
		 struct bench_samples *samples, unsigned long less, double per,
		 const char *unit)
{
	static const struct {
		const char *name;
		unsigned int percent;
	} points[] = { { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "max", 100 } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		unsigned long ticks = bench_percentile(samples, points[i].percent);

		ticks = ticks > less ? ticks - less : 0;
		bench_value(c, prefix, points[i].name, unit,
			    ticks * bench_tick_ns() / per, samples->n);
	}
}
