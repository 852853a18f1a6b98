// SPDX-License-Identifier: GPL-2.0
/*
 * The topic "mprot": protection taken and given back with one thread, in the sizes
 * that libMicro's mprot benchmarks are cited with, with and without a write to each
 * page afterwards; shared, dirty memory toggled whole; and userfaultfd write
 * protection of as much at once. Each has a mapping to itself.
 */
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench_region.h"
#include "bench_timed.h"

#define ROUNDS		1000
#define BUDGET_NS	300000000UL	/* for the rounds of a case */
#define LEAST_ROUNDS	20
#define WARM_UP		5

struct toggle {
	unsigned int pages;
	bool shared, touch, uffd;
	int down;		/* protection */
};

static const struct toggle toggles[] = {
	{ 1, .down = PROT_NONE },
	{ 100, .down = PROT_NONE },
	{ 1000, .down = PROT_NONE },
	{ 1, .down = PROT_NONE, .touch = true },
	{ 100, .down = PROT_NONE, .touch = true },
	{ 1000, .down = PROT_NONE, .touch = true },
	{ 1, .down = PROT_READ },
	{ 8, .down = PROT_READ },
	{ 100, .down = PROT_READ },
	{ 512, .down = PROT_READ },
	{ 1000, .down = PROT_READ },
	{ 1000, .down = PROT_READ, .touch = true },
	{ 1, .down = PROT_READ, .shared = true },
	{ 512, .down = PROT_READ, .shared = true },
	{ 1000, .down = PROT_READ, .shared = true, .touch = true },
	{ 1000, .down = PROT_NONE, .shared = true, .touch = true },
	{ 1, .uffd = true },
	{ 1000, .uffd = true },
	{ 1000, .uffd = true, .touch = true },
	{ 1000, .uffd = true, .shared = true, .touch = true },
};

static struct {
	struct bench_samples downs, ups, touches, trips;
} seen;

static void change(const struct toggle *t, struct bench_region *region, bool up)
{
	int prot = up ? PROT_READ | PROT_WRITE : t->down;

	if (t->uffd ? !bench_uffd_protect(region->uffd, region->addr, region->len, !up) :
		      mprotect(region->addr, region->len, prot))
		bench_failed("changing the protection");
}

static void one_round(const struct toggle *t, struct bench_region *region)
{
	unsigned long at[4];

	at[0] = bench_ticks();
	change(t, region, false);
	at[1] = bench_ticks();
	change(t, region, true);
	at[2] = bench_ticks();
	if (t->touch)
		bench_write_pages(region->addr, region->len, psize());
	at[3] = bench_ticks();
	bench_sample(&seen.downs, at[1] - at[0]);
	bench_sample(&seen.ups, at[2] - at[1]);
	bench_sample(&seen.touches, at[3] - at[2]);
	bench_sample(&seen.trips, at[3] - at[0]);
}

static void measure(const struct bench_case *c)
{
	const struct toggle *t = c->arg;
	struct bench_region region = {
		.map = t->shared ? BENCH_SHARED : BENCH_ANON,
		.folio = psize(), .len = t->pages * psize(), .uffd = -1,
	};
	const unsigned long cost = bench_tick_cost();
	const char *unit = "ns/page", *why = NULL;
	unsigned long end;
	unsigned int i;

	region.addr = bench_plain_memory(region.len, t->shared);
	if (!region.addr)
		bench_cannot("there is not enough memory");
	if (t->uffd)
		why = bench_register_uffd(&region, UFFDIO_REGISTER_MODE_WP);
	if (why)
		bench_cannot(why);
	for (i = 0; i < WARM_UP; i++)
		one_round(t, &region);
	memset(&seen, 0, sizeof(seen));
	end = bench_ns() + BUDGET_NS;
	for (i = 0; i < ROUNDS && (i < LEAST_ROUNDS || bench_ns() < end); i++)
		one_round(t, &region);
	bench_times(c, "down", &seen.downs, cost, t->pages, unit);
	bench_times(c, "up", &seen.ups, cost, t->pages, unit);
	if (t->touch)
		bench_times(c, "touch", &seen.touches, cost, t->pages, unit);
	bench_times(c, "trip", &seen.trips, cost, t->pages, unit);
}

static int run(const char *only)
{
	int status = KSFT_SKIP;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(toggles); i++) {
		const struct toggle *t = &toggles[i];
		struct bench_case c = {
			.topic = "mprot", .measure = measure, .arg = t,
		};

		snprintf(c.name, sizeof(c.name), "%s %s 4k %s pages=%u%s",
			 t->uffd ? "uffd" : "mprotect", t->shared ? "shared" : "anon",
			 t->uffd || t->down == PROT_READ ? "ro" : "none", t->pages,
			 t->touch ? " +touch" : "");
		status = bench_worse(status, bench_run_case(&c, only));
	}
	return status;
}

const struct bench_topic bench_mprot = { "mprot", run };
