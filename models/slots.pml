/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a CPU remembers of several mms: one slot for all of them, lost at any
 * time; ASIDs that change their mm; mms that exit, are made anew and forked;
 * a fault while another mm is loaded.
 *
 * One CPU runs threads of two mms, which have a page each. That page is
 * upgraded and its permission taken back, by this CPU and by others. Memory is
 * sequentially consistent here, strict flushes are done in a step: relaxed.pml
 * and strict.pml look into those.
 */
#include "common.h"

#define NMM	2
#define OTHER	NMM		/* a temporary mm, as for text patching */
#define NASID	2
#define MAX(m)	(2 - (m))	/* flushes of an mm */
#define NOBODY	255

typedef mm_struct {
	bit permits;		/* the page table entry */
	bit returned;		/* an upgrade returned: user space may know */
	bit locked;
	byte flushes;
	byte id, gen		/* relaxed_tlb */
};
mm_struct mm[NMM + 1];
byte last_id, births;

/* The CPU. */
byte current, loaded, asid;
byte mm_of[NASID] = NOBODY;
bit stale[NASID];		/* TLB entry without the permission */
byte slot_id, slot_gen;
bit told;			/* the access that is under way must get through */

#define slot_says(m)	(slot_id == mm[m].id -> slot_gen : 0)

/* ---- hardware ---- */

/* What evicts also evicts at a fault, or does not: both architectures. */
proctype tlb()
{
end:	do
	:: atomic { !mm[loaded].permits && !stale[asid] -> stale[asid] = 1 }
	:: atomic { stale[0] -> stale[0] = 0 }
	:: atomic { stale[1] -> stale[1] = 0 }
	od
}

/* The slot is taken by other mms. */
proctype aliases()
{
end:	do
	:: atomic { slot_id != 0 -> slot_id = 0; slot_gen = 0 }
	od
}

/* ---- mm/relaxed_tlb.c ---- */

#if defined(ID_OF_ADDRESS)
#define draw_id(m)	atomic { mm[m].id = (m) + 1 }
#elif defined(ID_WITHOUT_CMPXCHG)
#define draw_id(m)							\
	if								\
	:: mm[m].id == 0 -> atomic { last_id++; mm[m].id = last_id }	\
	:: else								\
	fi
#else
#define draw_id(m)							\
	if								\
	:: atomic { mm[m].id == 0 -> last_id++; mm[m].id = last_id }	\
	:: else								\
	fi
#endif

#define claim_slot(m, g)	slot_id = mm[m].id; slot_gen = g

/* By a thread on this CPU, perhaps for the mm of another process. */
inline local_part_of_flush(m, new, has_page)
{
	d_step {
		if
#ifdef UNLOADED_FLUSHED
		:: true ->
#else
		:: loaded == m ->
#endif
			if
			:: has_page -> stale[asid] = 0
			:: else
			fi;
			if
#ifdef CLAIMED_UNSEEN
			:: slot_id != mm[m].id || slot_gen == new - 1 -> claim_slot(m, new)
#else
			:: slot_says(m) == new - 1 -> claim_slot(m, new)
#endif
			:: else
			fi
		:: else
		fi
	}
}

/* Under a lock of the page. */
inline upgrade(m, new, is_local)
{
	atomic {
		!mm[m].permits && mm[m].flushes < MAX(m) ->
		mm[m].flushes++; mm[m].permits = 1; mm[m].locked = 1
	};
	draw_id(m);
	atomic { mm[m].gen++; new = mm[m].gen };
	if
	:: is_local -> local_part_of_flush(m, new, 1)
	:: else
	fi;
	atomic { mm[m].locked = 0; mm[m].returned = 1; new = 0 }
}

/* At the same time, perhaps. */
inline upgrade_another_page(m, new)
{
	atomic { mm[m].flushes < MAX(m) -> mm[m].flushes++ };
	draw_id(m);
	atomic { mm[m].gen++; new = mm[m].gen };
	local_part_of_flush(m, new, 0);
	new = 0
}

#ifdef ANY_MM
#define own_mm_loaded	true
#else
#define own_mm_loaded	(loaded == current)
#endif

/*
 * irqs off: this CPU does nothing else. That the page table may change between
 * walk and flush is in the other models. Narrow or everything: any repair may
 * be either here.
 */
inline relaxed_tlb_repair()
{
	g = mm[current].gen;
	if
	:: atomic {
		own_mm_loaded && slot_says(current) < g && mm[current].permits ->
		stale[asid] = 0;
		if
		:: slot_id != mm[current].id -> claim_slot(current, 0)
		:: slot_id == mm[current].id
		:: claim_slot(current, g)
		fi;
		repaired = 1
	   }
	:: else
	fi;
	g = 0
}

/* ---- this CPU ---- */

#define load(m)								\
	loaded = m;							\
	if								\
	:: mm_of[0] == m -> asid = 0					\
	:: mm_of[1] == m -> asid = 1					\
	:: mm_of[0] != m && mm_of[1] != m ->				\
		if							\
		:: asid = 0						\
		:: asid = 1						\
		fi;							\
		mm_of[asid] = m;					\
		reused_asid()						\
	fi

#ifdef ASID_NOT_FLUSHED
#define reused_asid()	skip
#else
#define reused_asid()	stale[asid] = 0
#endif

#define faults	(!mm[loaded].permits || stale[asid])

proctype cpu()
{
	byte g, new;
	bit repaired;

end:	do
	:: atomic { current != 0 -> current = 0; load(0) }
	:: atomic { current != 1 -> current = 1; load(1) }
	:: atomic { loaded != OTHER -> load(OTHER) }
	:: atomic { loaded == OTHER -> load(current) }
	:: upgrade(0, new, 1)
	:: upgrade_another_page(0, new)
	:: atomic {
		faults ->
		told = (loaded == current && mm[loaded].returned)
	   };
	   do
	   :: faults ->
		relaxed_tlb_repair();
		if
		:: repaired -> repaired = 0
		:: else -> holds(2, !told); break
		fi
	   :: else -> break
	   od;
	   told = 0
	od
}

/* ---- other CPUs ---- */

#define forget_asid(a, m)						\
	if								\
	:: mm_of[a] == m -> mm_of[a] = NOBODY				\
	:: else								\
	fi

/* Made anew: by fork, or at the address of one that is gone. */
inline exit_and_begin(m)
{
	atomic {
		births == 0 && m == 1 && !mm[m].locked && current != m && loaded != m ->
		births++;
		mm[m].permits = 0; mm[m].returned = 0; mm[m].flushes = 0;
#ifdef FORK_COPIES
		mm[m].id = mm[1 - m].id; mm[m].gen = mm[1 - m].gen;
#else
		mm[m].id = 0; mm[m].gen = 0;
#endif
		forget_asid(0, m);
		forget_asid(1, m)
	}
}

proctype others(byte m)
{
	byte new;

end:	do
	:: upgrade(m, new, 0)
	:: atomic {
		mm[m].permits && !mm[m].locked ->
		mm[m].permits = 0; mm[m].returned = 0;
		if
		:: loaded == m -> told = 0
		:: else
		fi
	   }
	:: exit_and_begin(m)
	od
}

init
{
	atomic {
		mm_of[0] = 0;
		run tlb(); run aliases(); run cpu();
		run others(0); run others(1)
	}
}
