/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Strict flushes among relaxed ones: mprotect() on one CPU gives and takes the
 * permission of two pages in one gather, while the other CPU writes, faults,
 * and switches to another mm and back.
 *
 * x86: context.tlb_gen, mm_cpumask(), IPIs; ASIDs keep their entries while
 * another mm is loaded. -DARM64: broadcast TLBI, and stores become visible in
 * any order. The CPU of mprotect() runs nothing else here, and its own TLB is
 * left out; what a relaxed flush does for it is in relaxed.pml.
 *
 * There is no relaxed generation here. A spurious fault removes its own entry;
 * that it may flush more, as the memory of a CPU says, or lies, is in what the
 * TLB may evict at any time.
 */
#include "common.h"

#define NONE	0
#define LESS	1		/* does not permit a write */
#define FULL	2
#define OPS	4		/* calls of mprotect() */

bit pte[2];			/* 1: writable; as others see it */
bit stored[2], store[2];	/* store buffer of mprotect()'s CPU: is there, what */
bit revoked[2];			/* mprotect(PROT_READ) has returned */
bit granted[2];			/* mprotect(PROT_READ | PROT_WRITE) has */
byte tlb_gen;			/* mm->context.tlb_gen */
bit in_cpumask = 1;		/* mm_cpumask() has the other CPU */
bit ipi;			/* under way */
byte range;			/* what it is to flush: a set of pages */

/* The other CPU. */
bit loaded = 1;			/* the mm */
byte local_tlb_gen;
byte tlb[2];
bit told;			/* the access under way must get through */
byte page;

#define commit(p)							\
	if								\
	:: stored[p] -> pte[p] = store[p]; stored[p] = 0		\
	:: else								\
	fi
#define drain()		commit(0); commit(1)

proctype store_buffer()
{
end:	do
	:: atomic { stored[0] -> commit(0) }
#ifdef ARM64
	:: atomic { stored[1] -> commit(1) }
#else
	:: atomic { stored[1] && !stored[0] -> commit(1) }
#endif
	od
}

/* A CPU fills the TLB for the mm that is loaded, and evicts what it likes. */
proctype tlb_entry(byte p)
{
end:	do
	:: atomic { loaded && tlb[p] == NONE -> tlb[p] = (pte[p] -> FULL : LESS) }
	:: atomic { tlb[p] != NONE -> tlb[p] = NONE }
	od
}

/* User space of the other CPU, while it is not in the kernel. */
#define writes(p)	(tlb[p] == FULL && loaded && user_mode)
bit user_mode = 1;

proctype writer()
{
end:	do
	:: atomic { writes(0) -> holds(1, !revoked[0]) }
	:: atomic { writes(1) -> holds(1, !revoked[1]) }
	od
}

#define flush_tlb(pages)						\
	if								\
	:: (pages) & 1 -> tlb[0] = NONE					\
	:: else								\
	fi;								\
	if								\
	:: (pages) & 2 -> tlb[1] = NONE					\
	:: else								\
	fi
#define ALL	3

/* ---- mprotect()'s CPU ---- */

inline strict_flush()
{
#ifdef ARM64
#ifndef STRICT_NO_BARRIER
	atomic { drain() };
#endif
	d_step { flush_tlb(recorded) };
	atomic { drain() }
#else
#ifdef STRICT_NO_BARRIER
	send = in_cpumask;
	atomic { drain(); tlb_gen++ };
#else
	atomic { drain(); tlb_gen++ };
	send = in_cpumask;
#endif
	if
	:: send -> atomic { ipi = 1; range = recorded };
#ifndef IPI_NOT_AWAITED
		!ipi
#endif
	:: else
	fi;
	send = 0
#endif
}

/* Its generation is in relaxed.pml. */
inline relaxed_flush()
{
#ifndef TLB_GEN_SHARED
	atomic { drain() }
#else
	atomic { drain(); tlb_gen++ }
#endif
}

/* __tlb_adjust_range(): from the start of a page to its end. */
#ifdef RANGE_TRUNCATED
/* Or to its start, for its size is 0 as an unsigned int. */
#define record(p)							\
	if								\
	:: recorded = recorded | (1 << p)				\
	:: skip								\
	fi
#else
#define record(p)	recorded = recorded | (1 << p)
#endif

/* One entry, recorded as strict, or by the recorder of relaxed changes. */
inline change(p)
{
	if
	:: skip
	:: atomic {
		!pte[p] ->
		stored[p] = 1; store[p] = 1; revoked[p] = 0;
		record(p);
#ifdef STRICT_FORGOTTEN
		strict = 0;
#endif
		relaxed = 1
	   }
	:: atomic {
		pte[p] ->
		stored[p] = 1; store[p] = 0; granted[p] = 0;
		record(p);
		if
		:: page == p -> told = 0
		:: else
		fi;
#if defined(STRICT_AS_RELAXED)
		relaxed = 1
#elif defined(RELAXED_FIRST_STAYS)
		strict = !relaxed
#else
		strict = 1
#endif
	   }
	fi
}

proctype mprotect()
{
	bit strict, relaxed, send;
	byte ops, recorded;

	do
	:: ops < OPS ->
		ops++;
		change(0);
		change(1);
		if
		:: strict -> strict_flush()
		:: !strict && relaxed -> relaxed_flush()
		:: else
		fi;
		d_step {
			revoked[0] = !pte[0] && !stored[0]; granted[0] = pte[0] && !stored[0];
			revoked[1] = !pte[1] && !stored[1]; granted[1] = pte[1] && !stored[1];
			strict = 0; relaxed = 0; recorded = 0
		}
	:: else -> break
	od
}

/* ---- the other CPU ---- */

/* flush_tlb_func() */
inline take_ipi()
{
	atomic {
		ipi ->
		if
		:: loaded && local_tlb_gen < tlb_gen ->
			/* One that missed nothing is behind by one. */
			holds(6, local_tlb_gen == tlb_gen - 1);
			flush_tlb(range);
			local_tlb_gen = tlb_gen
		:: else
		fi;
		ipi = 0; range = 0
	}
}

/* switch_mm_irqs_off() */
inline switch_mm()
{
	atomic { loaded -> loaded = 0; user_mode = 0 };
	in_cpumask = 0;
	/* The other mm runs. */
	do
	:: take_ipi()
	:: break
	od;
#ifdef SWITCH_NO_BARRIER
	g = tlb_gen;
	in_cpumask = 1;
#else
	in_cpumask = 1;
	g = tlb_gen;
#endif
	d_step {
#ifndef SWITCH_NO_FLUSH
		if
		:: local_tlb_gen < g -> flush_tlb(ALL); local_tlb_gen = g
		:: else
		fi;
#endif
		loaded = 1; user_mode = 1; g = 0
	}
}

#define faults(p)	(tlb[p] == LESS || (tlb[p] == NONE && !pte[p]))
#ifdef ARM64
#define faulting_entry(p)	skip
#else
#define faulting_entry(p)	tlb[p] = NONE
#endif

#ifdef ARM64
#define fix_spurious_fault(p)	tlb[p] = NONE
#else
#define fix_spurious_fault(p)	skip		/* the fault has done it */
#endif

proctype cpu()
{
	byte g;

end:	do
	:: take_ipi()
	:: switch_mm()
	:: atomic {
		if
		:: faults(0) -> page = 0
		:: faults(1) -> page = 1
		fi;
		told = granted[page]
	   };
	   do
	   :: take_ipi()
	   :: atomic { !faults(page) -> break }
	   :: atomic { faults(page) -> user_mode = 0; faulting_entry(page) };
		if
		:: atomic { pte[page] -> fix_spurious_fault(page) };
#ifdef REPAIR_SETS_TLB_GEN
			local_tlb_gen = tlb_gen;
#endif
			user_mode = 1
		:: !pte[page] -> user_mode = 1; holds(2, !told); break
		fi
	   od;
	   atomic { told = 0; page = 0 }
	od
}

init
{
	atomic {
		if
		:: pte[0] = 1; granted[0] = 1
		:: revoked[0] = 1
		fi;
		pte[1] = 1; granted[1] = 1;
		run mprotect();
		run store_buffer();
		run cpu();
		run writer();
		run tlb_entry(0);
		run tlb_entry(1)
	}
}
