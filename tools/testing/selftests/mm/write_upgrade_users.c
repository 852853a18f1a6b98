// SPDX-License-Identifier: GPL-2.0
/*
 * Test protection upgrades of memory to which others than the instructions of the
 * process write: system calls, signal frames, /proc/pid/mem, io_uring.
 *
 * The invariants:
 *
 * (1) The kernel writes for a process what the process may write, from the return of
 *     the upgrade on, on each CPU, whatever that CPU has in its TLB. (Otherwise a
 *     read() into a page that is writable fails.)
 *
 * (2) It writes nothing else: not to a page that is read-only, and not to one that is
 *     shared with a child, which gets a copy. (Otherwise a process that only holds a
 *     page for reading sees it change.)
 *
 * (3) A page that is pinned is the page that the process maps, also when a fork() came
 *     before the upgrade. (Otherwise a device reads what nobody writes any more.)
 *
 * All hold for each kernel.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"

#define PAGES		40
#define ROUNDS		6

#define OLD		'o'		/* what the pages are filled with */
#define NEW		'n'		/* what is written to them */

#define NR_WAYS		6

#define ASIDE		((struct bench_thread *)NULL)	/* this thread, on this CPU */

static struct bench_region region;
static struct bench_thread other;	/* on another CPU */

/* ---- Protections ---- */

enum operation { MPROTECT, UFFD_WP };

static const char *begin_test(enum bench_memory memory)
{
	bench_init();
	catch_denied_accesses();
	bench_pin(0);
	if (bench_nr_cpus() < 2)
		return "wants two CPUs";
	/* A child gets copies. */
	if (memory == BENCH_HUGE && !hugetlb_setup_default(4))
		return "no huge pages to be had";
	return bench_map_memory(&region, memory, PAGES, 1);
}

static bool change(enum operation op, size_t len, bool down)
{
	if (op == UFFD_WP)
		return bench_uffd_protect(region.uffd, region.addr, len, down);
	return !mprotect(region.addr, len, down ? PROT_READ : PROT_READ | PROT_WRITE);
}

static bool downgrade(enum operation op)
{
	return change(op, region.len, true);
}

static bool upgrade(enum operation op)
{
	return change(op, region.len, false);
}

/* For bench_do(): all pages are in the TLB, for reading or for writing too. */
static void read_all(void *unused)
{
	bench_read_pages(region.addr, region.len, psize());
}

static void fill_all(void *c)
{
	memset(region.addr, *(char *)c, region.len);
}

static bool is_filled(const char *p, size_t len, char c)
{
	return !len || (p[0] == c && !memcmp(p, p + 1, len - 1));
}

static bool fill(struct bench_thread *t, char c)
{
	return bench_do(t, fill_all, &c);
}

/* ---- A child that shares pages, and looks at them when it is told ---- */

struct look {
	const char *p;
	size_t len;
	char c;
	bool same;
};

static void look(void *arg)
{
	struct look *look = arg;

	look->same = is_filled(look->p, look->len, look->c);
}

static int child_looks(void *arg)
{
	look(arg);
	return !((struct look *)arg)->same;
}

/* Does it find c in the len bytes? It ends with 0 if it does. */
static bool start_child(struct bench_child *child, const char *p, size_t len, char c)
{
	struct look look = { p, len, c };

	return bench_start_child(child, child_looks, &look);
}

static bool is_filled_for(struct bench_thread *t, const char *p, size_t len, char c)
{
	struct look l = { p, len, c };

	return bench_do(t, look, &l) && l.same;
}

/* ---- Ways in which the kernel writes ---- */

static char *source;		/* bytes of NEW, of this length: */
static size_t source_len;
static int file = -1, self_mem = -1;
static bool has_writev, is_forced;	/* process_vm_writev(), /proc/self/mem */

/* Each returns how many bytes were written, or an error. */
static long result_of(long result)
{
	return result < 0 ? -errno : result;
}

static long by_read(char *to, size_t len)
{
	return result_of(pread(file, to, len, 0));
}

static long by_receiving(int ends[2], char *to, size_t len)
{
	long result = -EIO;

	/* They hold as much as they take. */
	if (write(ends[1], source, len) >= (long)psize())
		result = result_of(read(ends[0], to, len));
	close(ends[0]);
	close(ends[1]);
	return result;
}

static long by_pipe(char *to, size_t len)
{
	int ends[2];

	return pipe2(ends, O_NONBLOCK) ? -EIO : by_receiving(ends, to, len);
}

static long by_socket(char *to, size_t len)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) ? -EIO :
	       by_receiving(ends, to, len);
}

static long by_process_vm_writev(char *to, size_t len)
{
	const struct iovec from = { source, len }, into = { to, len };

	return result_of(process_vm_writev(getpid(), &from, 1, &into, 1, 0));
}

static long by_proc_mem(char *to, size_t len)
{
	return result_of(pwrite(self_mem, source, len, (uintptr_t)to));
}

static __thread atomic_uintptr_t handler_stack;

static void on_signal(int sig)
{
	handler_stack = (uintptr_t)__builtin_frame_address(0);
}

static void raise_signal(void *unused)
{
	raise(SIGUSR1);
}

/* The frame of a handler. If it cannot be written, SIGSEGV is what comes instead. */
static long by_signal_frame(char *to, size_t len)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	const stack_t stack = { .ss_sp = to, .ss_size = len };
	const stack_t none = { .ss_flags = SS_DISABLE };
	bool raised;

	handler_stack = 0;
	if (sigaction(SIGUSR1, &action, NULL) || sigaltstack(&stack, NULL))
		return -errno;
	raised = try_access(raise_signal, NULL);
	sigaltstack(&none, NULL);
	if (!raised)
		return -EFAULT;
	return handler_stack - (uintptr_t)to < len ? (long)len : -EIO;
}

struct way {
	const char *name;
	long (*write)(char *to, size_t len);
	bool less;		/* may do less than is asked for */
	bool own_bytes;		/* and not what is in source */
	bool forced;		/* where the process itself may not, too */
};

static const struct way ways[NR_WAYS] = {
	{ "read()", by_read },
	{ "read() of a pipe", by_pipe, .less = true },
	{ "read() of a socket", by_socket, .less = true },
	{ "process_vm_writev()", by_process_vm_writev },
	{ "/proc/self/mem", by_proc_mem, .forced = true },
	{ "a signal frame", by_signal_frame, .own_bytes = true },
};

/* From the middle of a page to the middle of another; of another folio, if there is. */
static char *target(void)
{
	const size_t before = region.len > region.folio ? region.folio : region.len / 2;

	return region.addr + before - psize() / 2;
}

static const char *prepare_ways(void)
{
	char *page;

	source_len = 3 * psize();
	if (source_len < getauxval(AT_MINSIGSTKSZ))
		source_len = (getauxval(AT_MINSIGSTKSZ) / psize() + 2) * psize();
	if (target() + source_len >= region.addr + region.len)
		return "a signal frame is too large here";
	source = malloc(source_len);
	file = syscall(__NR_memfd_create, "write_upgrade_users", 0);
	self_mem = open("/proc/self/mem", O_RDWR);
	if (!source || file < 0 || self_mem < 0)
		return "no memfd, or no /proc/self/mem";
	memset(source, NEW, source_len);
	if (pwrite(file, source, source_len, 0) != (long)source_len)
		return "a memfd could not be written";
	has_writev = by_process_vm_writev(source, 1) == 1;
	page = mmap(NULL, psize(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is_forced = by_proc_mem(page, 1) == 1;
	return NULL;
}

/* For bench_do() */
struct kernel_write {
	const struct way *way;
	long result;
};

static void carry_out(void *arg)
{
	struct kernel_write *w = arg;

	w->result = w->way->write(target(), source_len);
}

static long write_by(struct bench_thread *t, const struct way *way)
{
	struct kernel_write w = { .way = way, .result = -ETIME };

	return bench_do(t, carry_out, &w) ? w.result : -ETIME;
}

/* Is what was written in its place, and OLD everywhere else? */
static bool is_written(const struct way *way, long result)
{
	const size_t before = target() - region.addr;
	const size_t written = result < 0 ? 0 : result;
	const size_t after = region.len - before - written;

	return is_filled(region.addr, before, OLD) &&
	       (way->own_bytes || is_filled(target(), written, NEW)) &&
	       is_filled(target() + written, after, OLD);
}

static void __expect_write(struct __test_metadata *_metadata, struct bench_thread *t,
			   const struct way *way, long want, const char *when)
{
	const long result = write_by(t, way);

	EXPECT_TRUE(result == want ||
		    (way->less && result >= (long)psize() && result <= want)) {
		TH_LOG("%s %s, CPU %d: %ld, not %ld", way->name, when, t ? t->cpu : 0,
		       result, want);
	}
	EXPECT_TRUE(is_written(way, result)) {
		TH_LOG("%s %s, CPU %d: other bytes were written than it says", way->name,
		       when, t ? t->cpu : 0);
	}
}

#define expect_write(t, way, want, when)	__expect_write(_metadata, t, way, want, when)

FIXTURE(kernel_writes)
{
	bool ready;
};

FIXTURE_VARIANT(kernel_writes)
{
	enum bench_memory memory;
	enum operation op;
};

FIXTURE_VARIANT_ADD(kernel_writes, anon)
{
	.memory = BENCH_SMALL,
};

FIXTURE_VARIANT_ADD(kernel_writes, anon_uffd_wp)
{
	.memory = BENCH_SMALL,
	.op = UFFD_WP,
};

FIXTURE_VARIANT_ADD(kernel_writes, mthp)
{
	.memory = BENCH_MTHP,
};

FIXTURE_VARIANT_ADD(kernel_writes, thp)
{
	.memory = BENCH_THP,
};

FIXTURE_VARIANT_ADD(kernel_writes, hugetlb)
{
	.memory = BENCH_HUGE,
};

FIXTURE_VARIANT_ADD(kernel_writes, memfd)
{
	.memory = BENCH_SHMEM,
};

FIXTURE_SETUP(kernel_writes)
{
	const char *skip = begin_test(variant->memory);

	if (!skip && variant->op == UFFD_WP)
		skip = bench_register_uffd(&region, UFFDIO_REGISTER_MODE_WP);
	if (!skip)
		skip = prepare_ways();
	if (skip)
		SKIP(return, "%s", skip);
	bench_start_thread(&other, 1);
	self->ready = true;
}

FIXTURE_TEARDOWN(kernel_writes)
{
	if (!self->ready)
		return;
	bench_end_thread(&other);
	bench_unmap_region(&region);
}

/* What the way gives where the process may not write. */
static long denied(const struct way *way)
{
	if (!way->forced)
		return -EFAULT;
	return region.map == BENCH_MEMFD ? -EIO : (long)source_len;
}

/* By a thread that has a TLB entry of what was allowed before, each time. */
static void try_way(struct __test_metadata *_metadata, enum operation op,
		    struct bench_thread *t, const struct way *way)
{
	ASSERT_TRUE(fill(t, OLD));
	ASSERT_TRUE(downgrade(op));
	/* It would wait for us to lift the protection of userfaultfd. */
	if (op == MPROTECT)
		expect_write(t, way, denied(way), "to read-only pages");
	ASSERT_TRUE(bench_do(t, read_all, NULL));
	if (op == MPROTECT && way->forced) {
		ASSERT_TRUE(upgrade(op));
		ASSERT_TRUE(fill(t, OLD));
		ASSERT_TRUE(downgrade(op));
		ASSERT_TRUE(bench_do(t, read_all, NULL));
	}
	ASSERT_TRUE(upgrade(op));
	expect_write(t, way, source_len, "after an upgrade");
}

static void try_way_everywhere(struct __test_metadata *_metadata, enum operation op,
			       const struct way *way)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		try_way(_metadata, op, ASIDE, way);
		try_way(_metadata, op, &other, way);
	}
}

/*
 * With a bug, the call fails with EFAULT on the CPU that has a read-only TLB entry; or
 * it writes to a read-only page on the one that has a writable entry.
 */
TEST_F(kernel_writes, read)
{
	try_way_everywhere(_metadata, variant->op, &ways[0]);
}

TEST_F(kernel_writes, pipe)
{
	try_way_everywhere(_metadata, variant->op, &ways[1]);
}

TEST_F(kernel_writes, socket)
{
	try_way_everywhere(_metadata, variant->op, &ways[2]);
}

TEST_F(kernel_writes, process_vm_writev)
{
	if (!has_writev)
		SKIP(return, "no process_vm_writev() in this kernel, or not permitted");
	try_way_everywhere(_metadata, variant->op, &ways[3]);
}

/* With a bug, a forced write fails, or the process does not see what it wrote. */
TEST_F(kernel_writes, proc_mem)
{
	if (!is_forced)
		SKIP(return, "this kernel does not let /proc/self/mem write to read-only pages");
	try_way_everywhere(_metadata, variant->op, &ways[4]);
}

/*
 * x86 writes a part of the frame with page faults disabled. With a bug, the thread gets
 * SIGSEGV and not its signal.
 */
TEST_F(kernel_writes, signal_frame)
{
	try_way_everywhere(_metadata, variant->op, &ways[5]);
}

/* With a bug, a call goes on where the upgrade has ended. */
TEST_F(kernel_writes, half_upgraded)
{
	const size_t half = target() + source_len / 2 - region.addr;
	const size_t edge = half & ~((size_t)psize() - 1);
	unsigned int i;
	long result;

	if (region.pmd)
		SKIP(return, "a part of a folio is not mapped by a PMD");
	if (variant->op == UFFD_WP)
		SKIP(return, "userfaultfd would let the call wait");
	for (i = 0; i < 2 * NR_WAYS; i++) {
		struct bench_thread *t = i % 2 ? &other : ASIDE;
		const struct way *way = &ways[i / 2];

		if (way->forced)
			continue;
		ASSERT_TRUE(upgrade(MPROTECT));
		ASSERT_TRUE(fill(t, OLD));
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(bench_do(t, read_all, NULL));
		ASSERT_TRUE(change(MPROTECT, edge, false));
		result = write_by(t, way);
		EXPECT_LE(result, (long)(region.addr + edge - target())) {
			TH_LOG("%s: %ld bytes, CPU %d", way->name, result, t ? t->cpu : 0);
		}
		/* What it wrote before it met the edge counts only if it says so. */
		EXPECT_TRUE(is_filled(region.addr + edge, region.len - edge, OLD)) {
			TH_LOG("%s: beyond what was upgraded, CPU %d", way->name,
			       t ? t->cpu : 0);
		}
	}
}

/*
 * The pages are shared with a child when they are upgraded. With a bug, the kernel
 * writes to the page of the child instead of making a copy.
 */
TEST_F(kernel_writes, shared_with_child)
{
	const bool shared = region.map == BENCH_MEMFD;
	struct bench_child child;
	unsigned int i;
	long result;

	for (i = 0; i < 2 * NR_WAYS; i++) {
		struct bench_thread *t = i % 2 ? &other : ASIDE;
		const struct way *way = &ways[i / 2];

		if ((shared && way->own_bytes) ||
		    (way->write == by_process_vm_writev && !has_writev))
			continue;
		ASSERT_TRUE(fill(t, OLD));
		ASSERT_TRUE(start_child(&child, target(), psize(), shared ? NEW : OLD));
		ASSERT_TRUE(downgrade(variant->op));
		ASSERT_TRUE(bench_do(t, read_all, NULL));
		ASSERT_TRUE(upgrade(variant->op));
		result = write_by(t, way);
		EXPECT_GE(result, (long)psize()) {
			TH_LOG("%s after an upgrade, CPU %d", way->name, t ? t->cpu : 0);
		}
		EXPECT_TRUE(is_written(way, result));
		EXPECT_EQ(bench_end_child(&child), 0) {
			TH_LOG("%s: the child sees %s of its parent, CPU %d", way->name,
			       shared ? "nothing" : "the page", t ? t->cpu : 0);
		}
	}
}

/*
 * A forced write to pages that are read-only, and shared with a child. With a bug, it
 * writes to what the child sees.
 */
TEST_F(kernel_writes, forced_while_shared)
{
	const struct way *way = &ways[4];
	struct bench_child child;
	unsigned int i;

	if (region.map == BENCH_MEMFD)
		SKIP(return, "no forced writes to shared memory");
	if (variant->op == UFFD_WP)
		SKIP(return, "userfaultfd would let the call wait");
	if (!is_forced)
		SKIP(return, "this kernel does not let /proc/self/mem write to read-only pages");
	for (i = 0; i < ROUNDS; i++) {
		struct bench_thread *t = i % 2 ? &other : ASIDE;

		ASSERT_TRUE(fill(t, OLD));
		/* Once read-only when they become shared, once shared before. */
		ASSERT_TRUE(i % 4 < 2 || downgrade(MPROTECT));
		ASSERT_TRUE(start_child(&child, region.addr, region.len, OLD));
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(bench_do(t, read_all, NULL));
		expect_write(t, way, source_len, "to read-only pages, shared");
		/* ... of which those become writable that have become copies. */
		ASSERT_TRUE(upgrade(MPROTECT));
		ASSERT_TRUE(fill(t, NEW));
		EXPECT_EQ(bench_end_child(&child), 0) {
			TH_LOG("the child sees what was written");
		}
	}
}

/* ---- Pinned pages: buffers that a ring has registered ---- */

struct ring {
	int fd;
	atomic_uint *sq_tail, *cq_head, *cq_tail;
	unsigned int *sq_array, sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static struct ring ring;

static const char *open_ring(void)
{
	struct io_uring_params p = {};
	size_t len;
	char *rings;

	ring.fd = syscall(__NR_io_uring_setup, 4, &p);
	if (ring.fd < 0)
		return "no io_uring here, or not permitted";
	if (!(p.features & IORING_FEAT_SINGLE_MMAP))
		return "this io_uring has two mappings for its rings";
	len = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (len < p.sq_off.array + p.sq_entries * sizeof(unsigned int))
		len = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	rings = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		     ring.fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe),
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
			 IORING_OFF_SQES);
	if (rings == MAP_FAILED || ring.sqes == MAP_FAILED)
		return "the rings of io_uring could not be mapped";
	ring.sq_tail = (void *)(rings + p.sq_off.tail);
	ring.sq_array = (void *)(rings + p.sq_off.array);
	ring.sq_mask = *(unsigned int *)(rings + p.sq_off.ring_mask);
	ring.cq_head = (void *)(rings + p.cq_off.head);
	ring.cq_tail = (void *)(rings + p.cq_off.tail);
	ring.cq_mask = *(unsigned int *)(rings + p.cq_off.ring_mask);
	ring.cqes = (void *)(rings + p.cq_off.cqes);
	return NULL;
}

/* IORING_OP_READ_FIXED or IORING_OP_WRITE_FIXED, of the only buffer that there is. */
static long ring_do(int op, char *addr, size_t len)
{
	const unsigned int tail = *ring.sq_tail, head = *ring.cq_head;
	const unsigned int slot = tail & ring.sq_mask;

	ring.sqes[slot] = (struct io_uring_sqe) {
		.opcode = op, .fd = file, .addr = (uintptr_t)addr, .len = len,
	};
	ring.sq_array[slot] = slot;
	atomic_store(ring.sq_tail, tail + 1);
	if (syscall(__NR_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	if (atomic_load(ring.cq_tail) == head)
		return -ETIME;
	len = ring.cqes[head & ring.cq_mask].res;
	atomic_store(ring.cq_head, head + 1);
	return (int)len;
}

FIXTURE(fixed_buffer)
{
	bool ready;
	char *buffer;		/* begins and ends in the middle of a folio */
	size_t len;
	char *data;		/* of the file */
};

FIXTURE_VARIANT(fixed_buffer)
{
	enum bench_memory memory;
};

FIXTURE_VARIANT_ADD(fixed_buffer, anon)
{
	.memory = BENCH_SMALL,
};

FIXTURE_VARIANT_ADD(fixed_buffer, mthp)
{
	.memory = BENCH_MTHP,
};

FIXTURE_VARIANT_ADD(fixed_buffer, thp)
{
	.memory = BENCH_THP,
};

FIXTURE_VARIANT_ADD(fixed_buffer, hugetlb)
{
	.memory = BENCH_HUGE,
};

FIXTURE_VARIANT_ADD(fixed_buffer, memfd)
{
	.memory = BENCH_SHMEM,
};

FIXTURE_SETUP(fixed_buffer)
{
	const char *skip = begin_test(variant->memory);
	struct iovec buffer;

	if (!skip)
		skip = open_ring();
	if (skip)
		SKIP(return, "%s", skip);
	self->buffer = region.addr + 3 * psize();
	self->len = region.len - 6 * psize();
	self->data = malloc(self->len);
	file = syscall(__NR_memfd_create, "write_upgrade_users", 0);
	ASSERT_GE(file, 0);
	ASSERT_NE(self->data, NULL);
	fill(ASIDE, OLD);
	buffer = (struct iovec) { self->buffer, self->len };
	if (syscall(__NR_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1))
		SKIP(return, "the buffer could not be registered: %s", strerror(errno));
	bench_start_thread(&other, 1);
	self->ready = true;
}

FIXTURE_TEARDOWN(fixed_buffer)
{
	if (!self->ready)
		return;
	bench_end_thread(&other);
	close(ring.fd);
	bench_unmap_region(&region);
}

/* What t writes the ring reads, and what the ring writes all read. */
static void exchange(struct __test_metadata *_metadata,
		     FIXTURE_DATA(fixed_buffer) * self, struct bench_thread *t, char c)
{
	ASSERT_TRUE(fill(t, c));
	ASSERT_EQ(ring_do(IORING_OP_WRITE_FIXED, self->buffer, self->len), (long)self->len);
	ASSERT_EQ(pread(file, self->data, self->len, 0), (ssize_t)self->len);
	EXPECT_TRUE(is_filled(self->data, self->len, c)) {
		TH_LOG("the ring reads other pages than CPU %d writes", t ? t->cpu : 0);
	}

	memset(self->data, c + 1, self->len);
	ASSERT_EQ(pwrite(file, self->data, self->len, 0), (ssize_t)self->len);
	ASSERT_EQ(ring_do(IORING_OP_READ_FIXED, self->buffer, self->len), (long)self->len);
	EXPECT_TRUE(is_filled_for(ASIDE, self->buffer, self->len, c + 1)) {
		TH_LOG("the ring writes to other pages than the process maps");
	}
	EXPECT_TRUE(is_filled_for(&other, self->buffer, self->len, c + 1)) {
		TH_LOG("CPU 1 reads other pages than the ring writes");
	}
}

/*
 * A fork(), then an upgrade, then writes. With a bug, the fork() leaves the pinned page
 * to the child, or the upgrade makes the wrong one writable.
 */
TEST_F(fixed_buffer, fork_and_upgrade)
{
	const bool shared = region.map == BENCH_MEMFD;
	struct bench_child child;
	unsigned int i;
	char c;

	for (i = 0, c = 'a'; i < 3; i++, c += 4) {
		ASSERT_TRUE(fill(&other, c));
		/* Once while the pages are read-only. */
		ASSERT_TRUE(i != 1 || downgrade(MPROTECT));
		ASSERT_TRUE(start_child(&child, self->buffer, self->len, shared ? c + 3 : c));
		ASSERT_TRUE(downgrade(MPROTECT));
		ASSERT_TRUE(bench_do(&other, read_all, NULL));
		ASSERT_TRUE(upgrade(MPROTECT));
		exchange(_metadata, self, i == 2 ? ASIDE : &other, c + 2);
		EXPECT_EQ(bench_end_child(&child), 0) {
			TH_LOG("the child sees what it must not, or not what it must");
		}
	}
}

/* The other way round. With a bug, the upgrade is what the fork() forgets. */
TEST_F(fixed_buffer, upgrade_and_fork)
{
	const bool shared = region.map == BENCH_MEMFD;
	struct bench_child child;

	ASSERT_TRUE(downgrade(MPROTECT));
	ASSERT_TRUE(bench_do(&other, read_all, NULL));
	ASSERT_TRUE(upgrade(MPROTECT));
	ASSERT_TRUE(fill(&other, 'a'));
	ASSERT_TRUE(start_child(&child, self->buffer, self->len, shared ? 'd' : 'a'));
	exchange(_metadata, self, &other, 'c');
	EXPECT_EQ(bench_end_child(&child), 0);
	exchange(_metadata, self, ASIDE, 'e');
}

/*
 * What was pinned while it could be written is written to while it is read-only. With
 * a bug, the process does not see it, or the upgrade makes it see other pages.
 */
TEST_F(fixed_buffer, written_while_read_only)
{
	memset(self->data, NEW, self->len);
	ASSERT_EQ(pwrite(file, self->data, self->len, 0), (ssize_t)self->len);
	ASSERT_TRUE(downgrade(MPROTECT));
	ASSERT_TRUE(bench_do(&other, read_all, NULL));
	ASSERT_EQ(ring_do(IORING_OP_READ_FIXED, self->buffer, self->len), (long)self->len);
	EXPECT_TRUE(is_filled_for(&other, self->buffer, self->len, NEW));
	ASSERT_TRUE(upgrade(MPROTECT));
	EXPECT_TRUE(is_filled_for(ASIDE, self->buffer, self->len, NEW));
	exchange(_metadata, self, &other, 'e');
}

int main(int argc, char **argv)
{
	if (!geteuid())
		hugepage_save_settings(thp_available(), hugetlb_available());
	return test_harness_run(argc, argv);
}
