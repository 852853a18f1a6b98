/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Layouts: what the entries of a region are like. Memory that was just written has
 * entries that are all alike, and that is the best case. fork(), aging, trackers,
 * MADV_FREE and programs that write to half of what they have leave other entries.
 *
 * A layout is made once. A change of protection and back keeps it, as long as
 * nothing uses the region in between.
 */
#ifndef __BENCH_LAYOUT_H__
#define __BENCH_LAYOUT_H__

#include "bench_region.h"

#define BENCH_MAX_PAGES		8192	/* of a region that has a layout */
#define BENCH_MAX_KINDS		4

/* How an entry differs from one of a page that was just written. */
enum bench_trait {
	BENCH_OLD	= 1 << 0,	/* not accessed */
	BENCH_CLEAN	= 1 << 1,	/* not dirty: only read, or MADV_FREE */
	BENCH_UNDIRTIED	= 1 << 2,	/* the soft-dirty bit is clear */
	BENCH_ARMED	= 1 << 3,	/* userfaultfd traps writes */
	BENCH_ZERO	= 1 << 4,	/* the zero page */
	BENCH_UNCOPIED	= 1 << 5,	/* private, but still the page of the file */
	BENCH_HOLE	= 1 << 6,	/* no entry */
	BENCH_SWAPPED	= 1 << 7,	/* a swap entry */
	BENCH_FORKED	= 1 << 8,	/* fork() since the last write: not exclusive */
};

/*
 * Page i has the traits kind[i % nr_kinds]; where random, those of one of the
 * kinds, chosen by a fixed sequence of pseudo-random numbers.
 */
struct bench_layout {
	const char *name;
	unsigned int kind[BENCH_MAX_KINDS];
	unsigned int nr_kinds;
	bool random;
	bool child;	/* as seen by a child, which writes to what is not "forked" */
};

/*
 * Each returns NULL, or the reason why not in one sentence. The first may go on in
 * a child of the caller; the caller then ends with the child, and as the child does.
 */
const char *bench_make_layout(struct bench_region *region,
			      const struct bench_layout *layout);
const char *bench_verify_layout(const struct bench_region *region,
				const struct bench_layout *layout);

unsigned int bench_traits(const struct bench_layout *layout);

#endif /* __BENCH_LAYOUT_H__ */
