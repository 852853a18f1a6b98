// SPDX-License-Identifier: GPL-2.0
/*
 * Flush TLBs after permissions were added, without interrupting another CPU.
 *
 * What it guarantees: when relaxed_tlb_flush() has returned, an access that the page
 * table permits is never answered with a fault that anybody sees.  A TLB of another
 * CPU may still hold an entry from before, which permits less.  An access that this
 * entry forbids faults; the architecture's fault handler asks relaxed_tlb_repair()
 * first, which finds that the page table permits the access, flushes the TLB of that
 * CPU and has the access repeated.
 *
 * What tells that an entry may be stale is the relaxed generation of the mm, and, for
 * each CPU, a memory of the generation that it has caught up with.  The memory is
 * lossy: it may know too little, which costs a look at the page table, or a needless
 * flush, and never too much.
 *
 * The ordering that this rests on:
 *
 *   CPU that adds permissions              CPU with a stale entry
 *
 *   [1] write page table                   access faults
 *   [2] advance the generation             [3] read the generation
 *   return                                 [4] flush this TLB
 *                                          [5] remember what [3] has read
 *                                          repeat the access, walks page table
 *
 * [1] is before [2], and [3] before [4] and whatever fills the TLB after it.  So if
 * the generation that is remembered includes that of [2], then no entry from before
 * [1] is left in this TLB.  If [3] was too early to see [2], then the CPU remembers
 * less than the generation and will look again.
 *
 * No fault repeats for ever: each one that finds its CPU behind either is ordinary, or
 * makes the CPU catch up, or is one of a limited number before the CPU does.
 *
 * Documentation/mm/relaxed_tlb_flush.rst has the proof, and why a stale entry that
 * permits less is harmless.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/pgtable.h>
#include <linux/relaxed_tlb.h>
#include <linux/vmstat.h>
#include <trace/events/tlb.h>
#include <asm/relaxed_tlb.h>

/*
 * After an upgrade of so many entries, each is worth a fault of its own on a CPU that
 * runs into it: that costs less than to fill the TLB again. But only so many times.
 */
#define RELAXED_TLB_NARROW_ENTRIES	8
#define RELAXED_TLB_NARROW_REPAIRS	32

DEFINE_PER_CPU(struct relaxed_tlb_slot[RELAXED_TLB_SLOTS], relaxed_tlb_slots);

static atomic64_t last_relaxed_tlb_id = ATOMIC64_INIT(0);

/* Only an mm that has a relaxed flush needs a name: fork() does not pay for it. */
static u64 relaxed_tlb_id(struct mm_struct *mm)
{
	u64 id = READ_ONCE(mm->relaxed_tlb.id);
	u64 new;

	if (likely(id))
		return id;

	new = atomic64_inc_return(&last_relaxed_tlb_id);
	id = cmpxchg64(&mm->relaxed_tlb.id, 0, new);
	return id ?: new;
}

/* Take the slot of an mm. One that another mm had remembers nothing. */
static struct relaxed_tlb_slot *relaxed_tlb_slot(u64 id)
{
	struct relaxed_tlb_slot *slot = relaxed_tlb_slot_of(id);

	if (slot->id != id)
		*slot = (struct relaxed_tlb_slot) { .id = id };
	return slot;
}

/* All entries of the mm were flushed, after gen was read. */
static void relaxed_tlb_caught_up(struct relaxed_tlb_slot *slot, u64 gen)
{
	slot->gen = gen;
	slot->narrow = 0;
}

/*
 * A flush was too large to let each of its pages fault. Of those that race only the
 * newest counts. Whoever sees the generation but not yet this flushes pages alone, and
 * does not take itself for caught up.
 */
static void relaxed_tlb_set_wide(struct mm_struct *mm, u64 gen)
{
	u64 wide = READ_ONCE(mm->relaxed_tlb.wide);

	while (wide < gen && !try_cmpxchg64(&mm->relaxed_tlb.wide, &wide, gen))
		;
}

/**
 * relaxed_tlb_flush() - Flush TLBs after changes that did no more than add permissions
 * @mm: The mm whose page tables were changed, by this task.
 * @start: First address that the changed entries map.
 * @end: The address after the last.
 * @stride_shift: log2 of the bytes that the smallest of these entries maps.
 *
 * This CPU's TLB is flushed, and that of devices.  Other CPUs are not interrupted:
 * see relaxed_tlb_repair() for what they do.
 *
 * Context: Any; page table locks may be held.
 */
void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end,
		       unsigned int stride_shift)
{
	u64 id = relaxed_tlb_id(mm);
	struct relaxed_tlb_slot *slot;
	unsigned long flags;
	u64 gen;

	/* [1] before [2]. The atomic orders what instructions do, and is a barrier. */
	arch_relaxed_tlb_sync_page_table();
	gen = atomic64_inc_return(&mm->relaxed_tlb.gen);
	if ((end - start) >> stride_shift > RELAXED_TLB_NARROW_ENTRIES)
		relaxed_tlb_set_wide(mm, gen);

	count_vm_event(NR_TLB_RELAXED_FLUSH);
	trace_tlb_flush(TLB_RELAXED_FLUSH, (end - start) >> PAGE_SHIFT);

	local_irq_save(flags);
	if (arch_relaxed_tlb_loaded(mm)) {
		slot = relaxed_tlb_slot(id);
		if (arch_relaxed_tlb_flush_range(mm, start, end, stride_shift))
			relaxed_tlb_caught_up(slot, gen);
		else if (slot->gen == gen - 1)
			slot->gen = gen;
	}
	local_irq_restore(flags);

	/* A device that shares the page tables may have no way to repair its fault. */
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end);
}

/*
 * Find the entry that maps an address, without locks: with interrupts off page tables
 * are not freed, see tlb_remove_table_sync_one(). Returns 0 if nothing is mapped.
 */
static unsigned long relaxed_tlb_walk(struct mm_struct *mm, unsigned long address)
{
	unsigned long entry = 0;
	pgd_t *pgdp, pgd;
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t *pmdp, pmd;
	pte_t *ptep;

	pgdp = pgd_offset(mm, address);
	pgd = pgdp_get(pgdp);
	if (pgd_none(pgd) || pgd_bad(pgd))
		return 0;

	p4dp = p4d_offset_lockless(pgdp, pgd, address);
	p4d = p4dp_get(p4dp);
	if (!p4d_present(p4d) || p4d_leaf(p4d) || p4d_bad(p4d))
		return 0;

	pudp = pud_offset_lockless(p4dp, p4d, address);
	pud = pudp_get(pudp);
	if (!pud_present(pud))
		return 0;
	if (pud_leaf(pud))
		return pud_val(pud);
	if (pud_bad(pud))
		return 0;

	pmdp = pmd_offset_lockless(pudp, pud, address);
	pmd = pmdp_get_lockless(pmdp);
	if (!pmd_present(pmd))
		return 0;
	if (pmd_leaf(pmd))
		return pmd_val(pmd);

	ptep = pte_offset_map(&pmd, address);
	if (ptep) {
		entry = pte_val(ptep_get_lockless(ptep));
		pte_unmap(ptep);
	}
	return entry;
}
NOKPROBE_SYMBOL(relaxed_tlb_walk);

/*
 * The fault may be one of those that relaxed flushes leave behind: it is, if the page
 * table permits the access.
 */
static noinline bool relaxed_tlb_look_up(struct mm_struct *mm, unsigned long address,
					 enum relaxed_tlb_access access,
					 struct relaxed_tlb_slot *slot, u64 gen)
{
	if (!arch_relaxed_tlb_permits(relaxed_tlb_walk(mm, address), access))
		return false;

	if (slot->narrow < RELAXED_TLB_NARROW_REPAIRS &&
	    slot->gen >= READ_ONCE(mm->relaxed_tlb.wide)) {
		arch_relaxed_tlb_flush_page(mm, address & PAGE_MASK);
		slot->narrow++;
	} else {
		/* [4], [5] */
		arch_relaxed_tlb_flush_all(mm);
		relaxed_tlb_caught_up(slot, gen);
	}

	count_vm_event(NR_TLB_RELAXED_REPAIR);
	trace_tlb_flush(TLB_RELAXED_REPAIR, 1);
	return true;
}
NOKPROBE_SYMBOL(relaxed_tlb_look_up);

/**
 * relaxed_tlb_repair() - Repair a spurious fault that a relaxed flush has left behind
 * @mm: The mm of this task, for which relaxed_tlb_is_used().
 * @address: User address that the access went to.
 * @access: What was not permitted.
 * @moved: Whether the task may have left the CPU of the fault, and has nobody but
 *	   this function to recognize a spurious fault.
 *
 * If this CPU has not caught up with the relaxed generation of the mm, and the page
 * table permits the access, flush the TLB of this CPU.  After a large upgrade that
 * is all entries of the mm, so there is one such fault per CPU and upgrade; after
 * small ones, the page.
 *
 * For the fault handler of an architecture, before it takes any lock and before it
 * gives up because page faults are disabled.
 *
 * Context: Any; in NMI no fault is repaired.
 * Return: true if the access is to be repeated; false if the fault is an ordinary one.
 */
bool relaxed_tlb_repair(struct mm_struct *mm, unsigned long address,
			enum relaxed_tlb_access access, bool moved)
{
	struct relaxed_tlb_slot *slot;
	bool repaired = false;
	unsigned long flags;
	u64 gen;

	if (in_nmi())
		return false;

	local_irq_save(flags);
	if (arch_relaxed_tlb_loaded(mm)) {
		/* [3]. Pairs with the atomic of relaxed_tlb_flush(); also for the id. */
		gen = atomic64_read_acquire(&mm->relaxed_tlb.gen);
		slot = relaxed_tlb_slot(READ_ONCE(mm->relaxed_tlb.id));

		/*
		 * Most faults are ordinary, on a CPU that has caught up.  That of
		 * another CPU can be spurious, but not time and again.
		 */
		if (unlikely(slot->gen < gen) ||
		    (moved && slot->narrow < RELAXED_TLB_NARROW_REPAIRS))
			repaired = relaxed_tlb_look_up(mm, address, access, slot, gen);
	}
	local_irq_restore(flags);
	return repaired;
}
NOKPROBE_SYMBOL(relaxed_tlb_repair);
