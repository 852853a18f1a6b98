/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contiguous entries of arm64: two entries of a page table that may be folded
 * into a block, and the TLB of one CPU, which holds entries of a page or of the
 * block. Threads change protections in batches and one by one, set NUMA hints,
 * flush later, and undo hints whose flush may be pending. No CPU may ever hold
 * an entry of the block and one of a page for the same address.
 *
 * All of it is under the page table lock, except the flush of a gather. Page
 * tables are read by hardware between any two stores; a TLBI has a DSB before
 * it and one after it, so stores need no buffer here. A flush of the CPU that
 * makes the change is none for the others, and is left out.
 */
#include "common.h"

/* An entry. */
#define NONE	0		/* taken from hardware */
#define HINT	1		/* PROT_NONE */
#define VALID	2
#define FIRST	0
#define SECOND	1
byte is[2] = VALID;
bit writable[2], contiguous[2];

bit block, page[2];		/* TLB entries */
bit locked;			/* page table lock */
byte pending;			/* mm->tlb_flush_pending */

/* ---- hardware ---- */

#define one_size()	holds(7, !(block && (page[FIRST] || page[SECOND])))

proctype tlb()
{
end:	do
	:: atomic {
		!block && ((is[FIRST] == VALID && contiguous[FIRST]) ||
			   (is[SECOND] == VALID && contiguous[SECOND])) ->
		block = 1; one_size()
	   }
	:: atomic {
		!page[FIRST] && is[FIRST] == VALID && !contiguous[FIRST] ->
		page[FIRST] = 1; one_size()
	   }
	:: atomic {
		!page[SECOND] && is[SECOND] == VALID && !contiguous[SECOND] ->
		page[SECOND] = 1; one_size()
	   }
	:: atomic { block -> block = 0 }
	:: atomic { page[FIRST] -> page[FIRST] = 0 }
	:: atomic { page[SECOND] -> page[SECOND] = 0 }
	od
}

/* Broadcast TLBI. That of a page is one of the block, too. */
#define flush_page(p)	d_step { block = 0; page[p] = 0 }
#define flush_both()	d_step { block = 0; page[FIRST] = 0; page[SECOND] = 0 }

/* ---- arch/arm64/mm/contpte.c ---- */

/* contpte_convert(): permissions stay. */
inline convert(cont)
{
	is[FIRST] = NONE;
	is[SECOND] = NONE;
#ifndef CONVERT_NOT_FLUSHED
	flush_both();
#endif
	d_step { contiguous[FIRST] = cont; contiguous[SECOND] = cont; is[FIRST] = VALID };
	is[SECOND] = VALID
}

#define alike	(is[FIRST] == is[SECOND] && writable[FIRST] == writable[SECOND] && \
		 contiguous[FIRST] == contiguous[SECOND])

#define set(p, what, rw, cont)						\
	d_step { writable[p] = rw; contiguous[p] = cont; is[p] = what }

/* Does another thread have to flush what was before the hint? */
#define nested		(pending > 1)

/* modify_prot_start_ptes(), modify_prot_commit_ptes() of both entries. */
inline change_both(what, rw)
{
	if
	:: is[FIRST] == VALID ->
#ifdef FOLD_FLUSHED_EARLY
		if
		:: what == VALID && !contiguous[FIRST] -> flush_both()
		:: else
		fi;
#endif
		is[FIRST] = NONE;
		is[SECOND] = NONE;
		if
#if !defined(FOLD_NOT_FLUSHED) && !defined(FOLD_FLUSHED_LATE) && !defined(FOLD_FLUSHED_EARLY)
		:: what == VALID && !contiguous[FIRST] -> flush_both()
#endif
		:: else
		fi
	:: is[FIRST] == HINT ->
		if
#ifndef COMMIT_IGNORES_PENDING
		:: what == VALID && nested -> flush_both()
#endif
		:: else
		fi
	fi;
	set(FIRST, what, rw, what == VALID);
	set(SECOND, what, rw, what == VALID)
}

/*
 * The same of one, which stands for one entry or for several that are no whole
 * block. If it is one, and the last, set_ptes() looks whether it can fold.
 */
inline change_one(p, what, rw)
{
	if
	:: is[p] == VALID ->
		if
		:: contiguous[p] -> convert(0)
		:: else
		fi;
		is[p] = NONE
	:: is[p] == HINT ->
		if
#ifndef ONE_IGNORES_PENDING
		:: what == VALID && nested -> flush_page(p)
#endif
		:: else
		fi
	fi;
	set(p, what, rw, 0);
	if
	:: p == SECOND && what == VALID && alike -> convert(1)
	:: true
	fi
}

#ifdef ONE_START
/* Sub-batches are not started one by one. */
inline change_sub_batches()
{
	is[FIRST] = NONE;
	is[SECOND] = NONE;
	set(FIRST, VALID, 1, 0);
	set(SECOND, VALID, 0, 0)
}
#endif

/* ---- callers ---- */

#define lock()		atomic { !locked -> locked = 1 }
#define unlock()	locked = 0

/*
 * A gather: change_protection() for userfaultfd or NUMA balancing, under the
 * mmap lock held for reading. A batch is of entries that are alike.
 */
proctype gather()
{
	bit strict, rw;
	byte p;

end:	do
	:: pending++;
	   lock();
	   if
	   /* All of a folio, of one verdict: PROT_READ, or exclusive and writable. */
	   :: atomic {
		alike ->
		if
		:: rw = 0; strict = (is[FIRST] == VALID && writable[FIRST])
		:: rw = 1
		fi;
#ifdef FOLD_FLUSHED_LATE
		strict = 1
#endif
	      };
	      change_both(VALID, rw)
	   :: atomic { alike && is[FIRST] == VALID -> strict = 1 };
	      change_both(HINT, writable[FIRST])
	   /* Entries that are not alike, or of two verdicts, or a part of the range. */
	   :: atomic {
		if
		:: p = FIRST
		:: p = SECOND
		fi;
		if
		:: rw = 0; strict = (is[p] == VALID && writable[p])
		:: rw = 1
		fi
	      };
	      change_one(p, VALID, rw)
	   :: atomic {
		if
		:: is[FIRST] == VALID -> p = FIRST
		:: is[SECOND] == VALID -> p = SECOND
		fi;
		strict = 1
	      };
	      change_one(p, HINT, writable[p])
#ifdef ONE_START
	   :: alike && is[FIRST] == VALID && contiguous[FIRST] -> change_sub_batches()
#endif
	   fi;
	   unlock();
	   if
	   :: strict || nested -> flush_both()
	   :: else
	   fi;
	   atomic { pending--; strict = 0; rw = 0; p = 0 }
	od
}

/* do_numa_page(), numa_hint_restore(): undoes the hints of a folio. */
proctype hint_fault()
{
	bit rw;

end:	do
	:: lock();
	   if
	   :: rw = 0
	   :: rw = 1
	   fi;
	   if
	   :: alike && is[FIRST] == HINT ->
		if
#ifndef FOLD_IGNORES_PENDING
		:: pending > 0 -> flush_both()
#endif
		:: else
		fi;
		set(FIRST, VALID, rw, 1);
		set(SECOND, VALID, rw, 1)
	   /* In sub-batches, or the other is none. */
	   :: is[FIRST] == HINT || is[SECOND] == HINT ->
		if
#ifndef SPLIT_IGNORES_PENDING
		:: pending > 0 -> flush_both()
#endif
		:: else
		fi;
		if
		:: is[FIRST] == HINT -> set(FIRST, VALID, rw, 0)
		:: else
		fi;
		if
		:: is[SECOND] == HINT ->
			if
			:: true
			:: rw = !rw
			fi;
			set(SECOND, VALID, rw, 0);
			if
			:: alike -> convert(1)
			:: true
			fi
		:: else
		fi
	   :: is[FIRST] != HINT && is[SECOND] != HINT
	   fi;
	   atomic { rw = 0; unlock() }
	od
}

/* do_wp_page(), contpte_ptep_set_access_flags(): only the page of the fault. */
proctype write_fault(byte p)
{
end:	do
	:: lock();
	   if
	   :: is[p] == VALID && !writable[p] ->
		if
		:: contiguous[p] -> convert(0)
		:: else
		fi;
		writable[p] = 1
	   :: else
	   fi;
	   unlock()
	od
}

init
{
	atomic {
		if
		:: contiguous[FIRST] = 1; contiguous[SECOND] = 1
		:: true
		fi;
		run tlb();
		run gather(); run gather();
		run hint_fault();
		run write_fault(FIRST); run write_fault(SECOND)
	}
}
