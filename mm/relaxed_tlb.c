// SPDX-License-Identifier: GPL-2.0
/*
 * Flush TLBs after permissions were added, without interrupting another CPU.
 *
 * A relaxed flush leaves entries in the TLBs of other CPUs that permit less than the
 * page table.  An access that such an entry forbids faults, the fault handler finds
 * the access permitted by VMA and page table, removes the entry from this TLB and has
 * the access repeated: the fault was spurious.  That is all that correctness rests on,
 * and nothing of it is new.  A write fault that finds a page exclusive has always left
 * such entries behind.
 *
 * What this file adds is that there are few spurious faults.  Each relaxed flush advances
 * the generation of the mm, and each CPU remembers up to which generation it has flushed
 * all that it held of the mm.  A spurious fault of a CPU that is behind flushes all of it,
 * and so stands for every other entry that is stale.  Therefore:
 *
 *   No CPU takes more than one spurious fault for each relaxed flush, nor more than
 *   RELAXED_TLB_SINGLE before it catches up with all of them.
 *
 * After a flush of one page that page alone may fault, and is left to that fault as long
 * as there were few such flushes.  After a flush of many pages, which counts as many
 * flushes, or after many flushes, the first fault makes the CPU catch up.
 *
 *   CPU that adds permissions              CPU with a stale entry
 *
 *   [1] write page table                   spurious fault
 *   [2] advance the generation             [3] read the generation
 *   return                                 [4] flush this TLB
 *                                          [5] remember what [3] has read
 *
 * [1] is before [2], and [3] before [4]: when a CPU remembers a generation, it holds no
 * entry from before the changes that this generation counts.  Were it wrong, an entry
 * would take a fault of its own.
 *
 * See Documentation/mm/relaxed_tlb_flush.rst.
 */
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/relaxed_tlb.h>
#include <linux/vmstat.h>
#include <trace/events/tlb.h>
#include <asm/relaxed_tlb.h>

/*
 * A CPU that has missed more relaxed flushes, of one page each, catches up with all: so
 * many spurious faults cost about what it costs to fill a TLB again.
 */
#define RELAXED_TLB_SINGLE	32

DEFINE_STATIC_KEY_TRUE_RO(relaxed_tlb_enabled);

static int __init relaxed_tlb_setup(char *s)
{
	bool on;

	if (kstrtobool(s, &on))
		return 0;
	if (!on)
		static_branch_disable(&relaxed_tlb_enabled);
	return 1;
}
__setup("relaxed_tlb=", relaxed_tlb_setup);

/*
 * The last mm that this CPU has caught up with, and its generation then.  Another mm
 * takes the place of it: what is lost costs a flush that was not needed.
 */
struct relaxed_tlb_memory {
	u64	mm_id;
	u64	gen;
};

static DEFINE_PER_CPU(struct relaxed_tlb_memory, relaxed_tlb_memory);

/**
 * relaxed_tlb_flush() - Flush TLBs after changes that did no more than add permissions
 * @mm: The mm whose page tables were changed, by this task.
 * @start: First address that the changed entries map.
 * @end: The address after the last.
 * @stride_shift: log2 of the bytes that the smallest of these entries maps.
 *
 * The TLB of this CPU is flushed, and those of devices, which may have nobody to repair
 * their faults.  Other CPUs are not interrupted.
 *
 * Context: Any; page table locks may be held.
 */
void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end,
		       unsigned int stride_shift)
{
	/* Who misses one of more than a page has missed too many. */
	const s64 nr = end - start > PAGE_SIZE ? RELAXED_TLB_SINGLE + 1 : 1;

	/* [1] before [2]: the architecture has page walks see the entries. */
	arch_relaxed_tlb_flush_range(mm, start, end, stride_shift);
	atomic64_add_return(nr, &mm->relaxed_tlb_gen);

	count_vm_event(NR_TLB_RELAXED_FLUSH);
	trace_tlb_flush(TLB_RELAXED_FLUSH, (end - start) >> PAGE_SHIFT);
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end);
}

/* Has this CPU not flushed all of the mm since a generation? */
static bool relaxed_tlb_is_behind(struct mm_struct *mm, u64 gen)
{
	return this_cpu_read(relaxed_tlb_memory.mm_id) != arch_relaxed_tlb_mm_id(mm) ||
	       this_cpu_read(relaxed_tlb_memory.gen) < gen;
}

/* Flush all that this CPU holds of the mm, if it is behind. Returns whether it was. */
static bool relaxed_tlb_catch_up(struct mm_struct *mm, u64 since)
{
	u64 gen;

	if (!relaxed_tlb_is_behind(mm, since))
		return false;

	/* [3] */
	gen = atomic64_read_acquire(&mm->relaxed_tlb_gen);
	/* [4], [5] */
	arch_relaxed_tlb_flush_all(mm);
	this_cpu_write(relaxed_tlb_memory.mm_id, arch_relaxed_tlb_mm_id(mm));
	this_cpu_write(relaxed_tlb_memory.gen, gen);
	return true;
}

static void relaxed_tlb_count_repair(void)
{
	count_vm_event(NR_TLB_RELAXED_REPAIR);
	trace_tlb_flush(TLB_RELAXED_REPAIR, 1);
}

/**
 * relaxed_tlb_repair() - Remove the other stale entries along with one
 * @mm: The mm of a fault that may have been caused by a stale entry.
 * @flags: Those of the fault.
 * @spurious: The page table permitted the access already.  Otherwise it is the caller's
 *	      guess that a stale entry was the cause.
 *
 * If more than one page was upgraded at once, or many one by one, since this CPU last
 * flushed all that it holds of the mm, then flush all of it.
 *
 * Context: Process context, page table locks may be held.  @mm need not be that of the
 * task; then the fault was not of this CPU, and there is nothing to do.
 * Return: true if all was flushed; else it is left to the caller to remove the one entry.
 */
bool relaxed_tlb_repair(struct mm_struct *mm, enum fault_flag flags, bool spurious)
{
	u64 gen = atomic64_read(&mm->relaxed_tlb_gen);
	unsigned long irq_flags;
	bool all = false;

	if (!gen)
		return false;
	/* It was retried: what it finds now has come after it, an upgrade by userfaultfd, say. */
	if (flags & (FAULT_FLAG_TRIED | FAULT_FLAG_VMA_LOCK_RETRY))
		return false;
	/* Nothing to guess: the fault may be due to the dirty bit alone. */
	if (!spurious && !arch_relaxed_tlb_sets_dirty())
		return false;

	local_irq_save(irq_flags);
	if (arch_relaxed_tlb_is_loaded(mm)) {
		all = gen > RELAXED_TLB_SINGLE &&
		      relaxed_tlb_catch_up(mm, gen - RELAXED_TLB_SINGLE);
		if (all || spurious)
			relaxed_tlb_count_repair();
	}
	local_irq_restore(irq_flags);
	return all;
}

/**
 * relaxed_tlb_repair_early() - Repair a write fault without a lock, if it is spurious
 * @mm: The mm of this task.
 * @address: User address that was written to, and is mapped.
 * @may_wait: The fault will be handled if it is not repaired here; so only do so if
 *	      that had to wait for mprotect() or the like.
 *
 * For the fault handler of an architecture, where it is about to give up because page
 * faults are disabled, or to wait for the mmap lock.
 *
 * At most one repair for each CPU and relaxed generation, as long as the CPU does not
 * catch up with another mm: an access that faults for another reason is repeated once.
 * The architecture calls it only where an entry that looks writable is so for hardware,
 * too, so that there are few of these.
 *
 * The page is looked up without a lock, by taking a reference for a moment, as perf does
 * it for the addresses of its samples.  What get_user_pages_fast() refuses is left to the
 * fault: special mappings and secret memory.
 *
 * Context: Any; in NMI nothing is repaired.
 * Return: true if the access is to be repeated.
 */
bool relaxed_tlb_repair_early(struct mm_struct *mm, unsigned long address,
			      bool may_wait)
{
	u64 gen = atomic64_read(&mm->relaxed_tlb_gen);
	bool repaired = false;
	unsigned long flags;
	struct page *page;
	unsigned int seq;

	if (!gen || in_nmi() || !relaxed_tlb_is_behind(mm, gen))
		return false;
	if (may_wait && mmap_lock_speculate_try_begin(mm, &seq))
		return false;
	if (!get_user_page_fast_only(address, FOLL_WRITE, &page))
		return false;
	put_page(page);

	local_irq_save(flags);
	if (arch_relaxed_tlb_is_loaded(mm)) {
		repaired = relaxed_tlb_catch_up(mm, gen);
		if (repaired)
			relaxed_tlb_count_repair();
	}
	local_irq_restore(flags);
	return repaired;
}
