/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NUMA hints on demand. There is no call that makes them: the scanner of NUMA
 * balancing is made to run as often as it can, and waited for. A process gets
 * hints soon only while it is young, so each case wants a process of its own.
 *
 * Functions that return a string return NULL, or the reason why not in one
 * sentence.
 */
#ifndef __NUMA_HINTS_H__
#define __NUMA_HINTS_H__

#include <stdbool.h>

/* Settings of the machine: the first leaves the scanner off. */
void numa_save_settings(void);
void numa_restore_settings(void);

/* For the parent of a process that may have ended before it did. */
void numa_scanner_off(void);

/* Stay on this CPU. Its node, and another one that has memory. */
const char *numa_find_nodes(int *here, int *elsewhere);

/* Allocate on this node; -1: anywhere, and let the scanner have the memory. */
const char *numa_bind(int node);

/* Run the scanner until it has set nr hints, in any process of the machine. */
const char *numa_set_hints(unsigned long nr);

/*
 * The same in steps, for who wants to see the scanner work. Processes made after
 * numa_prepare_scanner() are scanned without delay. In a process that is bound, see
 * numa_bind(), only what numa_let_scan() names is.
 */
const char *numa_prepare_scanner(void);
const char *numa_let_scan(char *addr, unsigned long len, int node);
const char *numa_scanner_on(void);

/* A counter of the machine by its name in /proc/vmstat; -1: not counted. */
long numa_count(const char *what);

/*
 * Let migrations fail, for each size of folio: a process that enters the cpuset
 * can allocate on this node only. It enters when its hints are set, as the
 * scanner leaves a process with one node alone.
 */
const char *numa_make_cpuset(int node);
const char *numa_enter_cpuset(void);

#endif /* __NUMA_HINTS_H__ */
