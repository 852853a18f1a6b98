// SPDX-License-Identifier: GPL-2.0
/* See bench_layout.h. */
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_counters.h"
#include "bench_layout.h"

#define KPF_ZERO_PAGE	BIT_ULL(24)
#define NOT_MAPPED	(BENCH_HOLE | BENCH_SWAPPED)

/* The traits of each page */
static unsigned short traits_of[BENCH_MAX_PAGES];
static size_t nr_pages;

/* The traits that any page has. */
unsigned int bench_traits(const struct bench_layout *layout)
{
	unsigned int i, traits = 0;

	for (i = 0; i < layout->nr_kinds; i++)
		traits |= layout->kind[i];
	return traits;
}

static void choose_kinds(const struct bench_layout *layout)
{
	unsigned short state[3] = { 1, 2, 3 }; /* the same sequence in each run */
	size_t i;

	for (i = 0; i < nr_pages; i++) {
		unsigned long number = layout->random ? nrand48(state) >> 8 : i;

		traits_of[i] = layout->kind[number % layout->nr_kinds];
	}
}

static bool has(size_t page, unsigned int traits)
{
	return traits_of[page] & traits;
}

static char *address(const struct bench_region *region, size_t page)
{
	return region->addr + page * psize();
}

/* Pages with any of these traits, or without all of them. */

static const char *advise(const struct bench_region *region,
			  unsigned int traits, int advice)
{
	size_t i;

	for (i = 0; i < nr_pages; i++)
		if (has(i, traits) && madvise(address(region, i), psize(), advice))
			return because("madvise(%d) is not for this memory: %s",
				       advice, strerror(errno));
	return NULL;
}

static void read_with(const struct bench_region *region, unsigned int traits)
{
	size_t i;

	for (i = 0; i < nr_pages; i++)
		if (has(i, traits))
			FORCE_READ(*address(region, i));
}

static void read_without(const struct bench_region *region, unsigned int traits)
{
	size_t i;

	for (i = 0; i < nr_pages; i++)
		if (!has(i, traits))
			FORCE_READ(*address(region, i));
}

static void write_without(const struct bench_region *region, unsigned int traits)
{
	size_t i;

	for (i = 0; i < nr_pages; i++)
		if (!has(i, traits))
			bench_write_pages(address(region, i), psize(), psize());
}

/* The caller waits for a child that goes on in its place. */
static const char *become_child(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		return NULL;
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return because("fork() failed");
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL);
}

static const char *write_clear_refs(const char *what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, what, 1) == 1;

	close(fd);
	return done ? NULL : because("this kernel has no /proc/PID/clear_refs");
}

/*
 * All entries get old, then those that are to be young are read. Only the accessed
 * bits change: a dirty entry stays dirty, and no entry becomes writable.
 *
 * clear_refs leaves the TLB as it is, and a CPU with an entry in its TLB need not set
 * the accessed bit. fork() flushes all of it, and does nothing else to a region that
 * the child does not get.
 */
static const char *age(const struct bench_region *region)
{
	const char *why = write_clear_refs("1");

	if (why)
		return why;
	if (madvise(region->addr, region->len, MADV_DONTFORK) || !bench_fork_and_exit() ||
	    madvise(region->addr, region->len, MADV_DOFORK))
		return because("the region cannot be kept from a child");
	read_without(region, BENCH_OLD | NOT_MAPPED);
	return NULL;
}

static const char *clear_soft_dirty(const struct bench_region *region)
{
	const char *why;

	if (!softdirty_supported())
		return because("no soft-dirty bit here");
	why = write_clear_refs("4");
	if (!why)
		write_without(region, BENCH_UNDIRTIED);
	return why;
}

static const char *arm(struct bench_region *region)
{
	const char *why = bench_register_uffd(region, UFFDIO_REGISTER_MODE_WP);
	size_t i;

	for (i = 0; !why && i < nr_pages; i++) {
		struct uffdio_writeprotect wp = {
			.range = { (unsigned long)address(region, i), psize() },
			.mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};

		if (has(i, BENCH_ARMED) && ioctl(region->uffd, UFFDIO_WRITEPROTECT, &wp))
			why = because("userfaultfd does not protect a page: %s",
				      strerror(errno));
	}
	return why;
}

/*
 * How an entry gets clean; it is read afterwards. A page of shmem that was written
 * once is dirty for ever, and an entry that maps it writable is made dirty, too: so
 * the page goes. A file system that wants to know of writes maps its page read-only.
 */
static int clean_advice(const struct bench_region *region)
{
	switch (region->map) {
	case BENCH_ANON:
		return MADV_FREE;
	case BENCH_FILE:
		return MADV_DONTNEED;
	default:
		return MADV_REMOVE;
	}
}

/* Entries go, or come back as others. */
static const char *replace_entries(const struct bench_region *region,
				   unsigned int traits)
{
	const unsigned int gone = BENCH_ZERO | BENCH_UNCOPIED | BENCH_HOLE;
	const char *why = advise(region, gone, MADV_DONTNEED);

	if (!why)
		why = advise(region, BENCH_SWAPPED, MADV_PAGEOUT);
	if (!why)
		why = advise(region, BENCH_CLEAN, clean_advice(region));
	if (!why)
		read_with(region, traits & (BENCH_ZERO | BENCH_UNCOPIED | BENCH_CLEAN));
	return why;
}

const char *bench_make_layout(struct bench_region *region,
			      const struct bench_layout *layout)
{
	unsigned int traits = bench_traits(layout);
	const char *why = NULL;

	nr_pages = region->len / psize();
	if (nr_pages > BENCH_MAX_PAGES)
		return because("a layout is for at most %u pages", BENCH_MAX_PAGES);
	choose_kinds(layout);
	if (layout->child)
		why = become_child();
	else if (traits & BENCH_FORKED && !bench_fork_and_exit())
		why = because("fork() failed");
	if (!why && traits & BENCH_FORKED)
		write_without(region, BENCH_FORKED);
	if (!why)
		why = replace_entries(region, traits);
	if (!why && traits & BENCH_UNDIRTIED)
		why = clear_soft_dirty(region);
	if (!why && traits & BENCH_ARMED)
		why = arm(region);
	if (!why && traits & BENCH_OLD)
		why = age(region);
	return why;
}

/* What can be seen of an entry in pagemap and kpageflags. */
static const char *verify_entry(const struct bench_region *region, size_t page,
				unsigned int traits, int pagemap, int kpageflags)
{
	uint64_t entry = pagemap_get_entry(pagemap, address(region, page)), flags = 0;
	bool private = region->map == BENCH_ANON || region->map == BENCH_COPIED;

	if (!(entry & PM_PRESENT) != has(page, NOT_MAPPED))
		return has(page, NOT_MAPPED) ? "is present" : "is not present";
	if (!(entry & PM_SWAP) != !has(page, BENCH_SWAPPED))
		return has(page, BENCH_SWAPPED) ? "was not swapped" : "was swapped";
	if (has(page, NOT_MAPPED))
		return NULL;
	if (traits & BENCH_UNDIRTIED && !(entry & PM_SOFT_DIRTY) != has(page, BENCH_UNDIRTIED))
		return "has the wrong soft-dirty bit";
	if (!(entry & PM_UFFD_WP) == has(page, BENCH_ARMED))
		return "has the wrong uffd-wp bit";
	if (private && !(entry & PM_FILE) == has(page, BENCH_UNCOPIED))
		return "was copied, or not, as it should not";
	pageflags_get(PAGEMAP_PFN(entry), kpageflags, &flags);
	if (!(flags & KPF_ZERO_PAGE) == has(page, BENCH_ZERO))
		return "should or should not be the zero page";
	return NULL;
}

static const char *verify_entries(const struct bench_region *region,
				  unsigned int traits)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	const char *why = NULL;
	size_t i;

	for (i = 0; !why && i < nr_pages; i++) {
		why = verify_entry(region, i, traits, pagemap, kpageflags);
		if (why)
			why = because("page %zu of the layout %s", i, why);
	}
	close(pagemap);
	close(kpageflags);
	return why;
}

/* Pages of the region's VMA that a row of smaps counts. */
static size_t count_pages(const struct bench_region *region, const char *what)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, kb = 0;
	bool inside = false;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%*x ", &start) == 1)
			inside = start == (unsigned long)region->addr;
		if (inside && !strncmp(line, what, strlen(what)))
			kb = strtoul(line + strlen(what), NULL, 10);
	}
	if (file)
		fclose(file);
	return kb * 1024 / psize();
}

/*
 * Accessed and dirty bits of all pages together: to look at a single accessed bit
 * changes it. What is dirty, says smaps, is the page or the entry: of a file whose
 * page is dirty already, only the write faults tell. An architecture that folds the
 * entries of large folios has one accessed bit for several.
 */
static const char *verify_bits(const struct bench_region *region,
			       unsigned int traits)
{
	size_t i, young = 0, dirty = 0, found;

	for (i = 0; i < nr_pages; i++) {
		young += !has(i, BENCH_OLD | BENCH_ZERO | NOT_MAPPED);
		dirty += !has(i, BENCH_CLEAN);
	}
	found = count_pages(region, "Referenced:");
	if (traits & BENCH_OLD && found != young)
		return because("%zu pages were accessed, not %zu", found, young);
	found = count_pages(region, "Private_Dirty:") +
		count_pages(region, "Shared_Dirty:");
	if (traits & BENCH_CLEAN && region->map != BENCH_FILE && found != dirty)
		return because("%zu pages are dirty, not %zu", found, dirty);
	return NULL;
}

const char *bench_verify_layout(const struct bench_region *region,
				const struct bench_layout *layout)
{
	unsigned int traits = bench_traits(layout);
	const char *why = verify_entries(region, traits);

	if (!why && region->folio == psize())
		why = verify_bits(region, traits);
	/* A child copies to small folios, and what comes back is one. */
	if (!why && !layout->child && region->map != BENCH_FILE &&
	    !(traits & (NOT_MAPPED | BENCH_ZERO)))
		why = bench_verify_region(region);
	return why;
}
