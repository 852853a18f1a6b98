// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel must do about TLB entries that the page table has overtaken,
 * seen with the emulator that keeps them (vm/qemu/stale-tlb.patch), whose
 * counters this program reads. Two threads, each on a CPU of its own: "here"
 * changes the page table, "there" has old translations and accesses the pages.
 * Prints TAP. Other emulators and real CPUs have no such counters.
 *
 * "stale_tlb PROGRAM ARGUMENT..." runs a program and says what was counted meanwhile.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES 64
#define HUGE (2UL << 20)
#define HERE 0
#define THERE 1

struct counts {
	unsigned int write_faults, fetch_faults, kept;
	unsigned int contiguous, overtaken, moved;	/* conflicts, arm64 */
};

enum op { READ, WRITE, RUN, END };

static size_t page_size;
static int nr, failures;
static pthread_t thread;

/* What "there" is asked to do with each page, and what came of it. */
static struct job {
	enum op op;
	char *addr;
	int pages;
	size_t step;
	unsigned int signals, wrong;
	unsigned int posted, finished;	/* numbers of jobs */
} job;
static bool away;	/* "there" sleeps when it has nothing to do */
static __thread sigjmp_buf *on_signal;

static void on_fault(int sig)
{
	if (!on_signal && sig == SIGALRM)
		return;
	if (!on_signal)
		_exit(100 + sig);
	siglongjmp(*on_signal, sig);
}

/* The sums of all CPUs; false where they do not exist. */
static bool read_counts(struct counts *c)
{
	sigjmp_buf env;
	unsigned long w = 0, f = 0, k = 0, n = 0, o = 0, m = 0;

	on_signal = &env;
	if (sigsetjmp(env, 1)) {
		on_signal = NULL;
		return false;
	}
#if defined(__x86_64__)
	unsigned int a = 0x40000000, b, x = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(x), "=d"(d));
	if (a >= 0x40000002 && b == 0x54474354) {	/* "TCGT" */
		a = 0x40000002;
		x = 0;
		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(x), "=d"(d));
		w = a, f = b, k = x;
	} else {
		on_signal = NULL;
		return false;
	}
#elif defined(__aarch64__)
	asm volatile("mrs %0, S3_3_C11_C0_0" : "=r"(w));
	asm volatile("mrs %0, S3_3_C11_C0_1" : "=r"(f));
	asm volatile("mrs %0, S3_3_C11_C0_2" : "=r"(k));
	asm volatile("mrs %0, S3_3_C11_C0_3" : "=r"(n));
	asm volatile("mrs %0, S3_3_C11_C0_4" : "=r"(o));
	asm volatile("mrs %0, S3_3_C11_C0_5" : "=r"(m));
#endif
	on_signal = NULL;
	*c = (struct counts){ w, f, k, n, o, m };
	return true;
}

static struct counts since(struct counts before)
{
	struct counts now;

	read_counts(&now);
	return (struct counts){ now.write_faults - before.write_faults,
				now.fetch_faults - before.fetch_faults,
				now.kept - before.kept,
				now.contiguous - before.contiguous,
				now.overtaken - before.overtaken,
				now.moved - before.moved };
}

static void result(bool ok, const char *name, const char *fmt, ...)
{
	va_list args;

	printf("# %s: ", name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n%sok %d %s\n", ok ? "" : "not ", ++nr, name);
	failures += !ok;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* The code of a function that returns 7. */
static void put_code(char *addr)
{
#if defined(__x86_64__)
	static const uint8_t code[] = { 0xb8, 7, 0, 0, 0, 0xc3 };
#elif defined(__aarch64__)
	static const uint32_t code[] = { 0x528000e0, 0xd65f03c0 };
#endif
	memcpy(addr, code, sizeof(code));
	__builtin___clear_cache(addr, addr + sizeof(code));
}

static void access_page(enum op op, volatile char *page, int i)
{
	if (op == READ)
		job.wrong += *page != i;
	else if (op == WRITE)
		*page = i + 1;
	else
		job.wrong += ((int (*)(void))page)() != 7;
}

static void *there(void *unused)
{
	sigjmp_buf env;
	volatile unsigned int n = 0;
	volatile int i;
	int sig;

	run_on(THERE);
	for (;;) {
		while (__atomic_load_n(&job.posted, __ATOMIC_ACQUIRE) == n) {
			if (__atomic_load_n(&away, __ATOMIC_RELAXED))
				usleep(1000);
			else
				sched_yield();
		}
		n++;
		if (job.op == END)
			return NULL;
		on_signal = &env;
		for (i = 0; i < job.pages; i++) {
			sig = sigsetjmp(env, 1);
			if (!sig) {
				access_page(job.op, job.addr + i * job.step, i);
				continue;
			}
			job.signals++;
			if (sig == SIGALRM)
				break;
		}
		on_signal = NULL;
		__atomic_store_n(&job.finished, n, __ATOMIC_RELEASE);
	}
}

/* An access that faults for ever is ended by a signal. */
static void let_there_step(enum op op, char *addr, int pages, size_t step)
{
	time_t end = time(NULL) + 20;
	unsigned int n = job.posted + 1;

	job.op = op;
	job.addr = addr;
	job.pages = pages;
	job.step = step;
	job.signals = job.wrong = 0;
	__atomic_store_n(&job.posted, n, __ATOMIC_RELEASE);
	while (op != END && __atomic_load_n(&job.finished, __ATOMIC_ACQUIRE) != n) {
		sched_yield();
		if (time(NULL) > end) {
			printf("# an access has not ended in 20 seconds\n");
			pthread_kill(thread, SIGALRM);
			end += 20;
		}
	}
}

static void let_there(enum op op, char *addr)
{
	let_there_step(op, addr, PAGES, page_size);
}

/* PAGES private pages, each with its number in its first byte. */
static char *map(void)
{
	char *addr = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < PAGES; i++)
		addr[i * page_size] = i;
	return addr;
}

static void protect(char *addr, int prot)
{
	if (mprotect(addr, PAGES * page_size, prot))
		die("mprotect");
}

static void unmap(char *addr)
{
	munmap(addr, PAGES * page_size);
}

/* The kernel does not flush other CPUs when a write fault reuses a page. */
static void reused_after_fork(void)
{
	struct counts before, n;
	char *addr = map();
	pid_t child = fork();

	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	let_there(READ, addr);
	for (int i = 0; i < PAGES; i++)
		addr[i * page_size] = i;
	read_counts(&before);
	let_there(WRITE, addr);
	n = since(before);
	result(n.write_faults > 0 && !job.signals, __func__,
	       "%u spurious write faults, all repaired, on %d pages",
	       n.write_faults, PAGES);
	unmap(addr);
}

/* The same with a huge page: also that fault must end. */
static void hugetlb_after_fork(void)
{
	char *addr = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	struct counts before, n;
	pid_t child;

	if (addr == MAP_FAILED) {
		printf("ok %d %s # SKIP no free huge page\n", ++nr, __func__);
		return;
	}
	*addr = 0;
	child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	let_there_step(READ, addr, 1, HUGE);
	*addr = 0;
	read_counts(&before);
	let_there_step(WRITE, addr, 1, HUGE);
	n = since(before);
	result(*addr == 1 && !job.signals, __func__,
	       "%u spurious write faults on one huge page", n.write_faults);
	munmap(addr, HUGE);
}

/* One fault per CPU and upgrade is the most that there may be. */
static void read_only_to_writable(void)
{
	struct counts before, n;
	char *addr = map();

	protect(addr, PROT_READ);
	let_there(READ, addr);
	protect(addr, PROT_READ | PROT_WRITE);
	read_counts(&before);
	let_there(WRITE, addr);
	n = since(before);
	result(n.write_faults <= 1 && !job.signals, __func__,
	       "%u spurious write faults on %d pages, %u signals",
	       n.write_faults, PAGES, job.signals);
	unmap(addr);
}

static char *map_code(void)
{
	char *addr = map();

	for (int i = 0; i < PAGES; i++)
		put_code(addr + i * page_size);
	return addr;
}

static void data_to_code(void)
{
	struct counts before, n;
	char *addr = map_code();

	protect(addr, PROT_READ);
	let_there(READ, addr);
	protect(addr, PROT_READ | PROT_EXEC);
	read_counts(&before);
	let_there(RUN, addr);
	n = since(before);
	result(n.fetch_faults <= 1 && !job.signals && !job.wrong, __func__,
	       "%u spurious fetch faults on %d pages, %u signals",
	       n.fetch_faults, PAGES, job.signals);
	unmap(addr);
}

static void writable_to_read_only(void)
{
	char *addr = map();

	let_there(WRITE, addr);
	protect(addr, PROT_READ);
	let_there(WRITE, addr);
	result(job.signals == PAGES, __func__, "%u of %d writes refused",
	       job.signals, PAGES);
	unmap(addr);
}

static void code_to_data(void)
{
	char *addr = map_code();

	protect(addr, PROT_READ | PROT_EXEC);
	let_there(RUN, addr);
	protect(addr, PROT_READ);
	let_there(RUN, addr);
	result(job.signals == PAGES, __func__, "%u of %d calls refused",
	       job.signals, PAGES);
	unmap(addr);
}

static void other_pages(void)
{
	char *addr = map();
	unsigned int old;

	let_there(READ, addr);
	madvise(addr, PAGES * page_size, MADV_DONTNEED);
	let_there(READ, addr);	/* page 0 was 0 before */
	old = PAGES - 1 - job.wrong;
	result(!old && !job.signals, __func__,
	       "%u of %d pages read after they were dropped", old, PAGES);
	unmap(addr);
}

/* The same while another process runs there: the entries have another tag. */
static void while_away(void)
{
	char *addr = map();
	int ready[2], c = 0;
	pid_t child;

	let_there(WRITE, addr);
	if (pipe(ready))
		die("pipe");
	child = fork();
	if (!child) {
		run_on(THERE);
		if (write(ready[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			c++;
	}
	if (read(ready[0], &c, 1) != 1)
		die("read");
	usleep(50000);
	for (int i = 0; i < PAGES; i++)
		addr[i * page_size] = i;
	let_there(WRITE, addr);
	away = true;
	usleep(50000);
	protect(addr, PROT_READ);
	let_there(WRITE, addr);
	away = false;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	result(job.signals == PAGES, __func__, "%u of %d writes refused",
	       job.signals, PAGES);
	unmap(addr);
}

/*
 * Runs of pages that have become read-only by halves, and writable as a whole: arm64
 * folds them then. No CPU may have translations of pages left.
 */
static void folded_again(void)
{
	const size_t run = page_size == 4096 ? 65536 : 2UL << 20, len = 2 * run;
	const int pages = len / page_size;
	struct counts before, n;
	unsigned int wrong = 0;
	char *raw, *addr;

#ifndef __aarch64__
	printf("ok %d %s # SKIP only arm64 has a contiguous bit\n", ++nr, __func__);
	return;
#endif
	raw = mmap(NULL, len + run, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		die("mmap");
	addr = (char *)(((unsigned long)raw + run - 1) & -run);
	madvise(addr, len, MADV_HUGEPAGE);
	for (int i = 0; i < pages; i++)
		addr[i * page_size] = i / 2;
	read_counts(&before);
	for (size_t half = 0; half < len; half += run / 2) {
		if (mprotect(addr + half, run / 2, PROT_READ))
			die("mprotect");
	}
	for (int i = 0; i < pages; i += 2)
		wrong += *(volatile char *)(addr + i * page_size) != i / 2;
	let_there_step(READ, addr, pages / 2, 2 * page_size);
	if (mprotect(addr, len, PROT_READ | PROT_WRITE))
		die("mprotect");
	let_there_step(READ, addr + page_size, pages / 2, 2 * page_size);
	n = since(before);
	wrong += job.wrong + job.signals;
	result(!n.contiguous && !n.overtaken && !wrong, __func__,
	       "%u walks in conflict, %u translations overtaken, on %d pages",
	       n.contiguous, n.overtaken, pages);
	munmap(raw, len + run);
}

/* The scans of NUMA balancing flush. Returns what was there. */
static int numa_balancing(int on)
{
	FILE *file = on < 0 ? NULL : fopen("/proc/sys/kernel/numa_balancing", "r+");
	int was = -1;

	if (!file)
		return was;
	if (fscanf(file, "%d", &was) == 1) {
		rewind(file);
		fprintf(file, "%d", on);
	}
	fclose(file);
	return was;
}

/* A program whose output is its own, and what was counted while it ran. */
static int run_counted(char **argv)
{
	struct counts before, n;
	int status;
	pid_t child;

	if (!read_counts(&before))
		die("no counters of stale TLB entries");
	child = fork();
	if (!child) {
		execv(argv[0], argv);
		die(argv[0]);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	n = since(before);
	printf("# counted meanwhile: %u write faults, %u fetch faults, %u kept, %u contiguous, %u overtaken, %u moved\n",
	       n.write_faults, n.fetch_faults, n.kept, n.contiguous, n.overtaken, n.moved);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	int balancing;

	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct counts c;

	setlinebuf(stdout);
	page_size = sysconf(_SC_PAGESIZE);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGILL, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	if (argc > 1)
		return run_counted(argv + 1);
	printf("TAP version 13\n");
	if (!read_counts(&c)) {
		printf("1..0 # SKIP this CPU has no counters of stale TLB entries\n");
		return 4;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("1..0 # SKIP one CPU\n");
		return 4;
	}
	printf("1..9\n");
	balancing = numa_balancing(0);
	run_on(HERE);
	if (pthread_create(&thread, NULL, there, NULL))
		die("pthread_create");
	reused_after_fork();
	hugetlb_after_fork();
	read_only_to_writable();
	data_to_code();
	writable_to_read_only();
	code_to_data();
	other_pages();
	while_away();
	folded_again();
	let_there(END, NULL);
	numa_balancing(balancing);
	read_counts(&c);
	printf("# since boot: %u write faults, %u fetch faults, %u accesses through what was taken away\n",
	       c.write_faults, c.fetch_faults, c.kept);
	printf("# and conflicts: %u contiguous, %u overtaken, %u moved\n",
	       c.contiguous, c.overtaken, c.moved);
	return failures != 0;
}
