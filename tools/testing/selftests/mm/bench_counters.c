// SPDX-License-Identifier: GPL-2.0
/* See bench_counters.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "bench_counters.h"

#define NAME_LEN	48

bool bench_json;

/* Rows of /proc/vmstat that are counted: those that begin with one of these. */
static const char * const wanted[] = {
	"nr_tlb_", "numa_pte_updates", "numa_huge_pte_updates", "numa_hint_",
	"numa_pages_migrated",
};

/* A row of /proc/vmstat: the counter @nr, its name (not terminated), its value */
struct row {
	unsigned int nr;
	const char *name;
	size_t len;
	unsigned long value;
	char *next;
};

static char names[BENCH_MAX_COUNTERS][NAME_LEN] = { "faults", "ipis" };
static unsigned int nr_counters = BENCH_VMSTAT;
static int vmstat_fd = -1, interrupts_fd = -1;
static bool has_ipis;
static char text[1 << 17];
static char out_buffer[1 << 16];

static char *slurp(int fd)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < sizeof(text) - 1) {
		n = pread(fd, text + len, sizeof(text) - 1 - len, len);
		if (n > 0)
			len += n;
	}
	text[len] = '\0';
	return text;
}

static bool is_wanted(const char *line)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strncmp(line, wanted[i], strlen(wanted[i])))
			return true;
	return false;
}

/*
 * Finds the next counted row of the text at @row->next, in the kernel's order.
 * Starts with .next = slurp(), .nr = BENCH_VMSTAT - 1.
 */
static bool next_row(struct row *row)
{
	char *line, *space, *end;

	for (line = row->next; ; line = end + 1) {
		space = strchr(line, ' ');
		end = space ? strchr(space, '\n') : NULL;
		if (!end || row->nr + 1 == BENCH_MAX_COUNTERS)
			return false;
		if (is_wanted(line))
			break;
	}
	row->nr++;
	row->name = line;
	row->len = space - line;
	row->value = strtoul(space, NULL, 10);
	row->next = end + 1;
	return true;
}

static void name_rows(void)
{
	struct row row = { .nr = BENCH_VMSTAT - 1, .next = slurp(vmstat_fd) };

	while (next_row(&row)) {
		snprintf(names[row.nr], NAME_LEN, "%.*s", (int)row.len, row.name);
		nr_counters = row.nr + 1;
	}
}

static void read_rows(struct bench_counters *counters)
{
	struct row row = { .nr = BENCH_VMSTAT - 1, .next = slurp(vmstat_fd) };

	while (next_row(&row))
		counters->value[row.nr] = row.value;
}

/* The row "TLB:  N N N ... TLB shootdowns", one column for each online CPU. */
static void read_interrupts(struct bench_counters *counters)
{
	char *row = strstr(slurp(interrupts_fd), "TLB:"), *end;
	unsigned int cpu;

	has_ipis = row;
	if (!row)
		return;
	row += strlen("TLB:");
	for (cpu = 0; cpu < BENCH_MAX_CPUS; cpu++, row = end) {
		unsigned long n = strtoul(row, &end, 10);

		if (end == row)
			return;
		counters->cpu_ipis[cpu] = n;
		counters->value[BENCH_IPIS] += n;
	}
}

void bench_read(struct bench_counters *counters)
{
	struct rusage usage;

	memset(counters, 0, sizeof(*counters));
	if (interrupts_fd >= 0)
		read_interrupts(counters);
	if (vmstat_fd >= 0)
		read_rows(counters);
	getrusage(RUSAGE_SELF, &usage);
	counters->value[BENCH_FAULTS] = usage.ru_minflt;
}

void bench_add_delta(struct bench_counters *sum,
		     const struct bench_counters *before,
		     const struct bench_counters *after)
{
	unsigned int i;

	for (i = 0; i < nr_counters; i++)
		sum->value[i] += after->value[i] - before->value[i];
	for (i = 0; i < BENCH_MAX_CPUS; i++)
		sum->cpu_ipis[i] += after->cpu_ipis[i] - before->cpu_ipis[i];
}

void bench_init(void)
{
	struct bench_counters counters;

	vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	interrupts_fd = open("/proc/interrupts", O_RDONLY | O_CLOEXEC);
	memset(text, 0, sizeof(text));
	memset(out_buffer, 0, sizeof(out_buffer));
	setvbuf(stdout, out_buffer, _IOFBF, sizeof(out_buffer));
	if (vmstat_fd >= 0)
		name_rows();
	bench_read(&counters);
}

const char *bench_counter_name(unsigned int counter)
{
	return names[counter];
}

const char *bench_counter_unit(unsigned int counter)
{
	if (counter == BENCH_FAULTS)
		return "faults";
	if (counter == BENCH_IPIS)
		return "interrupts";
	return "events";
}

unsigned int bench_nr_counters(void)
{
	return nr_counters;
}

int bench_find_counter(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_counters; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

bool bench_has_ipis(void)
{
	return has_ipis;
}

static int tracepoint_id(const char *event)
{
	char path[128], number[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", event);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, number, sizeof(number) - 1) <= 0)
		number[0] = '\0';
	close(fd);
	return number[0] ? atoi(number) : -1;
}

/* Reason 1 is another CPU's request; of all its pages, their number is -1. */
static const char * const flush_filters[BENCH_NR_FLUSHES] = {
	[BENCH_FLUSH_FULL] = "reason == 1 && pages == 0xffffffffffffffff",
	[BENCH_FLUSH_RANGED] = "reason == 1 && pages != 0xffffffffffffffff",
};

int bench_open_flushes(unsigned int cpu, enum bench_flush kind)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr),
	};
	int fd, id = tracepoint_id("tlb/tlb_flush");

	if (id < 0)
		return -1;
	attr.config = id;
	fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, flush_filters[kind])) {
		close(fd);
		return -1;
	}
	return fd;
}

unsigned long bench_read_flushes(int fd)
{
	unsigned long count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

void bench_sample(struct bench_samples *samples, unsigned long value)
{
	if (samples->n < BENCH_MAX_SAMPLES)
		samples->value[samples->n++] = value;
}

static int compare(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Sorts @samples. 0 percent is the minimum, 50 the median. */
unsigned long bench_percentile(struct bench_samples *samples, unsigned int percent)
{
	if (!samples->n)
		return 0;
	qsort(samples->value, samples->n, sizeof(samples->value[0]), compare);
	return samples->value[(samples->n - 1) * percent / 100];
}

static const char *good_name(enum bench_good good)
{
	return good == BENCH_LESS ? "less" : "same";
}

static void report_json(const struct bench_metric *m)
{
	printf("{\"topic\":\"%s\",\"case\":\"%s\",", m->topic, m->name);
	printf("\"metric\":\"%s\",\"unit\":\"%s\",", m->metric, m->unit);
	printf("\"value\":%.10g,\"n\":%lu,", m->value, m->n);
	printf("\"good\":\"%s\",\"exact\":%s}\n", good_name(m->good),
	       m->exact ? "true" : "false");
}

void bench_report(const struct bench_metric *m)
{
	if (bench_json)
		report_json(m);
	else
		printf("%-9s %-34s %-32s %12.10g %s (n=%lu%s)\n", m->topic,
		       m->name, m->metric, m->value, m->unit, m->n,
		       m->exact ? "" : ", not exact");
	fflush(stdout);
}

void bench_skip(const char *topic, const char *name, const char *reason)
{
	if (bench_json)
		printf("{\"topic\":\"%s\",\"case\":\"%s\",\"skip\":\"%s\"}\n",
		       topic, name, reason);
	else
		printf("%-9s %-34s skipped: %s\n", topic, name, reason);
	fflush(stdout);
}

/*
 * Counters of NUMA hints matter where hints are measured only, and what a CPU
 * received is counted by its interrupts already.
 */
static bool is_reported(const struct bench_metric *m, unsigned int counter)
{
	if (counter == BENCH_IPIS)
		return has_ipis;
	if (has_ipis && !strcmp(names[counter], "nr_tlb_remote_flush_received"))
		return false;
	return strncmp(names[counter], "numa_", 5) || strstr(m->topic, "numa");
}

/* One metric for each counter, "@prefix_NAME", divided by @per times an @op. */
void bench_report_counters(struct bench_metric *m, const char *prefix,
			   const char *op, const struct bench_counters *sum,
			   double per)
{
	char metric[2 * NAME_LEN], unit[NAME_LEN];
	unsigned int i;

	for (i = 0; i < nr_counters; i++) {
		if (!is_reported(m, i))
			continue;
		snprintf(metric, sizeof(metric), "%.40s_%.47s",
			 prefix, names[i]);
		snprintf(unit, sizeof(unit), "%s/%s",
			 bench_counter_unit(i), op);
		m->metric = metric;
		m->unit = unit;
		m->value = sum->value[i] / per;
		bench_report(m);
	}
}

bool bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* A child that comes and goes: what is private is shared, until it is written to. */
bool bench_fork_and_exit(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

int bench_nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

unsigned long bench_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000UL + now.tv_nsec;
}
