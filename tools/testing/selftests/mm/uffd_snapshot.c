// SPDX-License-Identifier: GPL-2.0
/*
 * A snapshot of memory that is being written, as virtual machine monitors take
 * it: the memory is write-protected through userfaultfd, and a monitor thread
 * saves each page when a writer runs into the protection, then lifts the
 * protection of that page. Each lifting is a protection upgrade.
 *
 * The amount of work is fixed: each snapshot saves each page once, because each
 * writer writes to each page, in an order of its own. The program reports what
 * a saved page costs, and fails unless each snapshot is the memory as it was when
 * it was protected.
 *
 * Exit status: 0 measured and right, 1 a snapshot is wrong, 4 cannot be run here.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_counters.h"
#include "bench_region.h"

#define MAX_THREADS	32
#define POLL_MS		20

enum { PAGE_ARMED, PAGE_CLAIMED };

struct options {
	unsigned int writers, monitors, pages, snapshots;
};

static struct options options = {
	.writers = 2, .monitors = 1, .pages = 512, .snapshots = 8,
};

static struct bench_region region = { .map = BENCH_ANON };
static char *saved;
static atomic_uint *state;	/* of each page */
static atomic_uint nr_saved;
static atomic_ulong nr_messages;
static atomic_uint nr_busy;	/* monitors with a message in hand */
static atomic_bool stop_monitors;
static pthread_barrier_t barrier_armed, barrier_written;
static struct bench_metric metric = { .topic = "snapshot", .good = BENCH_LESS };

static void __noreturn unsupported(const char *why)
{
	bench_skip(metric.topic, metric.name, why);
	exit(KSFT_SKIP);
}

static void __noreturn failed(const char *what)
{
	fprintf(stderr, "uffd_snapshot: %s: %s\n", what, strerror(errno));
	exit(KSFT_FAIL);
}

static void protect(size_t offset, size_t len, bool on)
{
	struct uffdio_writeprotect arg = {
		.range = { (unsigned long)region.addr + offset, len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (ioctl(region.uffd, UFFDIO_WRITEPROTECT, &arg))
		failed("UFFDIO_WRITEPROTECT");
}

/*
 * Several writers may wait for one page, each with a message. The monitor that
 * claims the page saves it, and lifting the protection wakes all of them.
 */
static void save_page(size_t page)
{
	size_t offset = page * psize();

	if (atomic_exchange(&state[page], PAGE_CLAIMED) != PAGE_ARMED)
		return;
	memcpy(saved + offset, region.addr + offset, psize());
	protect(offset, psize(), false);
	atomic_fetch_add(&nr_saved, 1);
}

static void read_message(void)
{
	struct uffd_msg msg;

	/* Another monitor may have been quicker. */
	if (read(region.uffd, &msg, sizeof(msg)) != sizeof(msg))
		return;
	if (msg.event != UFFD_EVENT_PAGEFAULT)
		return;
	atomic_fetch_add(&nr_messages, 1);
	save_page((msg.arg.pagefault.address - (unsigned long)region.addr) / psize());
}

static void *monitor(void *cpu)
{
	struct pollfd event = { .fd = region.uffd, .events = POLLIN };

	bench_pin((long)cpu);
	while (!atomic_load(&stop_monitors)) {
		if (poll(&event, 1, POLL_MS) <= 0)
			continue;
		atomic_fetch_add(&nr_busy, 1);
		read_message();
		atomic_fetch_sub(&nr_busy, 1);
	}
	return NULL;
}

/* Each writer begins elsewhere, and goes through all pages. */
static void *writer(void *arg)
{
	unsigned int i, round, self = (long)arg;
	unsigned int first = self * options.pages / options.writers;

	bench_pin(self % bench_nr_cpus());
	for (round = 0; round < options.snapshots; round++) {
		pthread_barrier_wait(&barrier_armed);
		for (i = 0; i < options.pages; i++) {
			size_t page = (first + i) % options.pages;

			region.addr[page * psize() + self] += 1 + page + round;
		}
		pthread_barrier_wait(&barrier_written);
	}
	return NULL;
}

/* FNV-1a, over words */
static unsigned long checksum(const char *addr)
{
	const unsigned long *word = (const unsigned long *)addr;
	unsigned long sum = 14695981039346656037UL;
	size_t i;

	for (i = 0; i < region.len / sizeof(*word); i++) {
		sum ^= word[i];
		sum *= 1099511628211UL;
	}
	return sum;
}

/* One snapshot; false if it is not what the memory was. */
static bool take_snapshot(struct bench_counters *sum, unsigned long *ticks)
{
	static struct bench_counters before, after;
	unsigned long want = checksum(region.addr);
	size_t page;

	for (page = 0; page < options.pages; page++)
		atomic_store(&state[page], PAGE_ARMED);
	memset(saved, 0, region.len);
	atomic_store(&nr_saved, 0);
	bench_read(&before);
	*ticks -= bench_ticks();
	protect(0, region.len, true);
	pthread_barrier_wait(&barrier_armed);
	pthread_barrier_wait(&barrier_written);
	*ticks += bench_ticks();
	bench_read(&after);
	bench_add_delta(sum, &before, &after);
	/*
	 * Writers go on as soon as the protection is lifted. A monitor may have
	 * to count that page yet, or to find that another one has claimed it.
	 */
	while (atomic_load(&nr_busy))
		sched_yield();
	return atomic_load(&nr_saved) == options.pages && checksum(saved) == want;
}

static void start_threads(pthread_t *writers, pthread_t *monitors)
{
	long i;

	for (i = 0; i < options.writers; i++)
		if (pthread_create(&writers[i], NULL, writer, (void *)i))
			failed("pthread_create()");
	for (i = 0; i < options.monitors; i++) {
		long cpu = (options.writers + i) % bench_nr_cpus();

		if (pthread_create(&monitors[i], NULL, monitor, (void *)cpu))
			failed("pthread_create()");
	}
}

static void end_threads(pthread_t *writers, pthread_t *monitors)
{
	unsigned int i;

	for (i = 0; i < options.writers; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&stop_monitors, true);
	for (i = 0; i < options.monitors; i++)
		pthread_join(monitors[i], NULL);
}

static void report(const struct bench_counters *sum, unsigned long ticks)
{
	double pages = (double)options.pages * options.snapshots;

	metric.n = pages;
	metric.metric = "page_messages";
	metric.unit = "faults/page";
	metric.value = atomic_load(&nr_messages) / pages;
	bench_report(&metric);
	metric.metric = "page_ticks";
	metric.unit = "ticks/page";
	metric.value = ticks / pages;
	bench_report(&metric);
	bench_report_counters(&metric, "page", "page", sum, pages);
}

static void set_memory_up(void)
{
	const char *why;

	region.folio = psize();
	region.len = (size_t)options.pages * psize();
	why = bench_map_region(&region);
	if (!why)
		why = bench_register_uffd(&region, UFFDIO_REGISTER_MODE_WP);
	if (why)
		unsupported(why);
	saved = malloc(region.len);
	state = calloc(options.pages, sizeof(*state));
	if (!saved || !state)
		failed("malloc()");
	pthread_barrier_init(&barrier_armed, NULL, options.writers + 1);
	pthread_barrier_init(&barrier_written, NULL, options.writers + 1);
}

static int run(void)
{
	pthread_t writers[MAX_THREADS], monitors[MAX_THREADS];
	static struct bench_counters sum;
	unsigned int i, wrong = 0;
	unsigned long ticks = 0;

	set_memory_up();
	start_threads(writers, monitors);
	for (i = 0; i < options.snapshots; i++)
		wrong += !take_snapshot(&sum, &ticks);
	end_threads(writers, monitors);
	report(&sum, ticks);
	if (!wrong)
		return KSFT_PASS;
	fprintf(stderr, "uffd_snapshot: %u of %u snapshots are not what the memory was\n",
		wrong, options.snapshots);
	return KSFT_FAIL;
}

static const struct {
	char letter;
	unsigned int *value;
	unsigned int max;
	const char *help;
} numbers[] = {
	{ 'w', &options.writers, MAX_THREADS, "threads that write (2)" },
	{ 'm', &options.monitors, MAX_THREADS, "threads that save and unprotect (1)" },
	{ 'p', &options.pages, 1 << 20, "pages (512)" },
	{ 's', &options.snapshots, 1 << 16, "snapshots (8)" },
};

static int usage(int status)
{
	FILE *out = status ? stderr : stdout;
	unsigned int i;

	fputs("uffd_snapshot [OPTION...]: what does a snapshot of memory cost?\n", out);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		fprintf(out, "  -%c N\t%s\n", numbers[i].letter, numbers[i].help);
	fputs("  -j\tone JSON object per line\n  -h\tthis text\n", out);
	return status;
}

static bool parse_number(int letter, const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (numbers[i].letter != letter)
			continue;
		*numbers[i].value = strtoul(text, NULL, 10);
		return *numbers[i].value && *numbers[i].value <= numbers[i].max;
	}
	return false;
}

int main(int argc, char **argv)
{
	static char name[64];
	int opt;

	while ((opt = getopt(argc, argv, "w:m:p:s:jh")) != -1) {
		if (opt == 'h')
			return usage(KSFT_PASS);
		if (opt == 'j')
			bench_json = true;
		else if (opt == '?' || !parse_number(opt, optarg))
			return usage(KSFT_FAIL);
	}
	snprintf(name, sizeof(name), "writers=%u monitors=%u pages=%u%s",
		 options.writers, options.monitors, options.pages,
		 bench_nr_cpus() == 1 ? " 1 CPU" : "");
	metric.name = name;
	bench_init();
	return run();
}
