// SPDX-License-Identifier: GPL-2.0
/*
 * What does a protection upgrade cost? A protection upgrade gives a mapping more
 * permission than it had: mprotect() from read-only to read-write,
 * UFFDIO_WRITEPROTECT lifting a write protection, a NUMA hinting fault.
 *
 * Measured are the ticks of each operation (see bench_ticks()), the faults that
 * it leaves for later, the interrupts that it sends to other CPUs, and the
 * kernel's own counters of TLB flushes; on memory whose folios have the size
 * that was asked for, and with other threads using the memory, or not.
 *
 * Either one operation is measured ("--op mprotect --from ro --map anon --folio
 * 64k ..."), or the fixed set of cases of a topic ("--topic updown"). Each case
 * runs in a process of its own, so that one never changes what another finds.
 *
 * What is exact: counters with one thread; ticks with one thread and where the
 * tick counts instructions. With more threads the values are of races: emulate
 * those with a thread for each CPU, as an emulator that runs one CPU after the
 * other for a while shows the others standing still.
 *
 * Exit status: 0 measured, 4 a case cannot be measured here (the reason is
 * printed), 1 failed. A topic of which any case was measured ends with 0.
 */
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_counters.h"
#include "bench_layout.h"
#include "bench_timed.h"
#include "hugepage_settings.h"
#include "numa_hints.h"

#define MAX_THREADS	64
#define WARM_UP		3
#define MAX_RACES	8	/* rounds of a topic's cases with several threads */
#define BY_PAGE		16	/* pages of a topic's cases that go page by page */
#define BY_PAGE_RACES	2	/* ... and rounds, with several threads */
#define MIXED_ROUNDS	8	/* of a layout, which no round changes */
#define SCAN_ROUNDS	2	/* that were seen, of twice as many */
#define MAX_STRETCHES	4	/* that are alike */
#define WANTED_SCANS	3	/* while another task wants the CPU */
#define GAPS_AFTER	3	/* interrupts without a scan: at least so many are seen */
#define WAIT_NS		10000	/* how long a task sleeps that then wants the CPU */

enum from { FROM_RO, FROM_NONE, FROM_RWP, NR_FROMS };
enum outcome { HINT_HIT, HINT_MIGRATED, HINT_FAILED, NR_OUTCOMES };

static const char * const from_names[NR_FROMS] = { "ro", "none", "rwp" };
static const char * const outcome_names[NR_OUTCOMES] = {
	"hit", "migrated", "failed",
};

struct bench;

struct operation {
	const char *name;
	void (*measure)(struct bench *bench);
	/* One call each over a range, where an operation has two directions */
	int (*down)(struct bench *bench, char *addr, size_t len);
	int (*up)(struct bench *bench, char *addr, size_t len);
};

/* A case: what is to be measured, and how. */
struct bench {
	const char *topic;
	const struct operation *op;
	enum from from;
	enum outcome outcome;	/* of NUMA hints */
	struct bench_region region;
	const struct bench_layout *layout;
	unsigned int threads;
	bool touch;		/* the other threads write */
	bool by_page;		/* one call for each page */
	unsigned int per_call;	/* pages of each call; 0: as by_page says */
	bool after_toggle;	/* cow: mprotect() down and up first */
	unsigned int rounds;
	bool name_pages;	/* the name of the case has their number */
	const char *only;	/* what the name of a topic's case must contain */
	bool vague;		/* its ticks vary by chance, even with one thread */
	char name[64];
};

/* Ticks, and nanoseconds if asked for, of one thing that is done repeatedly. */
struct timer {
	struct bench_samples ticks, ns;
	unsigned long tick, nanosecond;
	unsigned long first_pair, last_pair;
};

/* What a case shares with the processes that it makes. */
struct shared {
	unsigned long pairs;	/* of markers, so far */
	struct timer timer[2];
	struct bench_counters sum[3];
	struct bench_samples stretches;
	unsigned long rounds;
	atomic_bool over;	/* for the task that wants the CPU */
	unsigned long shortest;
	unsigned long longest[MAX_STRETCHES];	/* in order */
};

static struct shared *shared;
static bool show_time, show_pairs;
static struct bench *current;
static struct bench_counters before, after;

/*
 * Ends a case that cannot be measured here. Nothing is undone: the process
 * ends, and what outlives it is restored by its parent.
 */
static void __noreturn unsupported(const char *why)
{
	bench_skip(current->topic, current->name, why);
	_exit(KSFT_SKIP);
}

static void __noreturn failed(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", current->name, what, strerror(errno));
	_exit(KSFT_FAIL);
}

/* Timers */

static inline void timer_begin(struct timer *timer)
{
	if (show_time)
		timer->nanosecond = bench_ns();
	bench_mark_begin();
	timer->tick = bench_ticks();
}

static inline void timer_end(struct timer *timer)
{
	unsigned long ticks = bench_ticks() - timer->tick;

	bench_mark_end();
	bench_sample(&timer->ticks, ticks);
	if (show_time)
		bench_sample(&timer->ns, bench_ns() - timer->nanosecond);
	timer->last_pair = ++shared->pairs;
	if (!timer->first_pair)
		timer->first_pair = timer->last_pair;
}

/* Writes to each page of the timers once, and forgets warm-up rounds. */
static void reset_timers(void)
{
	memset(shared->timer, 0, sizeof(shared->timer));
}

static struct bench_metric metric_of(const struct bench *bench)
{
	return (struct bench_metric) {
		.topic = bench->topic,
		.name = bench->name,
		.good = strcmp(bench->topic, "unchanged") ? BENCH_LESS : BENCH_SAME,
		.exact = bench->threads == 1,
	};
}

static void report(const struct bench *bench, const char *prefix,
		   const char *suffix, const char *unit, double value,
		   unsigned long n, bool exact)
{
	struct bench_metric m = metric_of(bench);
	char metric[64];

	snprintf(metric, sizeof(metric), "%s_%s", prefix, suffix);
	m.metric = metric;
	m.unit = unit;
	m.value = value;
	m.n = n;
	m.exact = exact && m.exact;
	bench_report(&m);
}

static void report_pairs(const struct bench *bench, const char *prefix,
			 const struct timer *timer)
{
	unsigned int n = timer->ticks.n;
	unsigned long step = 1;

	if (n > 1)
		step = (timer->last_pair - timer->first_pair) / (n - 1);
	report(bench, prefix, "first_pair", "pair", timer->first_pair, n, true);
	report(bench, prefix, "pair_step", "pairs", step, n, true);
}

/* @per: how many of @unit ("page", "fault" ...) one sample is. */
static void report_timer(const struct bench *bench, const char *prefix,
			 struct timer *timer, const char *unit, double per)
{
	unsigned int n = timer->ticks.n;
	double spread;
	char text[32];

	snprintf(text, sizeof(text), "ticks/%s", unit);
	report(bench, prefix, "min", text,
	       bench_percentile(&timer->ticks, 0) / per, n, !bench->vague);
	/* An interrupt in a round adds to it: only the least round repeats. */
	report(bench, prefix, "median", text,
	       bench_percentile(&timer->ticks, 50) / per, n, false);
	if (show_pairs)
		report_pairs(bench, prefix, timer);
	if (!show_time)
		return;
	spread = bench_percentile(&timer->ns, 75);
	spread -= bench_percentile(&timer->ns, 25);
	snprintf(text, sizeof(text), "ns/%s", unit);
	report(bench, prefix, "ns_median", text,
	       bench_percentile(&timer->ns, 50) / per, n, false);
	report(bench, prefix, "ns_spread", text, spread / per, n, false);
}

static void report_counters(const struct bench *bench, const char *prefix,
			    const struct bench_counters *sum, double per)
{
	struct bench_metric m = metric_of(bench);

	m.n = per;
	bench_report_counters(&m, prefix, "op", sum, per);
}

/* The region of a case */

static void map_region(struct bench *bench)
{
	const char *why = bench_map_region(&bench->region);

	if (why)
		unsupported(why);
}

static void write_region(const struct bench_region *region)
{
	bench_write_pages(region->addr, region->len, psize());
}

/* The other threads: they use the region, or memory of their own. */

struct worker {
	pthread_t thread;
	unsigned int cpu;
	char *addr;
	size_t len;
	bool write;
	unsigned long faults;	/* of this thread, counted at its end */
	atomic_ulong laps;
};

static struct worker workers[MAX_THREADS];
static atomic_bool stop_workers;
static atomic_ulong nr_segv;

static unsigned long thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned long faults;

	bench_pin(worker->cpu);
	faults = thread_faults();
	while (!atomic_load(&stop_workers)) {
		if (worker->write)
			bench_write_pages(worker->addr, worker->len, psize());
		else
			bench_read_pages(worker->addr, worker->len, psize());
		atomic_fetch_add(&worker->laps, 1);
	}
	worker->faults = thread_faults() - faults;
	return NULL;
}

/* A thread ran into the protection: it tries again until the upgrade. */
static void retry_access(int sig, siginfo_t *info, void *context)
{
	char *addr = info->si_addr;
	const struct bench_region *region = &current->region;

	if (addr < region->addr || addr >= region->addr + region->len)
		_exit(KSFT_FAIL);
	atomic_fetch_add(&nr_segv, 1);
}

static void catch_segv(void)
{
	struct sigaction action = {
		.sa_sigaction = retry_access,
		.sa_flags = SA_SIGINFO,
	};

	sigaction(SIGSEGV, &action, NULL);
}

/* Waits until each thread that does not stand still used all of its memory. */
static void wait_for_laps(const struct bench *bench, unsigned long laps)
{
	unsigned int i;

	for (i = 1; i < bench->threads; i++)
		while (atomic_load(&workers[i].laps) < laps)
			;
}

static void need_cpus(const struct bench *bench)
{
	static char why[80];

	if (bench->threads > MAX_THREADS || (int)bench->threads > bench_nr_cpus()) {
		snprintf(why, sizeof(why), "%u threads want as many CPUs, of which there are %d",
			 bench->threads, bench_nr_cpus());
		unsupported(why);
	}
}

static void start_workers(struct bench *bench, char *addr, size_t len)
{
	unsigned int i;

	need_cpus(bench);
	catch_segv();
	for (i = 1; i < bench->threads; i++) {
		workers[i] = (struct worker) {
			.cpu = i, .addr = addr, .len = len,
			.write = bench->touch,
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			failed("pthread_create()");
	}
	wait_for_laps(bench, 2);
}

static void end_workers(const struct bench *bench)
{
	unsigned int i;

	atomic_store(&stop_workers, true);
	for (i = 1; i < bench->threads; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Down and up: mprotect() and userfaultfd */

static int mprotect_down(struct bench *bench, char *addr, size_t len)
{
	return mprotect(addr, len, bench->from == FROM_RO ? PROT_READ : PROT_NONE);
}

static int mprotect_up(struct bench *bench, char *addr, size_t len)
{
	return mprotect(addr, len, PROT_READ | PROT_WRITE);
}

static int uffd_protect(struct bench *bench, char *addr, size_t len, bool protect)
{
	/* Both have the same layout, and 1 for "protect". */
	struct uffdio_writeprotect arg = {
		.range = { (unsigned long)addr, len },
		.mode = protect,
	};

	return ioctl(bench->region.uffd, bench->from == FROM_RWP ?
		     UFFDIO_RWPROTECT : UFFDIO_WRITEPROTECT, &arg);
}

static int uffd_down(struct bench *bench, char *addr, size_t len)
{
	return uffd_protect(bench, addr, len, true);
}

static int uffd_up(struct bench *bench, char *addr, size_t len)
{
	return uffd_protect(bench, addr, len, false);
}

/* The pass over the region: in one call, or some pages at a time. */
static void pass(struct bench *bench, int (*call)(struct bench *, char *, size_t))
{
	const struct bench_region *region = &bench->region;
	size_t i, step = bench->by_page ? psize() : region->len;

	if (bench->per_call)
		step = bench->per_call * (size_t)psize();
	for (i = 0; i < region->len; i += step)
		if (call(bench, region->addr + i, step))
			failed("changing the protection");
}

static void time_passes(struct bench *bench, struct timer *down, struct timer *up)
{
	timer_begin(down);
	pass(bench, bench->op->down);
	timer_end(down);
	timer_begin(up);
	pass(bench, bench->op->up);
	timer_end(up);
}

static void time_toggle(struct bench *bench, struct timer *down, struct timer *up)
{
	time_passes(bench, down, up);
	write_region(&bench->region);
}

/* sum[0] is of the way down, sum[1] up, sum[2] of a write to each page. */
static void count_toggle(struct bench *bench, struct bench_counters *sum)
{
	static struct bench_counters at[4];

	bench_read(&at[0]);
	pass(bench, bench->op->down);
	bench_read(&at[1]);
	pass(bench, bench->op->up);
	bench_read(&at[2]);
	write_region(&bench->region);
	bench_read(&at[3]);
	bench_add_delta(&sum[0], &at[0], &at[1]);
	bench_add_delta(&sum[1], &at[1], &at[2]);
	bench_add_delta(&sum[2], &at[2], &at[3]);
}

static void register_uffd(struct bench *bench)
{
	const char *why;

	if (bench->from == FROM_NONE)
		unsupported("userfaultfd protects from writes (ro) or all access (rwp)");
	why = bench_register_uffd(&bench->region, bench->from == FROM_RWP ?
				  UFFDIO_REGISTER_MODE_RWP : UFFDIO_REGISTER_MODE_WP);
	if (why)
		unsupported(why);
}

/* With several threads ticks are a time only, and as good as the machine. */
static bool is_timed(const struct bench *bench)
{
	return bench->threads == 1 || show_time || show_pairs;
}

static void prepare_toggle(struct bench *bench)
{
	bool uffd = bench->op->down == uffd_down;

	if (!uffd && bench->from == FROM_RWP)
		unsupported("mprotect() protects from writes (ro) or all access (none)");
	map_region(bench);
	if (uffd)
		register_uffd(bench);
}

static void measure_toggle(struct bench *bench)
{
	struct timer *down = &shared->timer[0], *up = &shared->timer[1];
	struct bench_counters *sum = shared->sum;
	size_t pages = bench->region.len / psize();
	double calls = bench->rounds * (bench->by_page ? pages : 1);
	const char *why;
	unsigned int i;

	prepare_toggle(bench);
	start_workers(bench, bench->region.addr, bench->region.len);
	for (i = 0; i < WARM_UP; i++) {
		if (is_timed(bench))
			time_toggle(bench, down, up);
		count_toggle(bench, sum);
	}
	memset(sum, 0, sizeof(shared->sum));
	reset_timers();
	for (i = 0; i < bench->rounds && is_timed(bench); i++)
		time_toggle(bench, down, up);
	for (i = 0; i < bench->rounds; i++)
		count_toggle(bench, sum);
	end_workers(bench);
	why = bench_verify_region(&bench->region);
	if (why)
		unsupported(why);
	if (is_timed(bench)) {
		report_timer(bench, "down", down, "page", pages);
		report_timer(bench, "up", up, "page", pages);
	}
	report_counters(bench, "down", &sum[0], calls);
	report_counters(bench, "up", &sum[1], calls);
	report(bench, "write", "faults", "faults/pass",
	       (double)sum[2].value[BENCH_FAULTS] / bench->rounds, bench->rounds, true);
}

static void need(const char *why_not)
{
	if (why_not)
		unsupported(why_not);
}

/*
 * Down and up on entries that are not all alike. Nothing uses the memory between
 * the rounds, so that its entries stay as they are; the faults of a write to each
 * page come last.
 */
static void report_write_faults(struct bench *bench)
{
	bench_read(&after); /* after fork() its memory takes faults, too */
	bench_read(&before);
	write_region(&bench->region);
	bench_read(&after);
	report(bench, "write", "faults", "faults/pass",
	       after.value[BENCH_FAULTS] - before.value[BENCH_FAULTS], 1, true);
}

static void measure_mixed(struct bench *bench)
{
	struct timer *down = &shared->timer[0], *up = &shared->timer[1];
	size_t pages = bench->region.len / psize();
	unsigned int i;

	bench->region.alone = true;
	map_region(bench);
	need(bench_make_layout(&bench->region, bench->layout));
	reset_timers();
	for (i = 0; i < WARM_UP; i++)
		time_passes(bench, down, up);
	reset_timers();
	for (i = 0; i < MIXED_ROUNDS; i++)
		time_passes(bench, down, up);
	need(bench_verify_layout(&bench->region, bench->layout));
	report_timer(bench, "down", down, "page", pages);
	report_timer(bench, "up", up, "page", pages);
	/* What userfaultfd traps would wait for somebody who lifts the trap. */
	if (!(bench_traits(bench->layout) & BENCH_ARMED))
		report_write_faults(bench);
}

/* Write faults after fork() and the exit of the child */

/* Writes to a page of each @step bytes. */
static void one_cow(struct bench *bench, size_t step, struct timer *write,
		    struct bench_counters *sum)
{
	const struct bench_region *region = &bench->region;

	if (!bench_fork_and_exit())
		failed("fork()");
	if (bench->after_toggle) {
		mprotect_down(bench, region->addr, region->len);
		mprotect_up(bench, region->addr, region->len);
	}
	bench_read(&after); /* after fork() its memory takes faults, too */
	bench_read(&before);
	timer_begin(write);
	bench_write_pages(region->addr, region->len, step);
	timer_end(write);
	bench_read(&after);
	bench_add_delta(sum, &before, &after);
}

static void measure_cow(struct bench *bench)
{
	struct timer *write = &shared->timer[0], *first = &shared->timer[1];
	struct bench_counters *sum = shared->sum;
	const size_t folio = bench->region.folio;
	const char *why;
	unsigned int i;

	map_region(bench);
	for (i = 0; i < WARM_UP; i++) {
		one_cow(bench, psize(), write, &sum[0]);
		one_cow(bench, folio, first, &sum[1]);
	}
	memset(sum, 0, sizeof(shared->sum));
	reset_timers();
	for (i = 0; i < bench->rounds; i++) {
		one_cow(bench, psize(), write, &sum[0]);
		one_cow(bench, folio, first, &sum[1]);
	}
	why = bench_verify_region(&bench->region);
	if (why)
		unsupported(why);
	report_timer(bench, "write", write, "page", bench->region.len / psize());
	report_counters(bench, "write", &sum[0], bench->rounds);
	/* What one fault takes, and what who writes to few pages pays for the others. */
	report_timer(bench, "first", first, "fault", bench->region.len / folio);
}

/*
 * Spurious faults: a thread writes where its CPU may still remember the old
 * protection. "free": it does so all the time, and runs into the protection
 * too. Else each thread reads the protected pages, waits for the upgrade to be
 * over, then writes: each fault that it takes is spurious.
 */
static atomic_uint step, nr_ready;

/* Spinning: a thread that slept would come back with a clean TLB. */
static void wait_for_step(unsigned int wanted)
{
	atomic_fetch_add(&nr_ready, 1);
	while (atomic_load(&step) != wanted)
		;
}

/* Once all the others wait for it. */
static void next_step(const struct bench *bench)
{
	while (atomic_load(&nr_ready) != bench->threads - 1)
		;
	atomic_store(&nr_ready, 0);
	atomic_fetch_add(&step, 1);
}

static void *write_after_upgrade(void *arg)
{
	struct worker *worker = arg;
	unsigned int at = 0;
	unsigned long faults;

	bench_pin(worker->cpu);
	for (;;) {
		wait_for_step(++at); /* the region is protected */
		if (atomic_load(&stop_workers))
			return NULL;
		bench_read_pages(worker->addr, worker->len, psize());
		wait_for_step(++at); /* ... upgraded */
		faults = thread_faults();
		bench_write_pages(worker->addr, worker->len, psize());
		worker->faults += thread_faults() - faults;
	}
}

static void one_spurious_round(struct bench *bench, struct bench_counters *sum)
{
	struct bench_region *region = &bench->region;

	mprotect_down(bench, region->addr, region->len);
	next_step(bench);
	while (atomic_load(&nr_ready) != bench->threads - 1)
		; /* all have read */
	bench_read(&before);
	mprotect_up(bench, region->addr, region->len);
	next_step(bench);
	while (atomic_load(&nr_ready) != bench->threads - 1)
		; /* all have written */
	bench_read(&after);
	bench_add_delta(sum, &before, &after);
}

static void start_spurious(struct bench *bench)
{
	unsigned int i;

	for (i = 1; i < bench->threads; i++) {
		workers[i] = (struct worker) {
			.cpu = i, .addr = bench->region.addr,
			.len = bench->region.len,
		};
		if (pthread_create(&workers[i].thread, NULL,
				   write_after_upgrade, &workers[i]))
			failed("pthread_create()");
	}
}

static unsigned long sum_of_faults(const struct bench *bench)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 1; i < bench->threads; i++)
		sum += workers[i].faults;
	return sum;
}

static void measure_spurious_ordered(struct bench *bench)
{
	double writes = bench->rounds * (bench->threads - 1.0) *
			(bench->region.len / psize());
	unsigned int i;

	start_spurious(bench);
	one_spurious_round(bench, shared->sum);
	memset(shared->sum, 0, sizeof(shared->sum));
	for (i = 1; i < bench->threads; i++)
		workers[i].faults = 0; /* they wait */
	for (i = 0; i < bench->rounds; i++)
		one_spurious_round(bench, shared->sum);
	atomic_store(&stop_workers, true);
	next_step(bench);
	end_workers(bench);
	report(bench, "spurious", "faults", "faults/write",
	       sum_of_faults(bench) / writes, writes, false);
	report_counters(bench, "up", shared->sum, bench->rounds);
}

static void measure_spurious_free(struct bench *bench)
{
	unsigned int i;

	start_workers(bench, bench->region.addr, bench->region.len);
	bench_read(&before);
	for (i = 0; i < bench->rounds; i++) {
		mprotect_down(bench, bench->region.addr, bench->region.len);
		mprotect_up(bench, bench->region.addr, bench->region.len);
	}
	bench_read(&after);
	end_workers(bench);
	bench_add_delta(shared->sum, &before, &after);
	report(bench, "refused", "writes", "signals/round",
	       (double)atomic_load(&nr_segv) / bench->rounds, bench->rounds, false);
	report_counters(bench, "round", shared->sum, bench->rounds);
}

static void measure_spurious(struct bench *bench)
{
	static char why[80];

	if ((int)bench->threads > bench_nr_cpus() || bench->threads < 2) {
		snprintf(why, sizeof(why), "%u threads want as many CPUs, at least 2",
			 bench->threads);
		unsupported(why);
	}
	map_region(bench);
	if (bench->touch)
		measure_spurious_free(bench);
	else
		measure_spurious_ordered(bench);
}

/*
 * Bystanders: threads of the process that never touch the region. What an
 * upgrade sends to their CPUs it sends for nothing.
 */
static void start_bystanders(struct bench *bench)
{
	static const struct operation toggle = {
		.down = mprotect_down, .up = mprotect_up,
	};
	size_t len = 16 * psize();
	char *own = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bench->threads < 2)
		unsupported("a bystander needs a second thread");
	if (own == MAP_FAILED)
		failed("mmap()");
	bench->op = &toggle;
	map_region(bench);
	bench_write_pages(own, len, psize());
	start_workers(bench, own, len);
}

static void report_bystanders(struct bench *bench, const char *prefix,
			      const struct bench_counters *sum, double ops)
{
	unsigned long ipis = 0;
	unsigned int i;

	for (i = 1; i < bench->threads; i++)
		ipis += sum->cpu_ipis[i];
	if (bench_has_ipis())
		report(bench, prefix, "ipis_per_bystander", "interrupts/op",
		       ipis / ops / (bench->threads - 1), ops, false);
	report_counters(bench, prefix, sum, ops);
}

static void measure_bystander(struct bench *bench)
{
	unsigned int i;

	start_bystanders(bench);
	for (i = 0; i < WARM_UP; i++)
		count_toggle(bench, shared->sum);
	memset(shared->sum, 0, sizeof(shared->sum));
	for (i = 0; i < bench->rounds; i++)
		count_toggle(bench, shared->sum);
	end_workers(bench);
	report_bystanders(bench, "down", &shared->sum[0], bench->rounds);
	report_bystanders(bench, "up", &shared->sum[1], bench->rounds);
}

/*
 * Laggards: bystanders while all pages of the region were upgraded one by one.
 * A strict flush of a few pages must still be one of a few pages for them; if
 * the upgrades left them behind, it is one of their whole TLB.
 */
#define STRICT_PAGES	16	/* fewer than x86 flushes page by page */

static int flush_fds[MAX_THREADS][BENCH_NR_FLUSHES];

static bool open_flushes(const struct bench *bench)
{
	unsigned int cpu, kind;

	for (cpu = 1; cpu < bench->threads; cpu++)
		for (kind = 0; kind < BENCH_NR_FLUSHES; kind++) {
			flush_fds[cpu][kind] = bench_open_flushes(cpu, kind);
			if (flush_fds[cpu][kind] < 0)
				return false;
		}
	return true;
}

static unsigned long flushes(const struct bench *bench, enum bench_flush kind)
{
	unsigned long sum = 0;
	unsigned int cpu;

	for (cpu = 1; cpu < bench->threads; cpu++)
		sum += bench_read_flushes(flush_fds[cpu][kind]);
	return sum;
}

/* sum[0] is of the upgrades, sum[1] of the strict flush, seen[] its flushes. */
static void one_laggard_round(struct bench *bench, struct bench_counters *sum,
			      unsigned long *seen)
{
	static struct bench_counters at[4];
	unsigned int kind;

	mprotect_down(bench, bench->region.addr, bench->region.len);
	bench_read(&at[0]);
	pass(bench, mprotect_up);
	bench_read(&at[1]);
	for (kind = 0; kind < BENCH_NR_FLUSHES; kind++)
		seen[kind] -= flushes(bench, kind);
	bench_read(&at[2]);
	mprotect_down(bench, bench->region.addr, STRICT_PAGES * psize());
	bench_read(&at[3]);
	for (kind = 0; kind < BENCH_NR_FLUSHES; kind++)
		seen[kind] += flushes(bench, kind);
	bench_add_delta(&sum[0], &at[0], &at[1]);
	bench_add_delta(&sum[1], &at[2], &at[3]);
}

static void measure_laggard(struct bench *bench)
{
	double others = bench->threads - 1.0;
	unsigned long seen[BENCH_NR_FLUSHES] = {};
	struct bench_counters *sum = shared->sum;

	bench->by_page = true;
	start_bystanders(bench);
	if (!open_flushes(bench))
		unsupported("the tracepoint tlb:tlb_flush cannot be counted here");
	one_laggard_round(bench, sum, seen);
	end_workers(bench);
	report_bystanders(bench, "up", &sum[0], bench->region.len / psize());
	report_bystanders(bench, "strict", &sum[1], 1);
	report(bench, "strict", "full_flushes_per_bystander", "flushes/op",
	       seen[BENCH_FLUSH_FULL] / others, others, false);
	report(bench, "strict", "ranged_flushes_per_bystander", "flushes/op",
	       seen[BENCH_FLUSH_RANGED] / others, others, false);
}

/* NUMA hinting faults. Each round is a process of its own, see numa_hints.h. */

/* sum[0] is of the hints, sum[1] of a write to each page afterwards. */
static void take_hints(const struct bench_region *region, struct timer *timer,
		       struct bench_counters *sum)
{
	static struct bench_counters at[3];

	bench_read(&at[0]);
	timer_begin(timer);
	bench_read_pages(region->addr, region->len, region->folio);
	timer_end(timer);
	bench_read(&at[1]);
	write_region(region);
	bench_read(&at[2]);
	bench_add_delta(&sum[0], &at[0], &at[1]);
	bench_add_delta(&sum[1], &at[1], &at[2]);
}

/* Takes the hints on what the measurement itself uses: all but the region. */
static void rehearse(struct bench_region region)
{
	static struct bench_counters unused[2];
	char *addr = (char *)shared;
	size_t i;

	for (i = 0; i < sizeof(*shared); i += psize())
		atomic_fetch_add((atomic_uint *)(addr + i), 0);
	region.len = 0;
	take_hints(&region, &shared->timer[1], unused);
}

/* One round, in a process that ends with it. Exit status: as the program's. */
static void __noreturn one_numa_round(struct bench *bench, int node)
{
	need(numa_bind(node));
	map_region(bench);
	need(numa_set_hints(bench->region.len / psize()));
	if (bench->outcome == HINT_FAILED)
		need(numa_enter_cpuset());
	rehearse(bench->region);
	take_hints(&bench->region, &shared->timer[0], shared->sum);
	shared->rounds++;
	_exit(0);
}

static void report_numa(struct bench *bench)
{
	double folios = bench->region.len / bench->region.folio;
	unsigned long rounds = shared->rounds;

	/* Which pages the target node gives is not the same in each run. */
	bench->vague = bench->outcome == HINT_MIGRATED;
	report_timer(bench, "hint", &shared->timer[0], "folio", folios);
	report_counters(bench, "hint", &shared->sum[0], rounds);
	report(bench, "write", "faults", "faults/pass",
	       (double)shared->sum[1].value[BENCH_FAULTS] / rounds, rounds, true);
}

static void measure_numa(struct bench *bench)
{
	unsigned int i, rounds = bench->rounds < 8 ? bench->rounds : 8;
	int here, elsewhere, status;
	pid_t pid;

	need(numa_find_nodes(&here, &elsewhere));
	if (bench->outcome == HINT_FAILED)
		need(numa_make_cpuset(elsewhere));
	for (i = 0; i < rounds; i++) {
		pid = fork();
		if (!pid)
			one_numa_round(bench, bench->outcome == HINT_HIT ?
				       here : elsewhere);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			failed("fork()");
		if (status)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL);
	}
	report_numa(bench);
}

static void wait_for(pid_t pid)
{
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		failed("fork()");
}

/*
 * Programs that NUMA balancing is judged by: threads that all use all of the memory, or
 * each a part of its own. The memory is on one node at first, and the threads are on all
 * CPUs. The scanner works meanwhile, as often as it can, so the work has a number of
 * passes, and hints, migrations and faults are what they come to.
 */
#define BALANCED_PASSES	8000

static void *pass_on(void *arg)
{
	const struct worker *worker = arg;
	unsigned int i;

	bench_pin(worker->cpu);
	for (i = 0; i < BALANCED_PASSES; i++)
		bench_write_pages(worker->addr, worker->len, psize());
	return NULL;
}

static void measure_balanced(struct bench *bench, bool own_part)
{
	struct bench_region *region = &bench->region;
	size_t part = own_part ? region->len / bench->threads : region->len;
	struct timer *timer = &shared->timer[0];
	int here, elsewhere;
	unsigned int i;

	need_cpus(bench);
	need(numa_find_nodes(&here, &elsewhere));
	need(numa_prepare_scanner());
	need(numa_bind(elsewhere));
	map_region(bench);
	write_region(region);
	need(numa_bind(-1));
	need(numa_scanner_on());
	bench_read(&before);
	timer_begin(timer);
	for (i = 0; i < bench->threads; i++) {
		workers[i] = (struct worker) {
			.cpu = i, .len = part,
			.addr = region->addr + (own_part ? i * part : 0),
		};
		if (pthread_create(&workers[i].thread, NULL, pass_on, &workers[i]))
			failed("pthread_create()");
	}
	for (i = 0; i < bench->threads; i++)
		pthread_join(workers[i].thread, NULL);
	timer_end(timer);
	bench_read(&after);
	numa_scanner_off();
	bench_add_delta(shared->sum, &before, &after);
	report_timer(bench, "work", timer, "pass", BALANCED_PASSES);
	report_counters(bench, "work", shared->sum, BALANCED_PASSES);
}

static void measure_numa01(struct bench *bench)
{
	measure_balanced(bench, false);
}

static void measure_numa02(struct bench *bench)
{
	measure_balanced(bench, true);
}

/*
 * The scan that sets NUMA hints. It runs where a thread returns from an interrupt of
 * the timer to user space, so a thread that does nothing but look at the tick sees it
 * as a gap. The interrupt is in the gap, too; what that costs by itself is subtracted.
 * The scanner does all of the region at once here, and nothing else.
 */
static unsigned long nr_hints(void)
{
	int counter = bench_find_counter("numa_pte_updates");

	bench_read(&after);
	return counter < 0 ? 0 : after.value[counter];
}

/* The same, and by how much it took longer than at best. */
static unsigned long nr_hints_timed(unsigned long *longer)
{
	static unsigned long shortest = -1UL;
	unsigned long begin = bench_ticks(), nr = nr_hints(), ticks;

	ticks = bench_ticks() - begin;
	if (ticks < shortest)
		shortest = ticks;
	if (ticks - shortest > *longer)
		*longer = ticks - shortest;
	return nr;
}

/* Waits for a gap, a lap that takes far longer than @lap. Returns how long it is. */
static unsigned long next_gap(unsigned long lap)
{
	unsigned long now, last;

	for (now = bench_ticks(), last = now; now - last <= 10 * lap + 10;) {
		last = now;
		now = bench_ticks();
	}
	return now - last;
}

/*
 * timer[0] is of gaps with the scan, timer[1] of those without. What returns to user
 * space may as well be a system call of ours; then the gap is the shorter one.
 */
static void sample_gap(const struct bench *bench, unsigned long lap)
{
	unsigned long longer = 0, hints, gap;

	hints = nr_hints_timed(&longer);
	gap = next_gap(lap);
	hints = nr_hints_timed(&longer) - hints;
	if (!hints)
		bench_sample(&shared->timer[1].ticks, gap);
	else if (hints == bench->region.len / psize() && gap > 2 * longer)
		bench_sample(&shared->timer[0].ticks, gap);
}

/* Of those seen so far, the longest. */
static void keep_longest(unsigned long away)
{
	unsigned long shorter;
	unsigned int i;

	for (i = 0; i < MAX_STRETCHES; i++) {
		if (away <= shared->longest[i])
			continue;
		shorter = shared->longest[i];
		shared->longest[i] = away;
		away = shorter;
	}
}

/*
 * How long the kernel keeps the CPU to itself while the scanner works: a task with
 * real-time priority sleeps for a moment and looks how long it was away. If that is
 * longer than the moment, the kernel did not give the CPU away, in the scanner's case
 * as it held the lock of a page table. The scanner goes on when the task falls
 * asleep, and has to let go of the lock before: so what the task sees is all of a
 * stretch, and what it takes to fall asleep and to wake up. Stretches shorter than
 * the moment are not seen.
 */
static void __noreturn sleep_and_want(int start)
{
	struct sched_param param = { .sched_priority = 1 };
	const struct timespec moment = { .tv_nsec = WAIT_NS };
	unsigned long begin, away;
	char c;

	if (sched_setscheduler(0, SCHED_FIFO, &param) || read(start, &c, 1) != 1)
		_exit(KSFT_SKIP);
	while (!atomic_load(&shared->over)) {
		begin = bench_ticks();
		nanosleep(&moment, NULL);
		away = bench_ticks() - begin;
		keep_longest(away);
		if (!shared->shortest || away < shared->shortest)
			shared->shortest = away;
	}
	_exit(KSFT_PASS);
}

/* With the task that waits for a byte from @start, or who looks at gaps. */
static void let_scanner_run(struct bench *bench, int start)
{
	unsigned long unused = 0;
	unsigned long want = nr_hints_timed(&unused) + bench->region.len / psize();
	unsigned long lap = bench_tick_cost();
	time_t end = time(NULL) + 10;
	unsigned int i;

	need(numa_scanner_on());
	if (start >= 0 && write(start, "", 1) != 1)
		failed("pipe");
	while (nr_hints() < want && time(NULL) < end)
		if (start < 0)
			sample_gap(bench, lap);
	atomic_store(&shared->over, true);
	numa_scanner_off();
	for (i = 0; start < 0 && i < GAPS_AFTER; i++)
		sample_gap(bench, lap);
	if (nr_hints() != want)
		unsupported("the NUMA scanner did not set a hint for each page in 10 seconds");
}

/* The shortest time that the task is away has this in it. */
static unsigned long moment_in_ticks(void)
{
	return WAIT_NS / bench_tick_ns() + .5;
}

/* How much is scanned while another task wants the CPU: a few page tables are enough. */
static size_t wanted_len(const struct bench *bench)
{
	return bench->region.len / 4;
}

/* One scan, in a process that ends with it; another task wants the CPU, or not. */
static void __noreturn one_scan(struct bench *bench, int node, bool wanted)
{
	int start[2];
	pid_t pid = 0;

	atomic_store(&shared->over, false);
	if (wanted)
		bench->region.len = wanted_len(bench);
	/* A child that is forked later would share the pages. */
	if (pipe(start))
		failed("pipe()");
	if (wanted)
		pid = fork();
	if (wanted && !pid) {
		close(start[1]);
		sleep_and_want(start[0]);
	}
	need(numa_bind(node));
	bench->region.alone = true;
	map_region(bench);
	need(bench_make_layout(&bench->region, bench->layout));
	need(numa_let_scan(bench->region.addr, bench->region.len, node));
	let_scanner_run(bench, wanted ? start[1] : -1);
	if (pid)
		wait_for(pid);
	_exit(KSFT_PASS);
}

static void scan_in_child(struct bench *bench, int node, bool wanted)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		one_scan(bench, node, wanted);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		failed("fork()");
	if (status)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL);
}

/*
 * The longest stretch of a scan, as seen by the task. The layout repeats in each page
 * table, so there are as many that are alike; an interrupt or a first touch makes one of
 * them longer, rarely all. So it is the shortest of the longest ones, and of a few scans
 * the one in the middle.
 */
static unsigned long longest_stretch(struct bench *bench, int node)
{
	struct bench_samples *of_scans = &shared->stretches;
	size_t tables = wanted_len(bench) / read_pmd_pagesize();
	unsigned int i, last = 0;

	if (tables > 1)
		last = (tables < MAX_STRETCHES ? tables : MAX_STRETCHES) - 1;
	for (i = 0; i < WANTED_SCANS; i++) {
		memset(shared->longest, 0, sizeof(shared->longest));
		scan_in_child(bench, node, true);
		if (shared->longest[last])
			bench_sample(of_scans, shared->longest[last]);
	}
	if (!of_scans->n)
		unsupported("no task with real-time priority, or it never slept meanwhile");

	return bench_percentile(of_scans, 50);
}

static void measure_scan(struct bench *bench)
{
	struct bench_samples *with = &shared->timer[0].ticks;
	struct bench_samples *without = &shared->timer[1].ticks;
	unsigned long longest;
	int here, elsewhere;
	unsigned int i;

	need(numa_find_nodes(&here, &elsewhere));
	need(numa_prepare_scanner());
	for (i = 0; i < 2 * SCAN_ROUNDS && with->n < SCAN_ROUNDS; i++)
		scan_in_child(bench, here, false);
	longest = longest_stretch(bench, here);
	if (!with->n || !without->n)
		unsupported("no NUMA scan was seen, or no interrupt without one");
	report(bench, "scan", "min", "ticks/hint",
	       (double)(bench_percentile(with, 0) - bench_percentile(without, 0)) /
	       (bench->region.len / psize()), with->n, true);
	report(bench, "scan", "longest", "ticks",
	       longest - shared->shortest + moment_in_ticks(), WANTED_SCANS, true);
}

/* Paths that work on protection upgrades must not make slower */

#define SWITCHES	64

static void once_fork(struct bench *bench, struct timer *timer)
{
	pid_t pid;

	write_region(&bench->region);
	timer_begin(timer);
	pid = fork();
	if (!pid)
		_exit(0);
	timer_end(timer);
	wait_for(pid);
}

static void once_cow_fault(struct bench *bench, struct timer *timer)
{
	int ready[2], end[2];
	char c = 0;
	pid_t pid;

	if (pipe(ready) || pipe(end))
		failed("pipe()");
	pid = fork();
	if (!pid) {
		close(end[1]);
		_exit(write(ready[1], &c, 1) == 1 && read(end[0], &c, 1) < 0);
	}
	if (read(ready[0], &c, 1) != 1)
		failed("pipe");
	timer_begin(timer);
	write_region(&bench->region);
	timer_end(timer);
	close(end[1]);
	wait_for(pid);
	close(end[0]);
	close(ready[0]);
	close(ready[1]);
}

static void once_first_touch(struct bench *bench, struct timer *timer)
{
	madvise(bench->region.addr, bench->region.len, MADV_DONTNEED);
	timer_begin(timer);
	write_region(&bench->region);
	timer_end(timer);
}

static void once_munmap(struct bench *bench, struct timer *timer)
{
	struct bench_region *region = &bench->region;

	write_region(region);
	timer_begin(timer);
	munmap(region->addr, region->len);
	timer_end(timer);
	if (mmap(region->addr, region->len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	    region->addr)
		failed("mmap()");
	madvise(region->addr, region->len, MADV_NOHUGEPAGE);
}

static void __noreturn echo(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1)
		if (write(out, &c, 1) != 1)
			break;
	_exit(0);
}

static void once_switch_mm(struct bench *bench, struct timer *timer)
{
	const struct sched_param none = {}, same = { .sched_priority = 1 };
	int there[2], back[2];
	unsigned int i;
	char c = 0;
	pid_t pid;

	if (pipe(there) || pipe(back))
		failed("pipe()");
	/* So that they switch where one waits, not where the scheduler likes it better. */
	if (sched_setscheduler(0, SCHED_FIFO, &same))
		failed("sched_setscheduler()");
	pid = fork();
	if (!pid) {
		close(there[1]);
		echo(there[0], back[1]);
	}
	if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		failed("pipe");
	timer_begin(timer);
	for (i = 0; i < SWITCHES / 2; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			failed("pipe");
	timer_end(timer);
	sched_setscheduler(0, SCHED_OTHER, &none);
	close(there[1]);
	wait_for(pid);
	close(there[0]);
	close(back[0]);
	close(back[1]);
}

/* The page cache keeps the pages: each fault only maps one. */
static void once_file_fault(struct bench *bench, struct timer *timer)
{
	const struct bench_region *region = &bench->region;

	madvise(region->addr, region->len, MADV_DONTNEED);
	timer_begin(timer);
	write_region(region);
	timer_end(timer);
}

static const struct path {
	const char *name;
	void (*once)(struct bench *bench, struct timer *timer);
	enum bench_map map;
	const char *unit;
	unsigned int per;	/* 0: the pages of the region */
} paths[] = {
	{ "fork", once_fork, BENCH_ANON, "fork", 1 },
	{ "cow_fault", once_cow_fault, BENCH_ANON, "page" },
	{ "first_touch", once_first_touch, BENCH_ANON, "page" },
	{ "munmap", once_munmap, BENCH_ANON, "page" },
	{ "switch_mm", once_switch_mm, BENCH_ANON, "switch", SWITCHES },
	{ "file_fault", once_file_fault, BENCH_FILE, "page" },
	{ "memfd_fault", once_file_fault, BENCH_MEMFD, "page" },
};

static void measure_path(struct bench *bench, const struct path *path)
{
	unsigned int per = path->per ?: bench->region.len / psize();
	struct timer *timer = &shared->timer[0];
	unsigned int i;

	bench->region.map = path->map;
	map_region(bench);
	for (i = 0; i < WARM_UP; i++)
		path->once(bench, timer);
	reset_timers();
	for (i = 0; i < bench->rounds; i++)
		path->once(bench, timer);
	report_timer(bench, path->name, timer, path->unit, per);
}

static void measure_unchanged(struct bench *bench)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++)
		if (!strcmp(bench->name, paths[i].name))
			measure_path(bench, &paths[i]);
}

/* What can be asked for */

enum { OP_MPROTECT, OP_UFFD, OP_NUMA, OP_COW, NR_OPS };

static const struct operation operations[] = {
	[OP_MPROTECT] = { "mprotect", measure_toggle, mprotect_down, mprotect_up },
	[OP_UFFD] = { "uffd", measure_toggle, uffd_down, uffd_up },
	[OP_NUMA] = { "numa", measure_numa },
	[OP_COW] = { "cow", measure_cow },
	/* Of topics only */
	{ "spurious", measure_spurious },
	{ "bystander", measure_bystander },
	{ "laggard", measure_laggard },
	{ "mixed", measure_mixed, mprotect_down, mprotect_up },
	{ "numa01", measure_numa01 },
	{ "numa02", measure_numa02 },
	{ "scan", measure_scan },
	{ "unchanged", measure_unchanged },
};

/* The values of one axis of a topic's cases; the last one is followed by 0. */
struct memory {
	enum bench_map map;
	const char *folio;
};

#define MAX_AXIS	8

/* Entries of a kind, and what cases call it; all pages are of it, or some. */
struct kind {
	const char *name;
	unsigned int traits;
};

enum pattern { ALL, ALTERNATING, RANDOM, NR_PATTERNS };

static const char * const pattern_names[NR_PATTERNS] = {
	"", " alternating", " random",
};

static const struct kind small_anon[] = {
	{ "old", BENCH_OLD },
	{ "lazyfree", BENCH_CLEAN | BENCH_OLD },
	{ "soft-dirty", BENCH_UNDIRTIED },
	{ "uffd-wp", BENCH_ARMED },
	{ "zero", BENCH_ZERO },
	{ "hole", BENCH_HOLE },
	{ "swapped", BENCH_SWAPPED },
	{ "forked", BENCH_FORKED },
	{}
};

static const struct kind small_shared[] = {
	{ "old", BENCH_OLD },
	{ "clean", BENCH_CLEAN },
	{ "soft-dirty", BENCH_UNDIRTIED },
	{ "uffd-wp", BENCH_ARMED },
	{ "hole", BENCH_HOLE },
	{}
};

static const struct kind small_file[] = {
	{ "old", BENCH_OLD },
	{ "clean", BENCH_CLEAN },
	{ "soft-dirty", BENCH_UNDIRTIED },
	{ "hole", BENCH_HOLE },
	{}
};

static const struct kind copied[] = { { "uncopied", BENCH_UNCOPIED }, {} };

static const struct kind large_anon[] = {
	{ "old", BENCH_OLD },
	{ "soft-dirty", BENCH_UNDIRTIED },
	{ "uffd-wp", BENCH_ARMED },
	{ "hole", BENCH_HOLE },
	{ "forked", BENCH_FORKED },
	{}
};

static const struct kind large_shared[] = {
	{ "old", BENCH_OLD },
	{ "soft-dirty", BENCH_UNDIRTIED },
	{ "hole", BENCH_HOLE },
	{}
};

/* What is no single kind. */
static const struct bench_layout uniform[] = { { "uniform", { 0 }, 1 }, {} };

static const struct bench_layout special_anon[] = {
	{ "uniform", { 0 }, 1 },
	{ "child", { BENCH_FORKED }, 1, .child = true },
	{ "child alternating", { 0, BENCH_FORKED }, 2, .child = true },
	{ "three kinds", { 0, BENCH_OLD, BENCH_ZERO }, 3 },
	{ "four kinds", { 0, BENCH_OLD, BENCH_CLEAN, BENCH_OLD | BENCH_CLEAN }, 4 },
	{ "four kinds random",
	  { 0, BENCH_OLD, BENCH_CLEAN, BENCH_OLD | BENCH_CLEAN }, 4, .random = true },
	{}
};

static const struct bench_layout special_shared[] = {
	{ "uniform", { 0 }, 1 },
	{ "three kinds", { 0, BENCH_OLD, BENCH_CLEAN }, 3 },
	{ "four kinds", { 0, BENCH_OLD, BENCH_CLEAN, BENCH_OLD | BENCH_CLEAN }, 4 },
	{ "four kinds random",
	  { 0, BENCH_OLD, BENCH_CLEAN, BENCH_OLD | BENCH_CLEAN }, 4, .random = true },
	{}
};

static const struct bench_layout special_copied[] = {
	{ "uniform", { 0 }, 1 },
	{ "three kinds", { 0, BENCH_OLD, BENCH_UNCOPIED }, 3 },
	{}
};

static const struct bench_layout special_large[] = {
	{ "uniform", { 0 }, 1 },
	{ "child", { BENCH_FORKED }, 1, .child = true },
	{ "child alternating", { 0, BENCH_FORKED }, 2, .child = true },
	{ "three kinds", { 0, BENCH_OLD, BENCH_FORKED }, 3 },
	{ "four kinds",
	  { 0, BENCH_OLD, BENCH_FORKED, BENCH_OLD | BENCH_FORKED }, 4 },
	{ "four kinds random",
	  { 0, BENCH_OLD, BENCH_FORKED, BENCH_OLD | BENCH_FORKED }, 4, .random = true },
	{}
};

static const struct bench_layout young_or_old[] = {
	{ "uniform", { 0 }, 1 },
	{ "old", { BENCH_OLD }, 1 },
	{ "old alternating", { 0, BENCH_OLD }, 2 },
	{}
};

/*
 * A topic: each combination of its axes is a case. An axis that is left out has
 * the one value that the options ask for, or their default. A topic may have
 * several rows.
 */
struct topic {
	const char *name;
	const char *operation;
	struct memory memory[MAX_AXIS];
	enum from from[MAX_AXIS];
	unsigned int nr_from;
	unsigned int threads[MAX_AXIS];
	unsigned int pages[MAX_AXIS];
	unsigned int nr_touch;		/* 2: threads that read, then that write */
	unsigned int nr_by_page;	/* 2: whole range, then page by page */
	unsigned int nr_toggle;		/* 2: without and with mprotect() between */
	unsigned int nr_outcome;
	unsigned int per_call[MAX_AXIS];
	/* Up to the one without a name: layouts, or kinds, each in all patterns */
	const struct bench_layout *layouts;
	const struct kind *kinds;
};

static const struct topic topics[] = {
	{ .name = "updown", .operation = "mprotect",
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" },
		      { BENCH_ANON, "1m" }, { BENCH_ANON, "2m" },
		      { BENCH_ANON, "pmd" }, { BENCH_SHARED, "4k" },
		      { BENCH_HUGETLB, "pmd" } },
	  .from = { FROM_RO, FROM_NONE }, .nr_from = 2, .threads = { 1 } },
	{ .name = "updown", .operation = "mprotect",
	  .memory = { { BENCH_ANON, "4k" } }, .pages = { 1, 8, 64, 512 },
	  .threads = { 1 } },
	{ .name = "pingpong", .operation = "mprotect",
	  .memory = { { BENCH_ANON, "4k" } }, .pages = { 1 },
	  .from = { FROM_RO }, .nr_from = 1,
	  .threads = { 1, 2, 4, 8 }, .nr_touch = 2 },
	{ .name = "pingpong", .operation = "mprotect",
	  .memory = { { BENCH_ANON, "4k" } }, .pages = { 1 },
	  .from = { FROM_NONE }, .nr_from = 1, .threads = { 1, 4 } },
	{ .name = "pingpong", .operation = "uffd",
	  .memory = { { BENCH_ANON, "4k" } }, .pages = { 1 },
	  .from = { FROM_RO }, .nr_from = 1, .threads = { 1, 2, 4, 8 } },
	{ .name = "uffd", .operation = "uffd",
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" } },
	  .from = { FROM_RO, FROM_RWP }, .nr_from = 2,
	  .threads = { 1 }, .nr_by_page = 2 },
	{ .name = "uffd", .operation = "uffd",
	  .memory = { { BENCH_ANON, "4k" } },
	  .from = { FROM_RO }, .nr_from = 1,
	  .threads = { 2, 4, 8 }, .nr_by_page = 2 },
	{ .name = "numa", .operation = "numa",
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" },
		      { BENCH_ANON, "1m" }, { BENCH_ANON, "2m" },
		      { BENCH_ANON, "pmd" } }, .nr_outcome = NR_OUTCOMES },
	{ .name = "autonuma", .operation = "numa01", .pages = { 2048 }, .threads = { 1, 8 },
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" }, { BENCH_ANON, "2m" } } },
	{ .name = "autonuma", .operation = "numa02", .pages = { 2048 }, .threads = { 8 },
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" }, { BENCH_ANON, "2m" } } },
	{ .name = "cow", .operation = "cow",
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" },
		      { BENCH_ANON, "1m" }, { BENCH_ANON, "2m" },
		      { BENCH_ANON, "pmd" }, { BENCH_HUGETLB, "pmd" } },
	  .nr_toggle = 2 },
	{ .name = "spurious", .operation = "spurious",
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" } },
	  .pages = { 64 }, .threads = { 2, 4, 8 }, .nr_touch = 2 },
	{ .name = "bystander", .operation = "bystander",
	  .memory = { { BENCH_ANON, "4k" } }, .pages = { 16 },
	  .threads = { 2, 4, 8 } },
	{ .name = "bystander", .operation = "laggard",
	  .memory = { { BENCH_ANON, "4k" } }, .pages = { 1024 },
	  .threads = { 4 } },
	{ .name = "unchanged", .operation = "unchanged",
	  .memory = { { BENCH_ANON, "4k" } } },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_ANON, "4k" } }, .layouts = special_anon },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_ANON, "4k" } }, .kinds = small_anon },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_COPIED, "4k" } }, .layouts = special_copied },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_COPIED, "4k" } }, .kinds = copied },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_SHARED, "4k" }, { BENCH_FILE, "4k" } },
	  .layouts = special_shared },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_SHARED, "4k" } }, .kinds = small_shared },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_FILE, "4k" } }, .kinds = small_file },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_SHARED, "64k" } }, .layouts = uniform },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_SHARED, "64k" } }, .kinds = large_shared },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_ANON, "64k" }, { BENCH_ANON, "2m" } },
	  .layouts = special_large },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_ANON, "64k" }, { BENCH_ANON, "2m" } },
	  .kinds = large_anon },
	{ .name = "mixed", .operation = "mixed", .pages = { 2048 },
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_SHARED, "4k" },
		      { BENCH_ANON, "64k" }, { BENCH_ANON, "2m" } },
	  .from = { FROM_NONE }, .nr_from = 1, .layouts = young_or_old },
	{ .name = "mixed", .operation = "mixed", .per_call = { 1, 8 },
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_SHARED, "4k" },
		      { BENCH_ANON, "64k" } }, .layouts = young_or_old },
	{ .name = "mixed", .operation = "scan",
	  .memory = { { BENCH_ANON, "4k" }, { BENCH_ANON, "64k" },
		      { BENCH_ANON, "2m" } },
	  .pages = { 8192 }, .layouts = young_or_old },
};

/* One case, in a process of its own */

static void name_case(struct bench *bench, const char *folio)
{
	int n = sizeof(bench->name);
	char *name = bench->name;

	n = snprintf(name, sizeof(bench->name), "%s %s %s%s%s%s%s",
		     bench->op->name, bench_map_names[bench->region.map], folio,
		     bench->op->down ? " " : "",
		     bench->op->down ? from_names[bench->from] : "",
		     bench->by_page ? " by-page" : "",
		     bench->after_toggle ? " +mprotect" : "");
	if (bench->op->measure == measure_numa)
		n += snprintf(name + n, sizeof(bench->name) - n, " %s",
			      outcome_names[bench->outcome]);
	if (bench->layout)
		n += snprintf(name + n, sizeof(bench->name) - n, " %s",
			      bench->layout->name);
	if (bench->name_pages)
		n += snprintf(name + n, sizeof(bench->name) - n, " pages=%zu",
			      bench->region.len / psize());
	if (bench->per_call)
		n += snprintf(name + n, sizeof(bench->name) - n, " by-%u",
			      bench->per_call);
	if (bench->threads > 1)
		snprintf(name + n, sizeof(bench->name) - n, " %s=%u",
			 bench->touch ? "writers" : "threads", bench->threads);
}

static void __noreturn run_in_child(struct bench *bench)
{
	unsigned long pairs = shared->pairs;

	current = bench;
	bench_pin(0);
	memset(shared, 0, sizeof(*shared));
	shared->pairs = pairs;
	bench->op->measure(bench);
	fflush(stdout);
	_exit(KSFT_PASS);
}

static int run_case(struct bench *bench)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		run_in_child(bench);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return KSFT_FAIL;
	numa_scanner_off();
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s: ended by signal %d\n", bench->name, WTERMSIG(status));
	return KSFT_FAIL;
}

/* Topics */

static unsigned int nr_numbers(const unsigned int *axis)
{
	unsigned int n = 0;

	while (n < MAX_AXIS && axis[n])
		n++;
	return n;
}

static unsigned int nr_memory(const struct topic *topic)
{
	unsigned int n = 0;

	while (n < MAX_AXIS && topic->memory[n].folio)
		n++;
	return n;
}

/* Of a topic, as many as it has layouts, or kinds and patterns of them. */
static unsigned int nr_layouts(const struct topic *topic)
{
	unsigned int n = 0;

	while (topic->layouts && topic->layouts[n].name)
		n++;
	while (topic->kinds && topic->kinds[n / NR_PATTERNS].name)
		n++;
	return n;
}

static const struct bench_layout *choose_layout(const struct topic *topic,
						unsigned int i)
{
	static struct bench_layout made;
	static char name[32];
	const struct kind *kind;

	if (!topic->kinds)
		return topic->layouts ? &topic->layouts[i] : NULL;
	kind = &topic->kinds[i / NR_PATTERNS];
	snprintf(name, sizeof(name), "%s%s", kind->name,
		 pattern_names[i % NR_PATTERNS]);
	made = (struct bench_layout) {
		.name = name, .nr_kinds = 1, .kind = { kind->traits },
	};
	if (i % NR_PATTERNS != ALL)
		made = (struct bench_layout) {
			.name = name, .nr_kinds = 2, .kind = { 0, kind->traits },
			.random = i % NR_PATTERNS == RANDOM,
		};
	return &made;
}

/* Takes the digit of an axis with @n values off the number of a case. */
static unsigned int digit(unsigned int *number, unsigned int n)
{
	unsigned int value;

	if (n < 2)
		return 0;
	value = *number % n;
	*number /= n;
	return value;
}

static bool parse_folio(struct bench *bench, const char *text);

/* The case @number, as a number whose digits are the axes; false: no more. */
static bool set_case(struct bench *bench, const struct topic *topic,
		     unsigned int number)
{
	unsigned int nr_threads = nr_numbers(topic->threads);
	unsigned int nr_pages = nr_numbers(topic->pages);
	unsigned int nr_per_call = nr_numbers(topic->per_call);
	unsigned int i, races;

	if (nr_threads)
		bench->threads = topic->threads[digit(&number, nr_threads)];
	if (nr_pages)
		bench->region.len = psize() *
			(size_t)topic->pages[digit(&number, nr_pages)];
	bench->name_pages = nr_pages > 1;
	bench->touch |= digit(&number, topic->nr_touch);
	bench->by_page |= digit(&number, topic->nr_by_page);
	bench->after_toggle = digit(&number, topic->nr_toggle);
	bench->outcome = digit(&number, topic->nr_outcome);
	if (nr_per_call)
		bench->per_call = topic->per_call[digit(&number, nr_per_call)];
	bench->layout = choose_layout(topic, digit(&number, nr_layouts(topic)));
	i = digit(&number, topic->nr_from);
	if (topic->nr_from)
		bench->from = topic->from[i];
	if (number >= nr_memory(topic))
		return false;
	bench->region.map = topic->memory[number].map;
	if (bench->by_page)
		bench->region.len = BY_PAGE * psize();
	races = bench->by_page ? BY_PAGE_RACES : MAX_RACES;
	if (bench->threads > 1 && bench->rounds > races)
		bench->rounds = races;
	parse_folio(bench, topic->memory[number].folio);
	name_case(bench, topic->memory[number].folio);
	return true;
}

static const struct operation *find_operation(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(operations); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

static int run_paths(const struct bench *asked)
{
	int status = KSFT_SKIP;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		struct bench bench = *asked;

		snprintf(bench.name, sizeof(bench.name), "%s", paths[i].name);
		status = bench_worse(status, run_case(&bench));
	}
	return status;
}

static int run_topic(const struct topic *topic, const struct bench *asked)
{
	int status = KSFT_SKIP;
	struct bench bench;
	unsigned int i;

	for (i = 0; ; i++) {
		bench = *asked;
		bench.topic = topic->name;
		bench.op = find_operation(topic->operation);
		if (!set_case(&bench, topic, i))
			return status;
		if (bench.op->measure == measure_unchanged)
			return run_paths(&bench);
		if (bench.touch && bench.threads < 2)
			continue; /* there are no others to write */
		if (asked->only && !strstr(bench.name, asked->only))
			continue;
		status = bench_worse(status, run_case(&bench));
	}
}

/* Options */

enum {
	OPT_OP, OPT_FROM, OPT_MAP, OPT_FOLIO, OPT_PAGES, OPT_THREADS, OPT_TOUCH,
	OPT_BY_PAGE, OPT_HINT, OPT_TOGGLE, OPT_ROUNDS, OPT_TOPIC, OPT_ONLY, OPT_JSON,
	OPT_TIME, OPT_PAIRS, OPT_HELP, NR_OPTS,
};

static const struct {
	const char *name;
	const char *arg;
	const char *help;
} opts[NR_OPTS] = {
	[OPT_OP] = {
		"op", "mprotect|uffd|numa|cow",
		"what is measured (mprotect)"
	},
	[OPT_FROM] = {
		"from", "ro|none|rwp",
		"the protection that is upgraded (ro); rwp is of uffd"
	},
	[OPT_MAP] = {
		"map", "anon|shared|file|memfd|copied|hugetlb",
		"the memory (anon)"
	},
	[OPT_FOLIO] = {
		"folio", "4k|16k|64k|...|2m|pmd",
		"folio size (4k); 2m is mapped by PTEs, pmd is not"
	},
	[OPT_PAGES] = {
		"pages", "N",
		"size of the memory (512)"
	},
	[OPT_THREADS] = {
		"threads", "N",
		"threads that use the memory, the measuring one included (1)"
	},
	[OPT_TOUCH] = {
		"touch", NULL,
		"the other threads write; otherwise they read"
	},
	[OPT_BY_PAGE] = {
		"by-page", NULL,
		"one call for each page; otherwise one for the range"
	},
	[OPT_HINT] = {
		"hint", "hit|migrated|failed",
		"what becomes of NUMA hints (hit)"
	},
	[OPT_TOGGLE] = {
		"toggle", NULL,
		"cow: an mprotect() down and up before the write"
	},
	[OPT_ROUNDS] = {
		"rounds", "N",
		"repetitions (32; of NUMA hints at most 8)"
	},
	[OPT_TOPIC] = {
		"topic", "NAME",
		"run a fixed set of cases; \"list\" names the topics, \"all\" runs them"
	},
	[OPT_ONLY] = {
		"only", "TEXT",
		"the topic's cases whose names contain this text"
	},
	[OPT_JSON] = {
		"json", NULL,
		"one JSON object per line"
	},
	[OPT_TIME] = {
		"time", NULL,
		"nanoseconds too, and topics of time alone: worth nothing in an emulator"
	},
	[OPT_PAIRS] = {
		"pairs", NULL,
		"numbers of the marker pairs, for an emulator that looks for them"
	},
	[OPT_HELP] = {
		"help", NULL,
		"this text"
	},
};

struct asked {
	struct bench bench;
	const char *folio;
	const char *topic;
	bool help;
};

static void usage(FILE *out)
{
	unsigned int i;

	fputs("write_upgrade_bench [OPTION...]: what does a protection upgrade cost?\n",
	      out);
	for (i = 0; i < NR_OPTS; i++)
		fprintf(out, "  --%s %s\n\t%s\n", opts[i].name,
			opts[i].arg ?: "", opts[i].help);
}

static int find_name(const char * const names[], int n, const char *name)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/* "pmd" is a folio of the size that a PMD maps, mapped by one. */
static bool parse_folio(struct bench *bench, const char *text)
{
	char *end;
	size_t size = strtoul(text, &end, 10);

	bench->region.pmd = !strcmp(text, "pmd");
	if (bench->region.pmd) {
		bench->region.folio = bench->region.map == BENCH_HUGETLB ?
			default_huge_page_size() : read_pmd_pagesize();
		return true;
	}
	bench->region.folio = size << (*end == 'm' ? 20 : 10);
	return size && (!strcmp(end, "k") || !strcmp(end, "m"));
}

static bool parse_number(const char *text, unsigned int max, unsigned int *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = value;
	return *text && !*end && value && value <= max;
}

static bool parse_name(int index, int *value)
{
	*value = index;
	return index >= 0;
}

static bool parse_operation(struct bench *bench, const char *text)
{
	const struct operation *op = find_operation(text);

	bench->op = op;
	return op && op < operations + NR_OPS;
}

static bool parse_pages(struct bench *bench, const char *text)
{
	unsigned int pages;

	if (!parse_number(text, 1 << 22, &pages))
		return false;
	bench->region.len = (size_t)pages * psize();
	return true;
}

/* Options whose argument is a word or a number; true if it is a good one. */
static bool parse_argument(struct asked *asked, int opt, const char *arg)
{
	struct bench *bench = &asked->bench;

	switch (opt) {
	case OPT_OP:
		return parse_operation(bench, arg);
	case OPT_FROM:
		return parse_name(find_name(from_names, NR_FROMS, arg),
				  (int *)&bench->from);
	case OPT_MAP:
		return parse_name(find_name(bench_map_names, BENCH_NR_MAPS, arg),
				  (int *)&bench->region.map);
	case OPT_HINT:
		return parse_name(find_name(outcome_names, NR_OUTCOMES, arg),
				  (int *)&bench->outcome);
	case OPT_PAGES:
		return parse_pages(bench, arg);
	case OPT_THREADS:
		return parse_number(arg, MAX_THREADS, &bench->threads);
	case OPT_ROUNDS:
		return parse_number(arg, BENCH_MAX_SAMPLES, &bench->rounds);
	case OPT_FOLIO:
		asked->folio = arg;
		return parse_folio(bench, arg);
	case OPT_ONLY:
		bench->only = arg;
		return true;
	}
	asked->topic = arg;
	return true;
}

static void set_flag(struct asked *asked, int opt)
{
	bool *flags[NR_OPTS] = {
		[OPT_TOUCH] = &asked->bench.touch,
		[OPT_BY_PAGE] = &asked->bench.by_page,
		[OPT_TOGGLE] = &asked->bench.after_toggle,
		[OPT_JSON] = &bench_json,
		[OPT_TIME] = &show_time,
		[OPT_PAIRS] = &show_pairs,
		[OPT_HELP] = &asked->help,
	};

	*flags[opt] = true;
}

static bool parse_options(struct asked *asked, int argc, char **argv)
{
	struct option options[NR_OPTS + 1] = {};
	int i, opt;

	for (i = 0; i < NR_OPTS; i++)
		options[i] = (struct option) {
			opts[i].name, !!opts[i].arg, NULL, i,
		};
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?')
			return false;
		if (!opts[opt].arg) {
			set_flag(asked, opt);
		} else if (!parse_argument(asked, opt, optarg)) {
			fprintf(stderr, "--%s takes %s, not \"%s\"\n",
				opts[opt].name, opts[opt].arg, optarg);
			return false;
		}
	}
	if (optind < argc)
		fprintf(stderr, "\"%s\" is not an option\n", argv[optind]);
	return optind == argc;
}

/* The program */

static int run_one(struct asked *asked)
{
	struct bench *bench = &asked->bench;

	/* The PMD's size depends on --map, which may have come after --folio. */
	if (bench->region.map == BENCH_HUGETLB && !strcmp(asked->folio, "4k"))
		asked->folio = "pmd";
	parse_folio(bench, asked->folio);
	bench->topic = bench->op->name;
	name_case(bench, asked->folio);
	return run_case(bench);
}

/* Of time alone, in files of their own. */
static const struct bench_topic * const timed_topics[] = {
	&bench_shootdown, &bench_stale, &bench_mprot, &bench_latency,
};

static int run_timed_topic(const struct bench_topic *topic, const struct asked *asked)
{
	if (show_time)
		return topic->run(asked->bench.only);
	bench_skip(topic->name, "all", "it measures time only: ask for --time");
	return KSFT_SKIP;
}

static int run_topics(const struct asked *asked)
{
	bool all = !strcmp(asked->topic, "all"), found = false;
	bool list = !strcmp(asked->topic, "list");
	int status = KSFT_SKIP;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(topics); i++) {
		if (list && (!i || strcmp(topics[i].name, topics[i - 1].name)))
			puts(topics[i].name);
		if (!all && strcmp(asked->topic, topics[i].name))
			continue;
		found = true;
		status = bench_worse(status, run_topic(&topics[i], &asked->bench));
	}
	for (i = 0; i < ARRAY_SIZE(timed_topics); i++) {
		if (list)
			puts(timed_topics[i]->name);
		if (!all && strcmp(asked->topic, timed_topics[i]->name))
			continue;
		found = true;
		status = bench_worse(status, run_timed_topic(timed_topics[i], asked));
	}
	if (!found && !list)
		fprintf(stderr, "there is no topic \"%s\": see --topic list\n",
			asked->topic);
	return list ? KSFT_PASS : found ? status : KSFT_FAIL;
}

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

static unsigned long saved_hugepages;

static void restore_system(void)
{
	numa_restore_settings();
	if (!access(NR_HUGEPAGES, W_OK))
		write_num(NR_HUGEPAGES, saved_hugepages);
}

static void set_system_up(void)
{
	if (geteuid())
		return;
	if (thp_available())
		thp_save_settings();
	numa_save_settings();
	if (!access(NR_HUGEPAGES, W_OK))
		saved_hugepages = read_num(NR_HUGEPAGES);
	atexit(restore_system);
}

/* The same addresses in each run, and so the same page tables. */
static void fix_addresses(char **argv)
{
	int now = personality(0xffffffff);

	if (now & ADDR_NO_RANDOMIZE)
		return;
	if (personality(now | ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	struct asked asked = {
		.bench = {
			.op = &operations[OP_MPROTECT], .threads = 1,
			.rounds = 32,
			.region = { .len = 512UL * psize() },
		},
		.folio = "4k",
	};

	fix_addresses(argv);
	if (!parse_options(&asked, argc, argv) || asked.help) {
		usage(asked.help ? stdout : stderr);
		return asked.help ? KSFT_PASS : KSFT_FAIL;
	}
	bench_init();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return KSFT_FAIL;
	set_system_up();
	bench_mark_run();
	return asked.topic ? run_topics(&asked) : run_one(&asked);
}
