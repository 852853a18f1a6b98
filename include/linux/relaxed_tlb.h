/* SPDX-License-Identifier: GPL-2.0 */
/* Flush TLBs after permissions were added: see mm/relaxed_tlb.c. */
#ifndef _LINUX_RELAXED_TLB_H
#define _LINUX_RELAXED_TLB_H

#include <linux/mm_types.h>
#include <linux/percpu.h>

/**
 * enum relaxed_tlb_access - What an access was that faulted
 * @RELAXED_TLB_WRITE: A store, by the user or by the kernel for the user.
 * @RELAXED_TLB_EXEC: An instruction fetch of the user.
 *
 * Reading is no such access: a user entry that does not permit to read is not
 * present, so no TLB holds it.
 */
enum relaxed_tlb_access {
	RELAXED_TLB_WRITE,
	RELAXED_TLB_EXEC,
};

#ifdef CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH
void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end,
		       unsigned int stride_shift);
bool relaxed_tlb_repair(struct mm_struct *mm, unsigned long address,
			enum relaxed_tlb_access access, bool moved);

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
	mm->relaxed_tlb = (struct relaxed_tlb) { };
}

/**
 * relaxed_tlb_is_used() - Has an mm ever had a relaxed flush?
 * @mm: The mm.
 *
 * What a fault handler asks first: no fault of other mms is spurious because of one,
 * and they pay for nothing but this.
 *
 * Context: Any.
 * Return: true if relaxed_tlb_repair() may have something to do.
 */
static __always_inline bool relaxed_tlb_is_used(const struct mm_struct *mm)
{
	return unlikely(atomic64_read(&mm->relaxed_tlb.gen));
}

/**
 * struct relaxed_tlb_slot - What a CPU remembers of the TLB entries of an mm
 * @id: Of which mm.
 * @gen: The relaxed generation that the CPU has caught up with.
 * @narrow: How many faults were repaired since then by flushing a page alone.
 *
 * Only its CPU touches it, and only mm/relaxed_tlb.c changes it, with interrupts off.
 */
struct relaxed_tlb_slot {
	u64		id;
	u64		gen;
	unsigned int	narrow;
};

/* How many mms a CPU remembers; a few more than it can hold in its TLB. */
#define RELAXED_TLB_SLOTS	8

DECLARE_PER_CPU(struct relaxed_tlb_slot[RELAXED_TLB_SLOTS], relaxed_tlb_slots);

/* The slot that an mm would have; ids are given one after the other. */
static __always_inline struct relaxed_tlb_slot *relaxed_tlb_slot_of(u64 id)
{
	return this_cpu_ptr(&relaxed_tlb_slots[id % RELAXED_TLB_SLOTS]);
}

/**
 * relaxed_tlb_has_caught_up() - Has this CPU caught up with all relaxed flushes?
 * @mm: The mm of this task, for which relaxed_tlb_is_used().
 *
 * For a fault handler, before it calls relaxed_tlb_repair(), which would do no more
 * about such a fault: most faults are ordinary, on a CPU that has caught up.
 *
 * Context: Preemption is off.
 * Return: true if a fault of this CPU is ordinary.
 */
static __always_inline bool relaxed_tlb_has_caught_up(struct mm_struct *mm)
{
	/* [3] of mm/relaxed_tlb.c; an acquire also for the id. */
	u64 gen = atomic64_read_acquire(&mm->relaxed_tlb.gen);
	u64 id = READ_ONCE(mm->relaxed_tlb.id);
	const struct relaxed_tlb_slot *slot = relaxed_tlb_slot_of(id);

	return slot->id == id && slot->gen >= gen;
}
#else
static inline void relaxed_tlb_flush(struct mm_struct *mm, unsigned long start,
				     unsigned long end, unsigned int stride_shift)
{
}

static inline void relaxed_tlb_init(struct mm_struct *mm)
{
}
#endif /* CONFIG_ARCH_HAS_RELAXED_TLB_FLUSH */

#endif /* _LINUX_RELAXED_TLB_H */
