// SPDX-License-Identifier: GPL-2.0
/*
 * Does the emulator of vm/qemu/stale-tlb.patch see break before make neglected, and
 * only that? This program runs on its arm64 machine without a kernel: it changes
 * entries of its own page table with and without a flush in between, reads one page
 * of a run before and another one after, and compares the emulator's counters.
 * Prints TAP to the serial port. For each size of pages, runs of pages and of blocks.
 */
#include <stdbool.h>
#include <stdint.h>

#define UART		((volatile uint32_t *)0x09000000)
#define VA		(16UL << 30)	/* of the run; aligned for all of them */
#define BEFORE		2		/* the page of the run that is read first */
#define AFTER		3

#define VALID		(1UL << 0)
#define TABLE		(1UL << 1)	/* or page */
#define NORMAL		(1UL << 2)	/* MAIR; else a device */
#define NOT_GLOBAL	(1UL << 11)
#define CONTIGUOUS	(1UL << 52)
#define MEMORY		(VALID | NORMAL | 3UL << 8 | 1UL << 10 | NOT_GLOBAL)
#define DEVICE		(VALID | 1UL << 10)

struct counts {
	unsigned int contiguous, overtaken, moved;
};

static const struct granule {
	const char *name;
	unsigned long tg;		/* in TCR */
	int lg_page, lg_block;
	int pages, blocks;		/* in a run */
} granules[] = {
	{ "4K", 0, 12, 21, 16, 16 },
	{ "16K", 2, 14, 25, 128, 32 },
	{ "64K", 1, 16, 29, 32, 32 },
};

static const struct granule *g;
static uint64_t tables[4][8192] __attribute__((aligned(65536)));
static uint64_t *l2, *run;		/* entries of what is at VA */
static int level, lg_size, nr_entries, nr_tests;
static uint64_t memory;			/* for the run */

asm(".globl _start\n"
    "_start: ldr x0, =stack_top\n"
    "	mov sp, x0\n"
    "	adr x0, vectors\n"
    "	msr vbar_el1, x0\n"
    "	bl main\n"
    "off: ldr x0, =0x84000008\n"		/* PSCI SYSTEM_OFF */
    "	hvc #0\n"
    "	b off\n"
    ".balign 2048\n"
    "vectors: .rept 16\n"
    "	b unexpected\n"
    "	.balign 128\n"
    ".endr\n"
    "unexpected: bl exception\n"
    "	b off\n"
    ".bss\n.balign 16\n.skip 8192\nstack_top:\n.text\n");

static void print(const char *s)
{
	while (*s)
		*UART = *s++;
}

static void print_number(unsigned int n)
{
	if (n > 9)
		print_number(n / 10);
	*UART = '0' + n % 10;
}

void exception(void)
{
	print("Bail out! an exception\n");
}

static struct counts counts(void)
{
	unsigned long contiguous, overtaken, moved;

	asm volatile("mrs %0, S3_3_C11_C0_3" : "=r"(contiguous));
	asm volatile("mrs %0, S3_3_C11_C0_4" : "=r"(overtaken));
	asm volatile("mrs %0, S3_3_C11_C0_5" : "=r"(moved));
	return (struct counts){ contiguous, overtaken, moved };
}

static void flush(void)
{
	asm volatile("dsb ish; tlbi vmalle1is; dsb ish; isb" ::: "memory");
}

static void flush_page(int nr)
{
	asm volatile("dsb ish; tlbi vaae1, %0; dsb ish; isb"
		     :: "r"((VA + ((unsigned long)nr << lg_size)) >> 12) : "memory");
}

static void use_asid(unsigned long asid)
{
	asm volatile("msr ttbr0_el1, %0; isb" :: "r"((uint64_t)tables[0] | asid << 48));
}

static void read_page(int nr)
{
	asm volatile("dsb ish; isb" ::: "memory");
	*(volatile uint8_t *)(VA + ((unsigned long)nr << lg_size));
}

/* All entries of the run, for memory that begins at pa. */
static void set_run(uint64_t pa, uint64_t bits)
{
	for (int i = 0; i < nr_entries; i++)
		run[i] = (pa + ((uint64_t)i << lg_size)) | MEMORY | bits |
			 (level == 3 ? TABLE : 0);
}

static void clear_run(void)
{
	for (int i = 0; i < nr_entries; i++)
		run[i] = 0;
	flush();
}

/* The machine as it is, and a run of pages or of blocks at VA. */
static void turn_on(void)
{
	const uint64_t tcr = 25 | 1UL << 8 | 1UL << 10 | 3UL << 12 | g->tg << 14 |
			     1UL << 23 | 2UL << 32 | 1UL << 36;

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 8192; j++)
			tables[i][j] = 0;
	if (g->lg_page == 12) {			/* blocks of 1G */
		tables[0][0] = DEVICE;
		tables[0][1] = 1UL << 30 | (MEMORY & ~NOT_GLOBAL);
		tables[0][VA >> 30] = (uint64_t)tables[2] | VALID | TABLE;
		l2 = tables[2];
	} else {
		uint64_t *table = g->lg_page == 14 ? tables[1] : tables[0];

		if (g->lg_page == 14)
			tables[0][0] = (uint64_t)table | VALID | TABLE;
		for (uint64_t pa = 0; pa < 2UL << 30; pa += 1UL << g->lg_block)
			table[pa >> g->lg_block] = pa |
				(pa < 1UL << 30 ? DEVICE : MEMORY & ~NOT_GLOBAL);
		l2 = table + (VA >> g->lg_block);
	}
	if (level == 3)
		*l2 = (uint64_t)tables[3] | VALID | TABLE;
	run = level == 3 ? tables[3] : l2;
	asm volatile("msr mair_el1, %0; msr tcr_el1, %1" :: "r"(0xff00UL), "r"(tcr));
	use_asid(1);
	flush();
	asm volatile("msr sctlr_el1, %0; isb" :: "r"(0x30d00801UL) : "memory");
}

static void turn_off(void)
{
	asm volatile("msr sctlr_el1, %0; isb" :: "r"(0x30d00800UL) : "memory");
}

static void test(const char *name, void (*run_test)(void), struct counts want)
{
	struct counts before, n;

	turn_on();
	before = counts();
	run_test();
	n = counts();
	n.contiguous -= before.contiguous;
	n.overtaken -= before.overtaken;
	n.moved -= before.moved;
	turn_off();
	print(n.contiguous == want.contiguous && n.overtaken == want.overtaken &&
	      n.moved == want.moved ? "ok " : "not ok ");
	print_number(++nr_tests);
	print(" ");
	print(name);
	print(level == 3 ? ", pages of " : ", blocks of pages of ");
	print(g->name);
	print(" # counted ");
	print_number(n.contiguous);
	print(" contiguous, ");
	print_number(n.overtaken);
	print(" overtaken, ");
	print_number(n.moved);
	print(" moved\n");
}

static void replace(uint64_t pa, uint64_t before, uint64_t after, bool flushed)
{
	set_run(memory, before);
	read_page(BEFORE);
	if (flushed)
		clear_run();
	set_run(pa, after);
	read_page(AFTER);
}

static void folded(void) { replace(memory, 0, CONTIGUOUS, false); }
static void unfolded(void) { replace(memory, CONTIGUOUS, 0, false); }
static void folded_after_flush(void) { replace(memory, 0, CONTIGUOUS, true); }
static void unfolded_after_flush(void) { replace(memory, CONTIGUOUS, 0, true); }
static void stays_folded(void) { replace(memory, CONTIGUOUS, CONTIGUOUS, false); }

/* Pages that are no run have nothing to do with one another. */
static void neighbours(void)
{
	set_run(memory, 0);
	read_page(BEFORE);
	run[AFTER] = run[0];
	read_page(AFTER);
	flush();
}

static void folded_elsewhere(void)
{
	replace(memory ^ (uint64_t)nr_entries << lg_size, 0, CONTIGUOUS, false);
}

/* One page of the run has been elsewhere, but not all of them. */
static void folded_with_a_stranger(void)
{
	set_run(memory, 0);
	run[0] ^= (uint64_t)nr_entries << lg_size;
	read_page(0);
	read_page(BEFORE);
	set_run(memory, CONTIGUOUS);
	read_page(AFTER);
}

/* No walk in between, but the translation is still there when it is flushed. */
static void folded_then_flushed(void)
{
	set_run(memory, 0);
	read_page(BEFORE);
	set_run(memory, CONTIGUOUS);
	flush_page(BEFORE);
	flush_page(BEFORE);
}

/* The same with a use before that; it is one translation. */
static void folded_then_used(void)
{
	set_run(memory, 0);
	read_page(BEFORE);
	use_asid(2);
	use_asid(1);
	set_run(memory, CONTIGUOUS);
	read_page(BEFORE);
	flush();
}

static void folded_for_others(void)
{
	set_run(memory, 0);
	read_page(BEFORE);
	use_asid(2);
	set_run(memory, CONTIGUOUS);
	read_page(AFTER);
	set_run(memory, 0);
	use_asid(1);
}

static void block_over_pages(void)
{
	set_run(memory, 0);
	read_page(BEFORE);
	*l2 = (memory & -(1UL << g->lg_block)) | MEMORY;
	read_page(AFTER);
}

static void pages_under_block(void)
{
	set_run(memory, 0);
	*l2 = (memory & -(1UL << g->lg_block)) | MEMORY;
	read_page(BEFORE);
	*l2 = (uint64_t)tables[3] | VALID | TABLE;
	flush();
}

static void test_runs(void)
{
	lg_size = level == 3 ? g->lg_page : g->lg_block;
	nr_entries = level == 3 ? g->pages : g->blocks;
	/* A run of blocks may be larger than memory, and then begins before it. */
	memory = level == 3 ? 0x42000000 : 0x40000000 & -((uint64_t)nr_entries << lg_size);
	test("folded", folded, (struct counts){ .contiguous = 1 });
	test("unfolded", unfolded, (struct counts){ .contiguous = 1 });
	test("folded after a flush", folded_after_flush, (struct counts){ });
	test("unfolded after a flush", unfolded_after_flush, (struct counts){ });
	test("stays folded", stays_folded, (struct counts){ });
	test("folded, then flushed", folded_then_flushed, (struct counts){ .overtaken = 1 });
	test("folded, then used", folded_then_used, (struct counts){ .overtaken = 1 });
	test("folded while another ASID holds it", folded_for_others, (struct counts){ });
	if (level != 3)
		return;
	test("neighbours", neighbours, (struct counts){ });
	test("folded elsewhere", folded_elsewhere, (struct counts){ .moved = 1 });
	test("folded with a stranger", folded_with_a_stranger, (struct counts){ .contiguous = 1 });
	test("block over pages", block_over_pages, (struct counts){ .moved = 1 });
	test("pages under block", pages_under_block, (struct counts){ .moved = 1 });
}

int main(void)
{
	print("TAP version 13\n1..63\n");
	for (int i = 0; i < 3; i++) {
		g = granules + i;
		for (level = 2; level <= 3; level++)
			test_runs();
	}
	return 0;
}
