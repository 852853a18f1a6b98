/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Gathers under the mmap lock held for reading: userfaultfd protects and
 * unprotects a page at the same time, KSM or fork makes it shared, a thread
 * writes through whatever its TLB holds, or faults.
 *
 * Page table accesses are under the page table lock and are one step each; the
 * TLB of the writer's CPU is filled and emptied at any time.
 */
#include "common.h"

#define NONE	0
#define LESS	1		/* does not permit a write */
#define FULL	2

bit writable = 1, wp, exclusive = 1;	/* the entry, PageAnonExclusive() */
bit copied;				/* it maps a copy now */
byte pending;				/* mm->tlb_flush_pending */
byte tlb;				/* of the writer's CPU */
bit tlb_copied;				/* the page that the TLB entry maps */
byte untouched;				/* protections nobody has lifted since */
bit in_force;				/* one of them has returned */

#define fill_tlb()							\
	tlb = (writable -> FULL : LESS); tlb_copied = copied
#define flush_everywhere()	tlb = NONE; tlb_copied = 0

active proctype hardware()
{
end:	do
	:: atomic { tlb == NONE -> fill_tlb() }
	:: atomic { tlb != NONE -> flush_everywhere() }
	od
}

/* Shared means that nobody may write to the original any more. */
#define shared	(!exclusive)

active proctype writer()
{
end:	do
	:: atomic {
		tlb == FULL ->
		/* The protection returned: no write may land. */
		holds(1, !in_force);
		/* The write would be lost, or be seen by others. */
		holds(4, !(shared && !tlb_copied))
	   }
	/* Page fault, mmap lock for reading: handle_mm_fault(), do_wp_page() */
	:: atomic {
		!writable && !wp ->
#ifndef COW_IGNORES_PENDING
		if
		:: pending > 0 -> flush_everywhere()
		:: else
		fi
#endif
	   };
	   atomic {
		if
		:: !writable && !wp && (exclusive || copied) -> writable = 1; tlb = NONE
		:: !writable && !wp && shared && !copied ->
			copied = 1; writable = 1; flush_everywhere()
		:: else
		fi
	   }
	od
}

/* mm/ksm.c: write_protect_page(); a page that it merges changes no more. */
active proctype ksm()
{
end:	do
	:: atomic {
		exclusive && !copied ->
		if
#ifdef KSM_IGNORES_PENDING
		:: writable ->
#else
		:: writable || pending > 0 ->
#endif
			writable = 0; flush_everywhere()
		:: else
		fi;
		exclusive = 0
	   }
	od
}

/* What tlb_finish_mmu() decides for what the gather has recorded. */
inline finish(strict, relaxed)
{
	if
#ifndef NESTED_IGNORED
#ifdef NESTED_RELAXED
	:: pending > 1 && !relaxed -> flush_everywhere()
#else
	:: pending > 1 -> flush_everywhere()
#endif
#endif
	:: else ->
		if
#ifndef STRICT_AS_RELAXED
		:: strict -> flush_everywhere()
#else
		:: strict
#endif
		:: else
		fi
	fi
}

/* UFFDIO_WRITEPROTECT: change_protection() and its gather */
proctype protect(byte me)
{
	bit strict;

end:	do
	:: pending++;
	   atomic {
		strict = writable; writable = 0; wp = 1;
		untouched = untouched | me
	   };
	   atomic { finish(strict, 0) };
	   atomic {
		pending--; strict = 0;
		if
		:: untouched & me -> in_force = 1
		:: else
		fi
	   }
	od
}

proctype unprotect()
{
	bit relaxed;

end:	do
	:: pending++;
	   atomic {
		if
		:: wp -> wp = 0; untouched = 0; in_force = 0
		:: else
		fi;
		relaxed = !writable && (exclusive || copied);
		writable = writable || relaxed
	   };
	   atomic { finish(0, relaxed) };
	   atomic { pending--; relaxed = 0 }
	od
}

init
{
	atomic { run protect(1); run protect(2); run unprotect() }
}
