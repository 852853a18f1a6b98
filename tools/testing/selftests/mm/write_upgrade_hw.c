// SPDX-License-Identifier: GPL-2.0
/*
 * Test protection upgrades of memory that hardware protects in other ways, too: by
 * protection keys, as execute-only, by memory tags.
 *
 * The invariants:
 *
 * (1) What else forbids an access goes on to do so after an upgrade, on each CPU.
 *     (Otherwise an upgrade opens what it was not told to.)
 *
 * (2) What it allowed can be done when it has returned, on each CPU. (Otherwise a
 *     thread gets a signal.)
 *
 * Both hold for each kernel.
 */
#include "kselftest_harness.h"
#include <asm-generic/mman.h> /* Force the import of the tools version. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_region.h"
#include "bench_thread.h"
#include "hugepage_settings.h"

#define RACE_MS		400
#define MIN_ROUNDS	10
#define ROUNDS		20

static struct bench_region region;
static struct bench_thread other;	/* on another CPU */

static const char *begin_test(void)
{
	bench_init();
	catch_denied_accesses();
	bench_pin(0);
	return bench_nr_cpus() < 2 ? "wants two CPUs" : NULL;
}

/* ---- Protection keys ---- */

#define KEY_PAGES	4

FIXTURE(keys)
{
	int key;
	int file;
};

FIXTURE_SETUP(keys)
{
	const char *skip = begin_test();

	if (!skip)
		skip = bench_map_memory(&region, BENCH_SMALL, KEY_PAGES, 1);
	if (skip)
		SKIP(return, "%s", skip);
	self->key = pkey_alloc(0, 0);
	if (self->key < 0)
		SKIP(return, "no protection keys: %s", strerror(errno));
	self->file = syscall(__NR_memfd_create, "write_upgrade_hw", 0);
	ASSERT_EQ(write(self->file, "kkkk", 4), 4);
	bench_start_thread(&other, 1);
}

FIXTURE_TEARDOWN(keys)
{
	if (self->key <= 0)
		return;
	if (other.thread)
		bench_end_thread(&other);
	bench_unmap_region(&region);
}

static atomic_uint *word_of_page(unsigned int i)
{
	return (void *)(region.addr + i * psize());
}

/* For bench_do(): what this thread can do with rights that it gives itself first. */
struct rights {
	int key;
	unsigned int rights;
	unsigned int value;		/* to write */
	unsigned int reads, writes;	/* how many pages are allowed */
	unsigned int other_reasons;	/* of a denial, than the key */
	int file;			/* the kernel reads from it into the page */
	unsigned int kernel_writes;
};

static void use_rights(void *arg)
{
	struct rights *r = arg;
	unsigned int i, value;

	for (i = 0; i < KEY_PAGES; i++) {
		/* Again each time: a signal takes them away. */
		pkey_set(r->key, r->rights);
		if (try_read(word_of_page(i), &value))
			r->reads++;
		else
			r->other_reasons += denied_for() != SEGV_PKUERR;
		pkey_set(r->key, r->rights);
		r->kernel_writes += pread(r->file, word_of_page(i), 4, 0) == 4;
		pkey_set(r->key, r->rights);
		if (try_write(word_of_page(i), r->value))
			r->writes++;
		else
			r->other_reasons += denied_for() != SEGV_PKUERR;
	}
	pkey_set(r->key, 0);
}

static struct rights with_rights(FIXTURE_DATA(keys) * self, unsigned int rights)
{
	struct rights r = { .key = self->key, .rights = rights, .file = self->file };

	if (!bench_do(&other, use_rights, &r))
		r.other_reasons = -1;
	return r;
}

static int protect_keyed(FIXTURE_DATA(keys) * self, int prot)
{
	return pkey_mprotect(region.addr, region.len, prot, self->key);
}

static void read_keyed(void *key)
{
	pkey_set(*(int *)key, 0);
	bench_read_pages(region.addr, region.len, psize());
}

/*
 * The upgrade is made by a thread that may do all. With a bug, the page loses its key
 * by the upgrade, or a thread that the key denies something gets it, or one that may
 * write does not.
 */
TEST_F(keys, denied_after_upgrade)
{
	unsigned int i, page, changed = 0;
	struct rights r;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(protect_keyed(self, PROT_READ | PROT_WRITE), 0);
		r = with_rights(self, 0);
		ASSERT_EQ(r.writes, KEY_PAGES);
		ASSERT_EQ(protect_keyed(self, i % 2 ? PROT_READ : PROT_NONE), 0);
		ASSERT_TRUE(!(i % 2) || bench_do(&other, read_keyed, &self->key));
		ASSERT_EQ(protect_keyed(self, PROT_READ | PROT_WRITE), 0);
		for (page = 0; page < KEY_PAGES; page++)
			*word_of_page(page) = 'o';

		r = with_rights(self, PKEY_DISABLE_WRITE);
		EXPECT_EQ(r.reads, KEY_PAGES);
		EXPECT_EQ(r.writes, 0);
		EXPECT_EQ(r.kernel_writes, 0);
		EXPECT_EQ(r.other_reasons, 0);
		r = with_rights(self, PKEY_DISABLE_ACCESS);
		EXPECT_EQ(r.reads, 0);
		EXPECT_EQ(r.writes, 0);
		EXPECT_EQ(r.kernel_writes, 0);
		EXPECT_EQ(r.other_reasons, 0);
		for (page = 0; page < KEY_PAGES; page++)
			changed += *word_of_page(page) != 'o';
		r = with_rights(self, 0);
		EXPECT_EQ(r.writes, KEY_PAGES);
		EXPECT_EQ(r.kernel_writes, KEY_PAGES);
	}
	EXPECT_EQ(changed, 0) {
		TH_LOG("%u pages were written to by who must not", changed);
	}
}

static int denying;

/*
 * Before each pass: the handler of a signal has other rights, and does not return. An
 * emulator may forget its TLB when they change: do not when they need not.
 */
static void deny_writes(void)
{
	if (pkey_get(denying) != PKEY_DISABLE_WRITE)
		pkey_set(denying, PKEY_DISABLE_WRITE);
}

/*
 * A thread writes to a page of the common key. With a bug, it goes on when the page has
 * got one that denies it, as no permission of the entry has been taken away.
 */
TEST_F(keys, key_changed)
{
	struct bench_writer writer = {
		.word = word_of_page(0), .may = true, .prepare = deny_writes,
	};
	unsigned long late = 0, rounds, end = bench_ns() + RACE_MS * 1000000UL;

	denying = self->key;
	writer.mine = *writer.word;
	bench_tell(&other, bench_write_on, &writer);
	for (rounds = 0; rounds < MIN_ROUNDS || bench_ns() < end; rounds++) {
		ASSERT_EQ(pkey_mprotect(region.addr, region.len, PROT_READ | PROT_WRITE, 0), 0);
		ASSERT_TRUE(bench_writer_passes(&writer, 2)) {
			TH_LOG("the thread cannot write after its key has changed");
		}
		ASSERT_EQ(protect_keyed(self, PROT_READ | PROT_WRITE), 0);
		late += bench_changes(writer.word, rounds);
	}
	atomic_store(&writer.stop, true);
	ASSERT_TRUE(bench_is_done(&other));
	EXPECT_EQ(late, 0) {
		TH_LOG("writes landed after the key had changed, in %lu of %lu rounds",
		       late, rounds);
	}
	EXPECT_EQ(writer.lost, 0);
}

/* ---- Execute-only memory ---- */

FIXTURE(execute_only)
{
	bool mapped;
	bool enforced;
};

FIXTURE_SETUP(execute_only)
{
	const char *skip = BENCH_HAS_CODE ? begin_test() : "no code for this architecture";
	unsigned int i, value;
	int key;

	if (!skip)
		skip = bench_map_memory(&region, BENCH_SMALL, KEY_PAGES, 1);
	if (!skip && mprotect(region.addr, region.len, PROT_READ | PROT_WRITE | PROT_EXEC))
		skip = "memory may not be executable here";
	if (skip)
		SKIP(return, "%s", skip);
	for (i = 0; i < KEY_PAGES; i++)
		bench_emit_code(word_of_page(i), 100 + i);
	/* Where there are keys, one is for this. */
	key = pkey_alloc(0, 0);
	if (key >= 0)
		pkey_free(key);
	ASSERT_EQ(mprotect(region.addr, region.len, PROT_EXEC), 0);
	self->enforced = key >= 0 || !try_read(word_of_page(0), &value);
	bench_start_thread(&other, 1);
	self->mapped = true;
}

FIXTURE_TEARDOWN(execute_only)
{
	if (!self->mapped)
		return;
	bench_end_thread(&other);
	bench_unmap_region(&region);
}

/* For bench_do(): how many pages can be read, be called, be written? */
struct uses {
	unsigned int reads, calls, writes, wrong;
};

static void use_pages(void *arg)
{
	struct uses *u = arg;
	atomic_uint result;
	unsigned int i, value;

	for (i = 0; i < KEY_PAGES; i++) {
		u->reads += try_read(word_of_page(i), &value);
		if (try_call(word_of_page(i), &result)) {
			u->calls++;
			u->wrong += result != 100 + i;
		}
		u->writes += try_write(word_of_page(i), 0);
	}
}

static void __expect_uses(struct __test_metadata *_metadata, unsigned int reads,
			  unsigned int calls, const char *when)
{
	struct uses u = {};

	ASSERT_TRUE(bench_do(&other, use_pages, &u));
	EXPECT_EQ(u.reads, reads) {
		TH_LOG("%s: pages that can be read", when);
	}
	EXPECT_EQ(u.calls, calls) {
		TH_LOG("%s: pages that can be called", when);
	}
	EXPECT_EQ(u.writes, 0) {
		TH_LOG("%s: pages that can be written", when);
	}
	EXPECT_EQ(u.wrong, 0) {
		TH_LOG("%s: pages with other code", when);
	}
}

#define expect_uses(reads, calls, when) \
	__expect_uses(_metadata, reads, calls, when)

/*
 * Protections change on one CPU, another one reads and calls. With a bug, an entry that
 * can be read goes on to be, or one that can be called cannot.
 */
TEST_F(execute_only, unreadable)
{
	const unsigned int none = self->enforced ? 0 : KEY_PAGES;
	unsigned int i;

	if (!self->enforced)
		SKIP(return, "execute-only memory can be read on this CPU");
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_EXEC), 0);
		expect_uses(none, KEY_PAGES, "execute-only");
		ASSERT_EQ(mprotect(region.addr, psize(), PROT_READ | PROT_EXEC), 0);
		expect_uses(1, KEY_PAGES, "one page to be read, too");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_NONE), 0);
		expect_uses(0, 0, "nothing");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_EXEC), 0);
		expect_uses(none, KEY_PAGES, "execute-only after nothing");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ), 0);
		expect_uses(KEY_PAGES, 0, "read-only");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_EXEC), 0);
		expect_uses(none, KEY_PAGES, "execute-only after read-only");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_EXEC), 0);
		expect_uses(KEY_PAGES, KEY_PAGES, "readable and executable");
	}
}

/*
 * The same of what any CPU can do. With a bug, code that may be run cannot be, or it can
 * when it may not any more.
 */
TEST_F(execute_only, callable)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ), 0);
		expect_uses(KEY_PAGES, 0, "read-only");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_READ | PROT_EXEC), 0);
		expect_uses(KEY_PAGES, KEY_PAGES, "executable after read-only");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_NONE), 0);
		expect_uses(0, 0, "nothing");
		ASSERT_EQ(mprotect(region.addr, region.len, PROT_EXEC), 0);
		if (self->enforced)
			expect_uses(0, KEY_PAGES, "execute-only after nothing");
		else
			expect_uses(KEY_PAGES, KEY_PAGES, "executable after nothing");
	}
}

/* ---- Memory tags of arm64 ---- */

#define TAG_PAGES	16
#define TAG_SHIFT	56

#ifndef PROT_MTE
#define PROT_MTE	0x20
#endif
#ifndef SEGV_MTESERR
#define SEGV_MTESERR	9
#endif

#ifdef __aarch64__
static bool has_tags(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_MTE;
}

static void set_tag(void *tagged)
{
	asm volatile(".arch armv8.5-a+memtag\n\tstg %0, [%0]" : : "r" (tagged) : "memory");
}

static unsigned int get_tag(void *p)
{
	asm volatile(".arch armv8.5-a+memtag\n\tldg %0, [%0]" : "+r" (p) : : "memory");
	return (uintptr_t)p >> TAG_SHIFT & 15;
}

/* Of this thread and those that it starts. */
static bool check_tags(void)
{
	return !prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE | PR_MTE_TCF_SYNC |
		      0xfffe << PR_MTE_TAG_SHIFT, 0, 0, 0);
}
#else
static bool has_tags(void) { return false; }
static void set_tag(void *tagged) { }
static unsigned int get_tag(void *p) { return 0; }
static bool check_tags(void) { return false; }
#endif

FIXTURE(tags)
{
	char *map;
	int file;
};

FIXTURE_SETUP(tags)
{
	const char *skip = begin_test();

	if (!skip && !has_tags())
		skip = "no memory tags (of QEMU's machine virt, with mte=on and -cpu max)";
	if (!skip && !check_tags())
		skip = "tags are not checked for this process";
	if (skip)
		SKIP(return, "%s", skip);
	self->map = mmap(NULL, TAG_PAGES * psize(), PROT_READ | PROT_WRITE | PROT_MTE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(self->map, MAP_FAILED);
	self->file = syscall(__NR_memfd_create, "write_upgrade_hw", 0);
	ASSERT_EQ(write(self->file, "kkkk", 4), 4);
	bench_start_thread(&other, 1);
}

FIXTURE_TEARDOWN(tags)
{
	if (other.thread)
		bench_end_thread(&other);
}

static unsigned int tag_of(unsigned int i)
{
	return 1 + i % 14;
}

static void *tagged(const char *map, unsigned int i, unsigned int tag)
{
	return (void *)((uintptr_t)(map + i * psize() + 64) | (uintptr_t)tag << TAG_SHIFT);
}

/* For bench_do(): read, or write, with the right tag, and then with a wrong one. */
struct tagged {
	const char *map;
	unsigned int value;		/* to write; 0: read */
	unsigned int lost, denied, allowed, other_reasons;
	int file;
	unsigned int kernel_writes;	/* allowed with a wrong tag */
};

static bool use_word(struct tagged *t, atomic_uint *word)
{
	unsigned int value;

	return t->value ? try_write(word, t->value) : try_read(word, &value);
}

static void use_tags(void *arg)
{
	struct tagged *t = arg;
	unsigned int i;

	for (i = 0; i < TAG_PAGES; i++) {
		t->lost += get_tag((char *)t->map + i * psize() + 64) != tag_of(i);
		t->denied += !use_word(t, tagged(t->map, i, tag_of(i)));
		if (use_word(t, tagged(t->map, i, tag_of(i) + 1)))
			t->allowed++;
		else
			t->other_reasons += denied_for() != SEGV_MTESERR;
		if (t->value)
			t->kernel_writes += pread(t->file, tagged(t->map, i, tag_of(i) + 1),
						  4, 0) == 4;
	}
}

static void expect_checked(struct __test_metadata *_metadata, const struct tagged *t,
			   const char *when)
{
	unsigned int i, wrong = 0;

	EXPECT_EQ(t->lost, 0) {
		TH_LOG("%s: pages that have lost their tag", when);
	}
	EXPECT_EQ(t->denied, 0) {
		TH_LOG("%s: pages that could not be used with the right tag", when);
	}
	EXPECT_EQ(t->allowed, 0) {
		TH_LOG("%s: pages that could be used with a wrong tag", when);
	}
	EXPECT_EQ(t->kernel_writes, 0) {
		TH_LOG("%s: pages to which the kernel wrote with a wrong tag", when);
	}
	EXPECT_EQ(t->other_reasons, 0);
	for (i = 0; t->value && i < TAG_PAGES; i++)
		wrong += *(unsigned int *)tagged(t->map, i, tag_of(i)) != t->value;
	EXPECT_EQ(wrong, 0) {
		TH_LOG("%s: pages with other data", when);
	}
}

static void __expect_tags(struct __test_metadata *_metadata, FIXTURE_DATA(tags) * self,
			  struct bench_thread *thread, unsigned int value, const char *when)
{
	struct tagged t = { .map = self->map, .value = value, .file = self->file };

	ASSERT_TRUE(bench_do(thread, use_tags, &t));
	expect_checked(_metadata, &t, when);
}

#define expect_tags(thread, value, when) \
	__expect_tags(_metadata, self, thread, value, when)

static void tag_all(const char *map)
{
	unsigned int i;

	for (i = 0; i < TAG_PAGES; i++) {
		set_tag(tagged(map, i, tag_of(i)));
		*(unsigned int *)tagged(map, i, tag_of(i)) = 1;
	}
}

static int protect_tagged(FIXTURE_DATA(tags) * self, int prot)
{
	return mprotect(self->map, TAG_PAGES * psize(), prot);
}

/* With a bug, a page loses its tags, or the CPU that knew it read-only checks none. */
TEST_F(tags, toggle)
{
	unsigned int i;

	tag_all(self->map);
	for (i = 2; i < ROUNDS; i++) {
		ASSERT_EQ(protect_tagged(self, i % 3 ? PROT_READ : PROT_NONE), 0);
		if (i % 3)
			expect_tags(&other, 0, "read-only");
		ASSERT_EQ(protect_tagged(self, PROT_READ | PROT_WRITE | PROT_MTE), 0);
		expect_tags(&other, i, "after an upgrade");
		expect_tags(NULL, i + 1, "after an upgrade");
	}
}

/* 1: tags are wrong. 2: data are. */
static int has_own_tags(void *map)
{
	struct tagged t = { .map = map };

	use_tags(&t);
	if (t.lost || t.denied || t.allowed)
		return 1;
	return *(unsigned int *)tagged(map, 0, tag_of(0)) == 2 ? 0 : 2;
}

/*
 * A copy that a write makes has the tags of the page. With a bug, it has none, or the
 * child's page loses its own.
 */
TEST_F(tags, fork_and_upgrade)
{
	struct bench_child child;

	tag_all(self->map);
	expect_tags(NULL, 2, "written");
	ASSERT_TRUE(bench_start_child(&child, has_own_tags, self->map));
	ASSERT_EQ(protect_tagged(self, PROT_READ), 0);
	expect_tags(&other, 0, "read-only, shared");
	ASSERT_EQ(protect_tagged(self, PROT_READ | PROT_WRITE), 0);
	expect_tags(&other, 3, "copied");
	EXPECT_EQ(bench_end_child(&child), 0);
}

/* For bench_tell(): no sleep in between, after which an emulator has no TLB entries. */
struct before_and_after {
	struct tagged before, after;
	atomic_bool used, tagged;
};

static void use_before_and_after(void *arg)
{
	struct before_and_after *use = arg;

	use_tags(&use->before);
	atomic_store(&use->used, true);
	while (!atomic_load(&use->tagged))
		;
	use_tags(&use->after);
}

/*
 * Memory that was used without tags gets them. With a bug, a CPU goes on without, as no
 * permission has been taken away.
 */
TEST_F(tags, tags_come_later)
{
	char *map = mmap(NULL, TAG_PAGES * psize(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct before_and_after use;

	ASSERT_NE(map, MAP_FAILED);
	self->map = map;
	memset(map, 1, TAG_PAGES * psize());
	use.before = (struct tagged){ .map = map, .value = 1, .file = self->file };
	use.after = (struct tagged){ .map = map, .value = 2, .file = self->file };
	bench_tell(&other, use_before_and_after, &use);
	while (!atomic_load(&use.used))
		usleep(20);
	ASSERT_EQ(protect_tagged(self, PROT_READ | PROT_WRITE | PROT_MTE), 0);
	tag_all(map);
	atomic_store(&use.tagged, true);
	ASSERT_TRUE(bench_is_done(&other));
	EXPECT_EQ(use.before.allowed, TAG_PAGES);
	expect_checked(_metadata, &use.after, "tags that came later");
}

int main(int argc, char **argv)
{
	if (!geteuid())
		hugepage_save_settings(thp_available(), hugetlb_available());
	return test_harness_run(argc, argv);
}
