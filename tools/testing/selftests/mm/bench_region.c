// SPDX-License-Identifier: GPL-2.0
/* See bench_region.h. */
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_region.h"
#include "hugepage_settings.h"

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

const char * const bench_map_names[BENCH_NR_MAPS] = {
	[BENCH_ANON] = "anon",
	[BENCH_SHARED] = "shared",
	[BENCH_FILE] = "file",
	[BENCH_MEMFD] = "memfd",
	[BENCH_COPIED] = "copied",
	[BENCH_HUGETLB] = "hugetlb",
};

static char reason[256];

/* A reason why something cannot be done; good until the next one. */
const char *because(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return reason;
}

/* Lets faults make folios of this size only; psize() or less: no large ones. */
static void allow_folios(size_t size)
{
	struct thp_settings settings;
	unsigned int i;

	if (!thp_available())
		return;
	thp_read_settings(&settings);
	settings.thp_enabled = THP_MADVISE;
	settings.shmem_enabled = SHMEM_NEVER;
	for (i = 0; i < NR_ORDERS; i++) {
		bool wanted = i && size == (size_t)psize() << i;

		settings.hugepages[i].enabled = wanted ? THP_MADVISE : THP_NEVER;
		settings.shmem_hugepages[i].enabled =
			wanted ? SHMEM_ADVISE : SHMEM_NEVER;
	}
	thp_write_settings(&settings);
}

static const char *check_size(const struct bench_region *region)
{
	unsigned long orders = region->map == BENCH_ANON ?
		thp_supported_orders() : thp_shmem_supported_orders();
	size_t folio = region->folio;

	if (folio < psize() || folio & (folio - 1))
		return because("a folio cannot have %zu bytes where a page has %u",
			       folio, psize());
	if (region->len % folio)
		return because("%zu bytes are not a multiple of the folio's %zu",
			       region->len, folio);
	if (folio == psize() || region->map == BENCH_HUGETLB ||
	    region->map == BENCH_FILE)
		return NULL;
	if (!(orders & (1UL << sz2ord(folio, psize()))))
		return because("this kernel makes no folios of %zu kB for %s memory",
			       folio >> 10, bench_map_names[region->map]);
	if (region->pmd && folio != read_pmd_pagesize())
		return because("a folio of %zu kB is not mapped by a PMD",
			       folio >> 10);
	return NULL;
}

/* What decides the size of folios, and what shows it. */
static const char *check_rights(void)
{
	if (access("/proc/kpageflags", R_OK))
		return because("/proc/kpageflags cannot be read: run as root");
	if (thp_available() &&
	    access("/sys/kernel/mm/transparent_hugepage/enabled", W_OK))
		return because("the size of folios cannot be set here");
	return NULL;
}

static const char *reserve_hugetlb(struct bench_region *region)
{
	unsigned long size = default_huge_page_size();
	unsigned long nr;

	if (!size || region->folio != size || !region->pmd)
		return because("hugetlb has folios of %lu kB: ask for that, or for pmd",
			       size >> 10);
	if (access(NR_HUGEPAGES, W_OK))
		return because("hugetlb pages cannot be reserved by this user or kernel");
	nr = region->len / size + 1;
	if (read_num(NR_HUGEPAGES) < nr)
		write_num(NR_HUGEPAGES, nr);
	if (read_num(NR_HUGEPAGES) < nr)
		return because("%lu hugetlb pages cannot be reserved", nr);
	return NULL;
}

static int open_backing(const struct bench_region *region)
{
	const char *dir = region->alone ? getenv("WRITE_UPGRADE_DIR") : NULL;
	char name[256];
	int fd = -1;

	snprintf(name, sizeof(name), "%s/write_upgrade_bench.XXXXXX", dir ?: ".");
	if (region->map == BENCH_MEMFD || region->map == BENCH_COPIED) {
		fd = syscall(__NR_memfd_create, "write_upgrade_bench", 0);
	} else if (region->map == BENCH_FILE) {
		fd = mkstemp(name);
		unlink(name);
	}
	if (fd >= 0 && ftruncate(fd, region->mapped)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The size of the rest, if any, and what the region is aligned to. */
static size_t margin(const struct bench_region *region)
{
	return region->folio > HPAGE_SIZE ? region->folio : HPAGE_SIZE;
}

/* An address with a hole on either side: no other mapping can merge with it. */
static char *find_hole(const struct bench_region *region)
{
	size_t align = margin(region), len = region->mapped + 2 * align;
	char *raw = mmap(NULL, len, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (raw == MAP_FAILED)
		return NULL;
	munmap(raw, len);
	return (char *)(((unsigned long)raw + align) & ~(align - 1));
}

static int map_flags(const struct bench_region *region)
{
	switch (region->map) {
	case BENCH_ANON:
		return MAP_PRIVATE | MAP_ANONYMOUS;
	case BENCH_COPIED:
		return MAP_PRIVATE;
	case BENCH_SHARED:
		return MAP_SHARED | MAP_ANONYMOUS;
	case BENCH_HUGETLB:
		return MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE;
	default:
		return MAP_SHARED;
	}
}

static const char *map_hole(struct bench_region *region)
{
	bool backed = region->map == BENCH_FILE || region->map == BENCH_MEMFD ||
		      region->map == BENCH_COPIED;
	int fd;

	region->mapped = region->len + (region->alone ? 0 : margin(region));
	fd = open_backing(region);
	if (backed && fd < 0)
		return because("no file of %zu bytes can be made here",
			       region->mapped);
	region->addr = mmap(find_hole(region), region->mapped,
			    PROT_READ | PROT_WRITE,
			    map_flags(region) | MAP_FIXED_NOREPLACE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (region->addr == MAP_FAILED)
		return because("mmap() of %zu bytes of %s memory failed",
			       region->mapped, bench_map_names[region->map]);
	return NULL;
}

/* Makes PMD-mapped folios PTE-mapped, without splitting the folios. */
static void split_mapping(struct bench_region *region)
{
	size_t i;

	for (i = 0; i < region->len; i += region->folio) {
		char *page = region->addr + i + psize();

		mprotect(page, psize(), PROT_READ);
		mprotect(page, psize(), PROT_READ | PROT_WRITE);
	}
}

/* Afterwards khugepaged leaves the folios as they are. */
static void fill_region(struct bench_region *region)
{
	bool hugetlb = region->map == BENCH_HUGETLB;

	if (!hugetlb) {
		allow_folios(region->folio);
		madvise(region->addr, region->mapped,
			region->folio > psize() ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	}
	/* No reading ahead: that may read large folios. */
	if (region->alone && region->map == BENCH_FILE)
		madvise(region->addr, region->mapped, MADV_RANDOM);
	bench_write_pages(region->addr, region->len, psize());
	if (!hugetlb) {
		allow_folios(0);
		madvise(region->addr, region->mapped, MADV_NOHUGEPAGE);
	}
	if (region->folio == read_pmd_pagesize() && !region->pmd)
		split_mapping(region);
	bench_write_pages(region->addr, region->len, psize());
}

const char *bench_map_region(struct bench_region *region)
{
	const char *why;

	region->uffd = -1;
	why = check_rights();
	if (!why)
		why = check_size(region);
	if (!why && region->map == BENCH_HUGETLB)
		why = reserve_hugetlb(region);
	if (!why)
		why = map_hole(region);
	if (why)
		return why;
	fill_region(region);
	return bench_verify_region(region);
}

size_t bench_thp_size(void)
{
	const size_t size = thp_available() ? read_pmd_pagesize() : 0;

	return size <= BENCH_MAX_FOLIO ? size : 0;
}

static size_t folio_of(enum bench_memory memory)
{
	switch (memory) {
	case BENCH_MTHP:
		return 16 * psize();
	case BENCH_THP:
		return bench_thp_size();
	case BENCH_HUGE:
		return default_huge_page_size();
	default:
		return psize();
	}
}

const char *bench_map_memory(struct bench_region *region, enum bench_memory memory,
			     size_t pages, size_t folios)
{
	const size_t folio = folio_of(memory);

	if (!folio || folio > BENCH_MAX_FOLIO)
		return "no huge pages of up to 4M here";
	if (folios * folio < pages * psize())
		folios = (pages * psize() + folio - 1) / folio;
	*region = (struct bench_region) {
		.map = memory == BENCH_HUGE ? BENCH_HUGETLB :
		       memory == BENCH_SHMEM ? BENCH_MEMFD : BENCH_ANON,
		.folio = folio, .pmd = memory == BENCH_THP || memory == BENCH_HUGE,
		.len = folios * folio,
	};
	return bench_map_region(region);
}

void bench_unmap_region(struct bench_region *region)
{
	if (region->uffd >= 0)
		close(region->uffd);
	munmap(region->addr, region->mapped);
}

/* The number of pages that the kernel says are mapped by a PMD. */
static size_t count_pmd_mapped(const struct bench_region *region, int pagemap)
{
	struct page_region found[64];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (unsigned long)region->addr,
		.end = (unsigned long)region->addr + region->len,
		.vec = (unsigned long)found,
		.vec_len = ARRAY_SIZE(found),
		.category_mask = PAGE_IS_HUGE,
		.return_mask = PAGE_IS_HUGE,
	};
	int n = ioctl(pagemap, PAGEMAP_SCAN, &arg);
	size_t bytes = 0;

	while (n-- > 0)
		bytes += found[n].end - found[n].start;
	return bytes / psize();
}

/* Is the page the one that it should be in a folio of @nr pages? */
static bool in_folio(unsigned long pfn, unsigned long first, size_t index,
		     size_t nr, int kpageflags)
{
	unsigned long compound = KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL;
	unsigned long want = index ? KPF_COMPOUND_TAIL : KPF_COMPOUND_HEAD;
	unsigned long beyond = 0;
	unsigned long flags;

	if (pageflags_get(pfn, kpageflags, &flags))
		return false;
	if (nr == 1)
		return !(flags & compound);
	if (index == nr - 1 && !pageflags_get(pfn + 1, kpageflags, &flags))
		beyond = flags & KPF_COMPOUND_TAIL;
	if (pageflags_get(pfn, kpageflags, &flags))
		return false;
	return (flags & compound) == want && pfn == first + index && !beyond;
}

static const char *verify_folios(const struct bench_region *region, int pagemap,
				 int kpageflags)
{
	size_t i, nr = region->folio / psize();
	unsigned long first = 0;

	for (i = 0; i < region->len / psize(); i++) {
		unsigned long pfn = pagemap_get_pfn(pagemap,
						    region->addr + i * psize());

		if (!(i % nr))
			first = pfn;
		if (pfn == -1UL || !in_folio(pfn, first, i % nr, nr, kpageflags))
			return because("page %zu of the %s memory is not in a folio of %zu kB",
				       i, bench_map_names[region->map],
				       region->folio >> 10);
	}
	return NULL;
}

const char *bench_verify_region(const struct bench_region *region)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	size_t want = region->pmd ? region->len / psize() : 0;
	const char *why = NULL;

	if (pagemap < 0 || kpageflags < 0)
		why = because("/proc/kpageflags cannot be read: run as root");
	if (!why)
		why = verify_folios(region, pagemap, kpageflags);
	if (!why && count_pmd_mapped(region, pagemap) != want)
		why = because("%zu pages are mapped by a PMD, not %zu",
			      count_pmd_mapped(region, pagemap), want);
	close(pagemap);
	close(kpageflags);
	return why;
}

const char *bench_register_uffd_with(struct bench_region *region, unsigned long mode,
				     unsigned long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range = { (unsigned long)region->addr, region->len },
		.mode = mode,
	};

	if (region->map != BENCH_ANON)
		api.features |= UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
	region->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (region->uffd < 0)
		return because("this kernel gives no userfaultfd: %s", strerror(errno));
	if (ioctl(region->uffd, UFFDIO_API, &api))
		return because("userfaultfd lacks one of the features 0x%llx, or this user does",
			       api.features);
	if (ioctl(region->uffd, UFFDIO_REGISTER, &reg))
		return because("userfaultfd does not take %s memory: %s",
			       bench_map_names[region->map], strerror(errno));
	return NULL;
}

const char *bench_register_uffd(struct bench_region *region, unsigned long mode)
{
	return bench_register_uffd_with(region, mode,
					mode & UFFDIO_REGISTER_MODE_RWP ?
					UFFD_FEATURE_RWP :
					UFFD_FEATURE_PAGEFAULT_FLAG_WP);
}

bool bench_uffd_protect(int uffd, const char *addr, size_t len, bool on)
{
	struct uffdio_writeprotect arg = {
		.range = { (unsigned long)addr, len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return !ioctl(uffd, UFFDIO_WRITEPROTECT, &arg);
}
