/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory for the benchmarks of protection upgrades: a mapping whose folios have
 * the size that was asked for. That is made certain, not hoped for: each page is
 * looked up in /proc/self/pagemap and /proc/kpageflags.
 *
 * The region is the first part of a larger mapping, the rest of which is never
 * touched: as in programs that protect a part of their heap, changing the
 * protection splits the VMA, and changing it back merges it again. Or it is alone:
 * all of its mapping, so that nothing but its entries is changed.
 */
#ifndef __BENCH_REGION_H__
#define __BENCH_REGION_H__

#include <stdbool.h>
#include <stddef.h>

#include "vm_util.h" /* has no guard: include it here only */

enum bench_map {
	BENCH_ANON,		/* private */
	BENCH_SHARED,		/* shared, anonymous */
	BENCH_FILE,		/* shared, an unlinked file, see bench_map_region() */
	BENCH_MEMFD,		/* shared */
	BENCH_COPIED,		/* private, of a memfd: a written page is a copy */
	BENCH_HUGETLB,		/* private */
	BENCH_NR_MAPS,
};

struct bench_region {
	enum bench_map map;
	size_t folio;		/* bytes */
	bool pmd;		/* mapped by page-directory entries */
	size_t len;		/* bytes */
	bool alone;		/* there is no more of the mapping */
	char *addr;
	size_t mapped;		/* bytes of the mapping that it is a part of */
	int uffd;		/* when registered, else -1 */
};

/* Tests do without larger pages: the guests have little memory. */
#define BENCH_MAX_FOLIO	(4UL << 20)

/* Bytes of a huge page that a PMD maps, not of hugetlb; 0: none that tests can have. */
size_t bench_thp_size(void);

/* Memory of each kind that protections are changed of, writable. */
enum bench_memory {
	BENCH_SMALL,		/* private, small folios */
	BENCH_MTHP,		/* private, folios of 16 pages */
	BENCH_THP,		/* private, folios that are mapped by a PMD */
	BENCH_HUGE,		/* private, hugetlb */
	BENCH_SHMEM,		/* shared, small folios */
};

extern const char * const bench_map_names[BENCH_NR_MAPS];

/*
 * Each returns NULL, or the reason why not in one sentence. A file is made in the
 * directory that the environment variable WRITE_UPGRADE_DIR names, if the region is
 * alone, else in the current one.
 */
__printf(1, 2) const char *because(const char *format, ...);
const char *bench_map_region(struct bench_region *region);
/* At least so many pages, which is at least so many folios. */
const char *bench_map_memory(struct bench_region *region, enum bench_memory memory,
			     size_t pages, size_t folios);
const char *bench_verify_region(const struct bench_region *region);
const char *bench_register_uffd(struct bench_region *region, unsigned long mode);
const char *bench_register_uffd_with(struct bench_region *region, unsigned long mode,
				     unsigned long features);

void bench_unmap_region(struct bench_region *region);

/* Write-protect a part of what is registered, or lift that. */
bool bench_uffd_protect(int uffd, const char *addr, size_t len, bool on);

static inline void bench_read_pages(const char *addr, size_t len, size_t step)
{
	size_t i;

	for (i = 0; i < len; i += step)
		FORCE_READ(addr[i]);
}

static inline void bench_write_pages(char *addr, size_t len, size_t step)
{
	size_t i;

	for (i = 0; i < len; i += step) {
		addr[i] = 1;
		asm volatile("" : : : "memory"); /* each store is made */
	}
}

#endif /* __BENCH_REGION_H__ */
