/* SPDX-License-Identifier: GPL-2.0 */
/*
 * No fault repeats for ever: the worst case, a walk that says "permitted" of
 * entries that no flush makes so. A fault then has to become an ordinary one.
 * Others go on with relaxed flushes, as often as there are generations here.
 *
 * Checked for non-progress cycles with weak fairness.
 * -DPREEMPTED: a second thread of the CPU, at another address, runs between
 * any two faults of the first.
 * -DLOSES=n: the slot is lost so many times.
 */
#include "common.h"

#ifndef LOSES
#define LOSES	2
#endif
#define FLUSHES	3

byte gen, wide;
typedef slot_of {
	byte gen, narrow
};
slot_of slot;

proctype flusher()
{
	do
	:: gen < FLUSHES ->
		gen++;
		if
		:: wide = gen
		:: skip
		fi
	:: else -> break
	od
}

proctype aliases()
{
	byte lost;

end:	do
	:: atomic { lost < LOSES -> lost++; slot.gen = 0; slot.narrow = 0 }
	od
}

#ifdef NARROW_UNLIMITED
#define is_narrow	true
#define count()		skip
#else
#define is_narrow	(slot.narrow < NARROW)
#define count()		slot.narrow++
#endif

#ifdef SLOT_NOT_ADVANCED
#define remember(g)	slot.narrow = 0
#else
#define remember(g)	slot.gen = g; slot.narrow = 0
#endif

/* One step, as irqs are off: nothing but the generation moves meanwhile. */
inline relaxed_tlb_repair()
{
	atomic {
		g = gen;
		if
		:: slot.gen >= g -> repaired = 0
		:: else ->
			if
			:: slot.gen >= wide && is_narrow -> count()
			:: else -> remember(g)
			fi;
			repaired = 1
		fi;
		g = 0
	}
}

#ifdef PREEMPTED
byte running = 1;
#define runs(address)		(running == address)
#define preempted(address)	running = 3 - address
#else
#define runs(address)		true
#define preempted(address)	skip
#endif

/* Accesses an address that always faults. */
proctype thread(byte address)
{
	byte g;
	bit repaired;

	do
	:: runs(address) ->
		relaxed_tlb_repair();
		if
		:: repaired
		:: else ->
progress:		skip		/* the ordinary fault has it */
		fi;
		preempted(address)
	od
}

init
{
	atomic {
		run flusher();
		run aliases();
		run thread(1);
#ifdef PREEMPTED
		run thread(2)
#endif
	}
}
