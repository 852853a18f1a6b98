/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The relaxed flush, its generation, and the fault handler: two pages of one mm
 * are upgraded, perhaps by two gathers at once, while all CPUs access them.
 *
 * -DARM64: stores become visible in any order, table walkers see them later
 * still, a fault leaves the TLB entry in place. Otherwise x86: FIFO store
 * buffers, atomic operations drain them, a fault evicts the TLB entry.
 * -DMPROTECT: upgrades hold the mmap lock for writing, faults wait for it.
 * -DMIGRATE: threads share the CPUs, and change them wherever they can be
 * preempted.
 * -DLIES: what a CPU remembers is anything, each time it is looked at.
 * -DFORGETS: a CPU catches up with another mm at any time.
 * -DLOOK_WRONG: the look at the page without a lock always says "permitted".
 */
#include "common.h"

#ifndef NCPU
#define NCPU	2
#endif
#ifdef MIGRATE
#define UPGRADES	1
#else
#define UPGRADES	2
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

byte gen;			/* mm->relaxed_tlb_gen */
byte pending;			/* mm->tlb_flush_pending */
byte memory[NCPU];		/* the generation that a CPU has caught up with */

/* Only checked, no part of the protocol. */
byte gen_of[3];			/* of the flush that upgraded the page; 0: strict */
byte several;			/* upgraded by a flush of more than one entry */
byte charged;			/* flushes that CPU 0 took a spurious fault for */

/*
 * Property 5 in parts, for not all of them hold for CPUs that threads share, or
 * that forget: what a CPU remembers is true; one fault for a flush, no -EFAULT;
 * a CPU catches up once with a generation.
 */
#if defined(LIES) || defined(UNCOUNTED)
#define is_true(condition)	skip
#define is_one_fault(condition)	skip
#define is_once(condition)	skip
#else
#define is_true(condition)	holds(5, condition)
#ifdef MIGRATE
#define is_one_fault(condition)	skip
#else
#define is_one_fault(condition)	holds(5, condition)
#endif
#ifdef FORGETS
#define is_once(condition)	skip
#else
#define is_once(condition)	holds(5, condition)
#endif
#endif

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

#ifdef FORGETS
proctype other_mm(byte c)
{
end:	do
	:: atomic { memory[c] != 0 -> memory[c] = 0 }
	od
}
#endif

#ifdef MIGRATE
/* To another CPU, which is a full barrier. The access is then a new one. */
#define preempt()							\
	if								\
	:: atomic { cpu = (cpu + 1) % NCPU; drain(me); repairs = 0 }	\
	:: skip								\
	fi
bit irqs_off[NCPU];
#define irqs_are_on		(!irqs_off[cpu])
#else
#define preempt()		skip
#define irqs_are_on		1
#endif

#if defined(MIGRATE) && !defined(IRQS_ON)
#define local_irq_disable()	atomic { irqs_are_on -> irqs_off[cpu] = 1 }
#define local_irq_enable()	irqs_off[cpu] = 0
#define preempt_irqs_on()	skip
#else
#define local_irq_disable()	skip
#define local_irq_enable()	skip
#define preempt_irqs_on()	preempt()
#endif

/* ---- mm/relaxed_tlb.c ---- */

#if defined(ARM64) && !defined(NO_DSB)
#define order_writes()	drain(me); dsb(changed)
#else
#define order_writes()	skip
#endif

/* x86 knows no other atomic operation. */
#if defined(ARM64) && defined(NO_FULL_BARRIER)
#define full_barrier()	skip
#else
#define full_barrier()	drain(me)
#endif

/* RELAXED_TLB_SINGLE: so many flushes of one page may be missed. */
#define SINGLE	1

#ifdef WIDE_AS_SINGLE
#define weight()		1
#else
#define weight()		(wide -> SINGLE + 1 : 1)
#endif

/* Of several entries, which need not be in the model; of one. */
#define weigh()								\
	if								\
	:: wide = 1							\
	:: changed != BOTH -> wide = 0					\
	fi

#ifdef GEN_NOT_ADVANCED
#define advance_generation()	atomic { full_barrier(); weigh(); new = gen }
#else
#define advance_generation()						\
	atomic { full_barrier(); weigh(); gen = gen + weight(); new = gen }
#endif

#if defined(LIES) || defined(UNCOUNTED)
#define belongs_to(flush)	skip
#define many()			skip
#else
#define belongs_to(flush)						\
	if								\
	:: changed & A -> gen_of[A] = flush				\
	:: else								\
	fi;								\
	if								\
	:: changed & B -> gen_of[B] = flush				\
	:: else								\
	fi
#define many()			several = several | changed
#endif

inline relaxed_tlb_flush()
{
	atomic { order_writes() };
	preempt();
	if
	:: skip					/* another mm is loaded */
	:: d_step { drain(me); dsb(changed); stale[cpu] = stale[cpu] & ~changed }
	fi;
#ifndef GEN_FIRST
	advance_generation();
#endif
	atomic {
		if
		:: wide -> many()
		:: !wide
		fi;
		belongs_to(new);
		new = 0; wide = 0
	}
}

/* The DSB is for what this CPU has seen: the entry of its fault. */
#ifdef NO_FLUSH
#define flush_all()		skip
#else
#define flush_all()		stale[cpu] = 0; dsb(page)
#endif

#ifdef NOT_REMEMBERED
byte caught_up_at[NCPU];
#else
#define caught_up_at	memory
#endif
#define remember()	is_once(caught_up_at[cpu] < g); caught_up_at[cpu] = g

#ifdef LIES
#define is_behind(g)	true
#define is_caught_up(g)	true
#else
#define is_behind(g)	(memory[cpu] < (g))
#define is_caught_up(g)	(memory[cpu] >= (g))
#endif

/* With irqs off, after is_behind(). */
inline relaxed_tlb_catch_up()
{
#ifdef GEN_READ_LATE
	atomic { flush_all() };
	preempt_irqs_on();
	d_step { g = gen; remember(); all = 1; g = 0 }
#else
	g = gen;
	preempt_irqs_on();
#ifdef IRQS_ON
	atomic { flush_all() };
	preempt();
	d_step { remember(); all = 1; g = 0 }
#else
	d_step { flush_all(); remember(); all = 1; g = 0 }
#endif
#endif
}

/* The limit is lower here than it is, and may be lower still: a CPU may always catch up. */
inline relaxed_tlb_repair()
{
	local_irq_disable();
	if
	:: gen != 0 && is_behind(gen) -> relaxed_tlb_catch_up()
	:: gen <= SINGLE || is_caught_up(gen - SINGLE)
	fi;
	local_irq_enable()
}

#ifdef LOOK_WRONG
#define look_permits	true
#define look_denies	false
#else
#define look_permits	(pte & page)
#define look_denies	(!(pte & page))
#endif

inline relaxed_tlb_repair_early()
{
	g = gen;
	if
#if defined(NO_EARLY)
	:: true
	:: false ->
#elif defined(EARLY_NOT_BOUNDED)
	:: g == 0
	:: g != 0 ->
#else
	:: g == 0 || is_caught_up(g)
	:: g != 0 && is_behind(g) ->
#endif
		if
		:: look_denies
		:: look_permits ->
			local_irq_disable();
			if
#ifdef EARLY_NOT_BOUNDED
			:: true -> atomic { flush_all() }; all = 1
#else
			:: is_behind(g) -> relaxed_tlb_catch_up()
			:: is_caught_up(g)
#endif
			fi;
			local_irq_enable()
		fi
	fi;
	g = 0
}

/* ---- the fault handler ---- */

/* A spurious fault was repaired: none other for this flush. */
#if defined(MIGRATE) || defined(LIES) || defined(UNCOUNTED)
#define charge(page)	skip
#else
#define charge(page)							\
	if								\
	:: told && (pte & page) ->					\
		is_one_fault(all || !(several & page));			\
		if							\
		:: cpu == 0 ->						\
			is_one_fault(!(charged & (1 << gen_of[page])));	\
			charged = charged | (1 << gen_of[page])		\
		:: else							\
		fi							\
	:: else								\
	fi
#endif

#ifdef MPROTECT
bit writer;			/* the mmap lock is held for writing */
byte readers;
#define mmap_read_lock()	atomic { !writer -> readers++ }
#define mmap_read_unlock()	readers--
#else
#define mmap_read_lock()	skip
#define mmap_read_unlock()	skip
#endif

/* Writes and fetches, also when the fault was retried. x86: the fault has done it. */
#if defined(ARM64) && !defined(NO_PAGE_FLUSH)
#define fix_spurious_fault()						\
	atomic { stale[cpu] = stale[cpu] & ~page; dsb(page) }
#else
#define fix_spurious_fault()	skip
#endif

/*
 * handle_mm_fault(), with the page table lock held. The VMA permits what the
 * entry permits, and mprotect() changes both under the lock.
 */
inline handle_fault()
{
	if
#ifdef FETCH_IS_VIOLATION
	/* A fetch met a present entry. */
	:: holds(2, !told)
#endif
	:: pte & page ->
		relaxed_tlb_repair();
		preempt();
		if
		:: all
		:: !all -> fix_spurious_fault()
		fi;
		repaired = 1
	/* An error, or an ordinary fault. */
	:: !(pte & page) -> holds(2, !told)
	fi
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

inline tlb_finish_mmu()
{
	if
#if defined(NESTED_RELAXED)
	:: pending > 1 && !changed -> strict_flush()
#elif !defined(NESTED_IGNORED)
	:: pending > 1 -> strict_flush()
#endif
	:: else ->
#ifndef ARM64
		if
		:: changed -> relaxed_tlb_flush()
		:: else
		fi
#endif
	fi
}

/*
 * tlb_gather_mmu(), change_protection(), tlb_finish_mmu(). On arm64 a gather is
 * flushed at the end of the VMA, where nobody asks whether it is nested.
 */
inline upgrade()
{
	atomic {
#ifdef MPROTECT
		upgrades < UPGRADES && !writer && readers == 0 -> upgrades++; writer = 1;
#else
		upgrades < UPGRADES -> upgrades++;
#endif
		if
		:: range = A
		:: range = B
		:: range = BOTH
		fi;
#ifndef NO_PENDING
		pending++
#endif
	};
#ifdef GEN_FIRST
	advance_generation();
#endif
	write_entries();
#ifdef ARM64
	if
	:: changed -> relaxed_tlb_flush()
	:: else
	fi;
#endif
	tlb_finish_mmu();
	/* Whatever tells user space of it is a release. */
	atomic {
		stored[me] == 0 ->
#ifndef NO_PENDING
		pending--;
#endif
#ifdef MPROTECT
		writer = 0;
#endif
		returned = returned | range;
		range = 0; changed = 0; new = 0
	}
}

/* An access that finds the permission changes nothing, and is left out. */
#define faults(page)	(!(walker & page) || (stale[cpu] & page))

#define take_fault()							\
	/* No more repairs than generations, and then one. */		\
	holds(3, repairs <= gen + 1);					\
	told = (returned & page) != 0;					\
	if								\
	:: told -> is_true(memory[cpu] < gen_of[page])			\
	:: else								\
	fi;								\
	faulting_entry

#define done()	repairs = 0; told = 0; nofault = 0; page = 0; break

inline access()
{
	atomic {
		if
		:: irqs_are_on && faults(A) -> page = A
		:: irqs_are_on && faults(B) -> page = B
		fi;
		if
		:: nofault = 0
		:: nofault = 1		/* a write, with page faults disabled */
		fi;
		take_fault()
	};
	do
	:: preempt();
	   if
	   :: nofault ->
		relaxed_tlb_repair_early();
		atomic {
			repaired = all;
			is_one_fault(repaired || !told)	/* -EFAULT */
		}
	   :: !nofault ->
#ifdef MPROTECT
		if
		:: writer -> relaxed_tlb_repair_early(); repaired = all
		:: true			/* nobody holds it, or it is a fetch */
		fi;
#endif
		if
		:: repaired
		:: !repaired ->
			mmap_read_lock();
			handle_fault();
			mmap_read_unlock()
		fi
	   fi;
	   if
	   :: atomic { repaired -> charge(page); repairs++; repaired = 0; all = 0; told = 0 }
	   :: atomic { !repaired -> done() }
	   fi;
	   if
	   :: atomic { irqs_are_on && faults(page) -> take_fault() }
	   :: atomic { irqs_are_on && !faults(page) -> done() }
	   fi
	od
}

proctype thread(byte me)
{
	byte cpu = me;
	byte range, changed, new, page, repairs, g, c;
	bit nofault, told, all, repaired, wide;

end:	do
	:: access()
	:: upgrade()
	/* A write fault that set the dirty bit: a guess. */
	:: gen != 0 ->
		mmap_read_lock();
		relaxed_tlb_repair();
		all = 0;
		mmap_read_unlock()
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
#ifdef FORGETS
			run other_mm(c);
#endif
			c++
		:: else -> c = 0; break
		od;
#ifdef ARM64
		run table_walker();
#endif
	}
}
