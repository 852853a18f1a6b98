// SPDX-License-Identifier: GPL-2.0
/*
 * The topic "stale": the first store, and the first fetch of an instruction, that meet
 * a TLB entry which permits less than the page table does. Two threads on CPUs of their
 * own take turns without sleeping: one changes something, the other one has read the page
 * before, so that its CPU remembers the page as it was, and uses it afterwards.
 *
 * After a write fault of another CPU which reused the page there is such an entry on
 * each kernel; after an upgrade only on kernels that do not flush it everywhere. If no
 * fault is seen, and no time of one, then there was none, or the CPU looks up again what
 * it does not find permitted.
 */
#include <stdatomic.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bench_access.h"
#include "bench_region.h"
#include "bench_timed.h"

#define BATCH		512		/* pages of one fork() */
#define BATCHES		2
#define ROUNDS		500
#define BUDGET_NS	1000000000UL	/* for the rounds of a case */
#define OTHER_LINE	2048		/* bytes: no line of cache goes back and forth */
#define WARM_UP		5

/* What the other thread does when it is told to, and what it saw. */
static struct {
	pthread_t thread;
	void (*todo)(void);
	atomic_uint told, done;
	char *addr;
	size_t len;
	unsigned long ticks;		/* of the last access, or of all */
	unsigned long first;		/* of the first of them */
	long faults;
	bool denied;
} other;

static struct {
	struct bench_samples write_fault, stale, fresh, again, first, firsts_again;
	long faults, faults_again;
	unsigned long denied;
} seen;

static unsigned long cost;

static long thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void *obey(void *arg)
{
	bench_pin(bench_cpu(1));
	bench_tick_cost();
	for (;;) {
		while (atomic_load(&other.told) == atomic_load(&other.done))
			bench_relax();
		other.todo();
		atomic_fetch_add(&other.done, 1);
	}
	return NULL;
}

static void start_other(void)
{
	if (bench_nr_usable() < 2)
		bench_cannot("it wants two CPUs, of which there is one");
	if (pthread_create(&other.thread, NULL, obey, NULL))
		bench_failed("pthread_create()");
	cost = bench_tick_cost();
}

static void let_other(void (*todo)(void), char *addr, size_t len)
{
	other.todo = todo;
	other.addr = addr;
	other.len = len;
	atomic_fetch_add(&other.told, 1);
	while (atomic_load(&other.done) != atomic_load(&other.told))
		bench_relax();
}

static void read_all(void)
{
	bench_read_pages(other.addr, other.len, psize());
}

static unsigned long timed_store(char *addr)
{
	unsigned long begin = bench_ticks();

	*addr = 1; /* between two looks at memory, for the compiler */
	return bench_ticks() - begin;
}

static void store_all(void)
{
	long faults = thread_faults();
	size_t i;

	other.first = timed_store(other.addr);
	other.ticks = other.first;
	for (i = psize(); i < other.len; i += psize())
		other.ticks += timed_store(other.addr + i);
	other.faults = thread_faults() - faults;
}

/* A call, as a fetch of an instruction; denied where a stale entry is believed. */
static void timed_call(void *arg)
{
	unsigned long begin = bench_ticks();

	((unsigned int (*)(void))other.addr)();
	other.ticks = bench_ticks() - begin;
}

static void call_it(void)
{
	long faults = thread_faults();

	other.denied = !try_access(timed_call, NULL);
	other.faults = thread_faults() - faults;
}

static void call_in_vain(void)
{
	try_access(timed_call, NULL);
}

static void report(const struct bench_case *c, const char *prefix,
		   struct bench_samples *samples, const char *unit)
{
	bench_times(c, prefix, samples, cost, 1, unit);
}

static void report_faults(const struct bench_case *c, const char *prefix, long faults,
			  unsigned long n, const char *unit)
{
	bench_value(c, prefix, "faults", unit, n ? (double)faults / n : 0, n);
}

/* Counters of kernels with relaxed flushes. */
static void report_repairs(const struct bench_case *c, const struct bench_counters *before,
			   unsigned long n)
{
	static struct bench_counters now;
	int counter = bench_find_counter("nr_tlb_relaxed_repair");

	bench_read(&now);
	if (counter >= 0)
		bench_value(c, "relaxed", "repairs", "events/round",
			    (double)(now.value[counter] - before->value[counter]) / n, n);
}

/* Every other page is one that the other thread has not looked at since fork(). */
static void one_batch(char *addr, unsigned long end, long *faults)
{
	long before;
	size_t i;

	if (!bench_fork_and_exit())
		bench_failed("fork()");
	for (i = 0; i < BATCH && bench_ns() < end; i++) {
		char *page = addr + i * psize();
		bool look = i % 2;

		if (look)
			let_other(read_all, page, psize());
		before = thread_faults();
		bench_sample(&seen.write_fault, timed_store(page + OTHER_LINE));
		faults[0] += thread_faults() - before;
		let_other(store_all, page, psize());
		bench_sample(look ? &seen.stale : &seen.fresh, other.ticks);
		faults[1 + look] += other.faults;
		let_other(store_all, page, psize());
		bench_sample(&seen.again, other.ticks);
	}
}

static void measure_write_fault(const struct bench_case *c)
{
	char *addr = bench_plain_memory(BATCH * psize(), false);
	unsigned long end;
	long faults[3] = {};
	unsigned int i;

	if (!addr)
		bench_cannot("there is not enough memory");
	start_other();
	let_other(store_all, addr, BATCH * psize());
	one_batch(addr, bench_ns() + BUDGET_NS, faults);
	memset(faults, 0, sizeof(faults));
	memset(&seen, 0, sizeof(seen));
	end = bench_ns() + BUDGET_NS;
	for (i = 0; i < BATCHES; i++)
		one_batch(addr, end, faults);
	report(c, "write_fault", &seen.write_fault, "ns/store");
	report_faults(c, "write_fault", faults[0], seen.write_fault.n, "faults/store");
	report(c, "stale_store", &seen.stale, "ns/store");
	report_faults(c, "stale_store", faults[2], seen.stale.n, "faults/store");
	report(c, "fresh_store", &seen.fresh, "ns/store");
	report_faults(c, "fresh_store", faults[1], seen.fresh.n, "faults/store");
	report(c, "plain_store", &seen.again, "ns/store");
}

static void protect(char *addr, size_t len, int prot)
{
	if (mprotect(addr, len, prot))
		bench_cannot("mprotect() was refused");
}

static void measure_upgrade(const struct bench_case *c)
{
	const unsigned int pages = *(const unsigned int *)c->arg;
	const size_t len = pages * psize();
	static struct bench_counters before;
	char *addr = bench_plain_memory(len, false);
	unsigned long end = bench_ns() + BUDGET_NS;
	unsigned int i;

	if (!addr)
		bench_cannot("there is not enough memory");
	start_other();
	for (i = 0; i < WARM_UP + ROUNDS && (i < WARM_UP || bench_ns() < end); i++) {
		if (i == WARM_UP) {
			bench_read(&before);
			memset(&seen, 0, sizeof(seen));
		}
		protect(addr, len, PROT_READ);
		let_other(read_all, addr, len);
		protect(addr, len, PROT_READ | PROT_WRITE);
		let_other(store_all, addr, len);
		bench_sample(&seen.stale, other.ticks - pages * cost);
		bench_sample(&seen.first, other.first);
		seen.faults += other.faults;
		let_other(store_all, addr, len);
		bench_sample(&seen.again, other.ticks - pages * cost);
		bench_sample(&seen.firsts_again, other.first);
		seen.faults_again += other.faults;
	}
	report(c, "first_store", &seen.first, "ns/store");
	report(c, "first_plain_store", &seen.firsts_again, "ns/store");
	bench_times(c, "stores", &seen.stale, 0, 1, "ns/upgrade");
	bench_times(c, "plain_stores", &seen.again, 0, 1, "ns/upgrade");
	report_faults(c, "stores", seen.faults, seen.stale.n, "faults/upgrade");
	report_faults(c, "plain_stores", seen.faults_again, seen.stale.n, "faults/upgrade");
	report_repairs(c, &before, seen.stale.n);
}

/* Before the upgrade the other thread reads the page, or also tries to call it. */
static void measure_fetch(const struct bench_case *c)
{
	const bool try = *(const unsigned int *)c->arg;
	static struct bench_counters before;
	char *addr = bench_plain_memory(psize(), false);
	unsigned long end = bench_ns() + BUDGET_NS;
	unsigned int i;

	if (!BENCH_HAS_CODE)
		bench_cannot("no code for this architecture");
	if (!addr)
		bench_cannot("there is not enough memory");
	bench_emit_code(addr, 1);
	catch_denied_accesses();
	start_other();
	for (i = 0; i < WARM_UP + ROUNDS && (i < WARM_UP || bench_ns() < end); i++) {
		if (i == WARM_UP) {
			bench_read(&before);
			memset(&seen, 0, sizeof(seen));
		}
		protect(addr, psize(), PROT_READ);
		let_other(try ? call_in_vain : read_all, addr, psize());
		protect(addr, psize(), PROT_READ | PROT_EXEC);
		let_other(call_it, addr, psize());
		seen.denied += other.denied;
		seen.faults += other.faults;
		if (!other.denied)
			bench_sample(&seen.stale, other.ticks);
		let_other(call_it, addr, psize());
		if (!other.denied)
			bench_sample(&seen.again, other.ticks);
	}
	report(c, "first_fetch", &seen.stale, "ns/call");
	report_faults(c, "first_fetch", seen.faults, seen.again.n, "faults/call");
	bench_value(c, "first_fetch", "denied", "signals/call", (double)seen.denied / (i - WARM_UP),
		    i - WARM_UP);
	report(c, "plain_fetch", &seen.again, "ns/call");
	report_repairs(c, &before, i - WARM_UP);
}

static const unsigned int one = 1, eight = 8, some = 32, many = 512, none;

static const struct bench_case cases[] = {
	{ "stale", "store after write fault elsewhere", measure_write_fault },
	{ "stale", "store after upgrade pages=1", measure_upgrade, &one },
	{ "stale", "store after upgrade pages=8", measure_upgrade, &eight },
	{ "stale", "store after upgrade pages=32", measure_upgrade, &some },
	{ "stale", "store after upgrade pages=512", measure_upgrade, &many },
	{ "stale", "fetch after upgrade, read before", measure_fetch, &none },
	{ "stale", "fetch after upgrade, denied before", measure_fetch, &one },
};

static int run(const char *only)
{
	int status = KSFT_SKIP;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		status = bench_worse(status, bench_run_case(&cases[i], only));
	return status;
}

const struct bench_topic bench_stale = { "stale", run };
