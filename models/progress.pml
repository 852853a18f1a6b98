/* SPDX-License-Identifier: GPL-2.0 */
/*
 * No fault repeats for ever: the worst case for relaxed_tlb_repair_early(), a
 * look at the page that says "permitted" of one that no flush makes so. The
 * fault then has to become an ordinary one. Others go on with relaxed flushes,
 * as often as there are generations here.
 *
 * Checked for non-progress cycles with weak fairness.
 * -DPREEMPTED: a second thread of the CPU, at another address, runs between
 * any two faults of the first.
 * -DOTHER_MM: so does a thread of another process, in the same trouble.
 * -DLOSES=n: the CPU catches up with yet another mm so many times.
 */
#include "common.h"

#ifndef LOSES
#define LOSES	2
#endif
#define FLUSHES	3
#define NOBODY	0

byte gen;			/* of both mms */
byte memory_mm = NOBODY, memory_gen;

proctype flusher()
{
	do
	:: gen < FLUSHES -> gen++
	:: else -> break
	od
}

proctype another()
{
	byte lost;

end:	do
	:: atomic { lost < LOSES -> lost++; memory_mm = NOBODY; memory_gen = 0 }
	od
}

#define is_behind(g)	(memory_mm != mm || memory_gen < g)

#ifdef NOT_REMEMBERED
#define remember()	skip
#else
#define remember()	memory_mm = mm; memory_gen = g
#endif

/* From the second look at the memory on, irqs are off. */
inline relaxed_tlb_repair_early()
{
	g = gen;
	if
#ifdef EARLY_NOT_BOUNDED
	:: atomic { g != 0 -> repaired = 1 }
	:: g == 0
#else
	:: g != 0 && is_behind(g) ->
		atomic {
			if
			:: is_behind(g) -> g = gen; remember(); repaired = 1
			:: else
			fi
		}
	:: g == 0 || !is_behind(g)
#endif
	fi;
	g = 0
}

#if defined(PREEMPTED) || defined(OTHER_MM)
byte running = 1;
#define runs(address)		(running == address)
#define preempted(address)	running = 3 - address
#else
#define runs(address)		true
#define preempted(address)	skip
#endif

/* Accesses an address that always faults. */
proctype thread(byte address, mm)
{
	byte g;
	bit repaired;

	do
	:: runs(address) ->
		relaxed_tlb_repair_early();
		if
		:: repaired -> repaired = 0
		:: !repaired ->
progress:		skip		/* the ordinary fault has it */
		fi;
		preempted(address)
	od
}

init
{
	atomic {
		run flusher();
		run another();
		run thread(1, 1);
#ifdef PREEMPTED
		run thread(2, 1)
#endif
#ifdef OTHER_MM
		run thread(2, 2)
#endif
	}
}
