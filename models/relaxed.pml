/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The relaxed flush, its generation, and the repair: two pages of one mm are
 * upgraded, also in two flushes at once, while all CPUs access them.
 *
 * Each access is one that must not be answered with an error once the upgrade
 * has returned: a fetch, or a write with page faults disabled.
 *
 * -DARM64: stores become visible in any order, table walkers see them later
 * still, a fault leaves the TLB entry in place. Otherwise x86: FIFO store
 * buffers, atomic operations drain them, a fault evicts the TLB entry.
 * -DDIRECT: each thread upgrades a page of its own, and no gather knows of
 * both, as for two hugetlb mappings.
 * -DMIGRATE: threads change the CPU wherever they can be preempted.
 */
#include "common.h"

#ifndef NCPU
#define NCPU	2
#endif

/* Sets of pages. */
#define A	1
#define B	2
#define BOTH	(A | B)

byte pte;			/* permit the access, as others see them */
byte stored[NCPU];		/* store buffer: written, not yet in pte */
byte stale[NCPU];		/* TLB: entry without the permission */
byte returned;			/* the upgrade returned: user space may know */
byte upgrades;

byte gen, wide;			/* mm->relaxed_tlb */
byte pending;			/* mm->tlb_flush_pending */

typedef slot_of {
	byte gen, narrow
};
slot_of slot[NCPU];

/* Only checked, no part of the protocol. */
byte full_at[NCPU];		/* generation of the last full repair */
byte wide_returned;		/* last wide flush that returned */

/* ---- hardware ---- */

#define drain(thread)	pte = pte | stored[thread]; stored[thread] = 0

#ifdef ARM64
byte walker;			/* pte, as table walkers see it */
#define dsb(pages)		walker = walker | (pte & (pages))
#define faulting_entry		stale[cpu] = stale[cpu] | page
#else
#define walker			pte
#define dsb(pages)		skip
#define faulting_entry		stale[cpu] = stale[cpu] & ~page
#endif

/*
 * An entry with the permission and no entry are the same here: permissions are
 * only added, so what is filled next has it as soon as walkers see it.
 */
proctype tlb_entry(byte c; byte page)
{
end:	do
	:: atomic { !(walker & page) && !(stale[c] & page) -> stale[c] = stale[c] | page }
	:: atomic { stale[c] & page -> stale[c] = stale[c] & ~page }
	od
}

proctype store_buffer(byte t)
{
end:	do
	:: atomic { stored[t] & A -> pte = pte | A; stored[t] = stored[t] & ~A }
#ifdef ARM64
	:: atomic { stored[t] & B -> pte = pte | B; stored[t] = stored[t] & ~B }
#else
	:: atomic { stored[t] == B -> pte = pte | B; stored[t] = 0 }
#endif
	od
}

#ifdef ARM64
proctype table_walker()
{
end:	do
	:: atomic { (pte & A) && !(walker & A) -> walker = walker | A }
	:: atomic { (pte & B) && !(walker & B) -> walker = walker | B }
	od
}
#endif

#ifdef MIGRATE
/* To another CPU, which is a full barrier. The access is then a new one. */
#define preempt()							\
	if								\
	:: atomic { cpu = (cpu + 1) % NCPU; drain(me); repaired = 0 }	\
	:: skip								\
	fi
bit irqs_off[NCPU];
#define local_irq_disable()	atomic { irqs_are_on -> irqs_off[cpu] = 1 }
#define local_irq_enable()	irqs_off[cpu] = 0
#define irqs_are_on		(!irqs_off[cpu])
#else
#define preempt()		skip
#define local_irq_disable()	skip
#define local_irq_enable()	skip
#define irqs_are_on		1
#endif

/* ---- mm/relaxed_tlb.c ---- */

#if defined(ARM64) && !defined(NO_DSB)
#define order_writes()	drain(me); dsb(range)
#else
#define order_writes()	skip
#endif

/* x86 knows no other atomic operation. */
#if defined(ARM64) && defined(NO_FULL_BARRIER)
#define full_barrier()	skip
#else
#define full_barrier()	drain(me)
#endif

inline advance_generation()
{
	atomic { order_writes() };
#if defined(GEN_NOT_ADVANCED)
	atomic { full_barrier(); new = gen };
#elif defined(GEN_NOT_ATOMIC)
	atomic { full_barrier(); new = gen + 1 };
	gen = new;
#else
	atomic { full_barrier(); gen++; new = gen };
#endif
}

inline relaxed_tlb_flush()
{
#ifndef GEN_FIRST
	advance_generation();
#endif
	if
#ifdef WIDE_STORED
	:: is_wide -> wide = new
#else
	:: is_wide -> atomic { wide = (new > wide -> new : wide) }
#endif
	:: else
	fi;
	preempt();
	if
	:: skip					/* another mm is loaded */
	:: local_irq_disable();
	   d_step {
		drain(me); dsb(range);
		if
		:: is_wide -> stale[cpu] = 0;
			slot[cpu].gen = new; slot[cpu].narrow = 0
		:: else ->
			stale[cpu] = stale[cpu] & ~changed;
			if
#ifdef SLOT_JUMPS
			:: slot[cpu].gen < new -> slot[cpu].gen = new
#else
			:: slot[cpu].gen == new - 1 -> slot[cpu].gen = new
#endif
			:: else
			fi
		fi
	   };
	   local_irq_enable()
	fi;
	if
	:: atomic { is_wide && new > wide_returned -> wide_returned = new }
	:: else
	fi
}

#ifdef NO_FLUSH
#define local_flush(pages)	skip
#else
#define local_flush(pages)	stale[cpu] = stale[cpu] & ~(pages); dsb(page)
#endif

#define narrow_repair()							\
	local_flush(page); slot[cpu].narrow++

#ifdef SLOT_NOT_ADVANCED
#define remember_everything()						\
	holds(5, full_at[cpu] < g); full_at[cpu] = g; slot[cpu].narrow = 0
#else
#define remember_everything()						\
	holds(5, full_at[cpu] < g); full_at[cpu] = g;			\
	slot[cpu].gen = g; slot[cpu].narrow = 0
#endif

#define is_narrow	(slot[cpu].narrow < NARROW)

#ifdef NO_WALK
#define permitted	true
#else
#define permitted	(pte & page)
#endif

/* Sets repaired, or leaves it 0: an ordinary fault. */
inline relaxed_tlb_repair()
{
	g = gen;
	if
#ifdef MOVED
	:: slot[cpu].gen >= g && !is_narrow
#else
	:: slot[cpu].gen >= g
#endif
	:: else ->
		if
		:: permitted ->
			atomic { w = wide; holds(5, w >= wide_returned) };
			if
			:: d_step { slot[cpu].gen >= w && is_narrow -> narrow_repair() }
#ifdef GEN_READ_LATE
			:: atomic { else -> local_flush(BOTH) }
			   atomic { g = gen; remember_everything() }
#else
			:: d_step { else -> local_flush(BOTH); remember_everything() }
#endif
			fi;
			repaired = 1
		:: else
		fi
	fi;
	local_irq_enable();
	g = 0; w = 0
}

/* ---- callers ---- */

/*
 * x86: tlb_gen and IPIs, arm64: broadcast; strict.pml looks inside. That CPUs
 * may flush earlier than the last is in what the TLB may evict.
 */
inline strict_flush()
{
	d_step { drain(me); dsb(range); c = 0;
		do
		:: c < NCPU -> stale[c] = 0; c++
		:: else -> c = 0; break
		od
	}
}

#if NCPU == 2
#define stored_by_all	(stored[0] | stored[1])
#else
#define stored_by_all	(stored[0] | stored[1] | stored[2])
#endif

/*
 * One step, for the store buffer delays what it does. The unlock is a release:
 * the next holder of the page table lock waits for all stores of the last.
 */
inline write_entries()
{
	atomic {
		stored_by_all == 0 ->
		changed = range & ~pte;
		stored[me] = changed
	}
}
/* tlb_gather_mmu(), change_protection(), tlb_finish_mmu(): mmap read lock */
inline upgrade()
{
	atomic {
		upgrades < 2 -> upgrades++;
#ifdef DIRECT
		range = (me == 0 -> A : B);
#else
		if
		:: range = A
		:: range = B
		:: range = BOTH
		fi;
#endif
		if
		:: is_wide = 0
		:: is_wide = 1	/* with pages that are not in the model */
		fi
#ifndef NO_PENDING
		; pending++
#endif
	};
#ifdef GEN_FIRST
	advance_generation();
#endif
	write_entries();
	if
#if defined(NESTED_RELAXED)
	:: pending > 1 && !changed -> strict_flush()
#elif !defined(NESTED_IGNORED) && !defined(DIRECT)
	:: pending > 1 -> strict_flush()
#endif
	:: else ->
		if
		:: changed -> relaxed_tlb_flush()
		:: else
		fi
	fi;
	/* Whatever tells user space of it is a release. */
	atomic {
		stored[me] == 0 ->
#ifndef NO_PENDING
		pending--;
#endif
		returned = returned | range;
		range = 0; is_wide = 0; new = 0; changed = 0
	}
}

/* An access that finds the permission changes nothing, and is left out. */
#define faults(page)	(!(walker & page) || (stale[cpu] & page))

inline access()
{
	atomic {
		if
		:: faults(A) -> page = A
		:: faults(B) -> page = B
		fi;
		told = returned & page
	};
	do
	:: atomic {
		irqs_are_on && faults(page) ->
#ifndef IRQS_ON
		local_irq_disable();
#endif
		holds(3, !repaired);	/* repaired once, it gets through */
		faulting_entry
	   };
#ifdef IRQS_ON
	   preempt();
	   local_irq_disable();
#endif
	   relaxed_tlb_repair();
	   if
	   :: repaired
	   :: else -> holds(2, !told); break
	   fi
	:: atomic { irqs_are_on && !faults(page) -> break }
	od;
	atomic { repaired = 0; told = 0; page = 0 }
}

proctype thread(byte me)
{
	byte cpu = me;
	byte range, changed, new, page, told, g, w, c;
	bit is_wide, repaired;

end:	do
	:: access()
	:: upgrade()
#ifdef MIGRATE
	:: atomic { cpu = (cpu + 1) % NCPU; drain(me) }
#endif
	od
}

init
{
	byte c;

	atomic {
		do
		:: c < NCPU ->
			run thread(c);
			run store_buffer(c);
			run tlb_entry(c, A);
			run tlb_entry(c, B);
			c++
		:: else -> c = 0; break
		od;
#ifdef ARM64
		run table_walker();
#endif
	}
}
