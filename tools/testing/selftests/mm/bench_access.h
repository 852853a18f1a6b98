/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accesses that may be denied, by any thread of the process, and code to be called.
 *
 * A signal ends an access that is denied, not the program: each try_...() returns
 * whether it was allowed. A signal at any other time is a mistake, and ends it.
 */
#ifndef __BENCH_ACCESS_H__
#define __BENCH_ACCESS_H__

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Once for the process, before the first try. */
void catch_denied_accesses(void);

/* Nothing of the stack that access() changes outlives a signal but @arg's memory. */
bool try_access(void (*access)(void *arg), void *arg);

bool try_read(atomic_uint *word, unsigned int *value);
bool try_write(atomic_uint *word, unsigned int value);
bool try_call(const void *code, atomic_uint *result);

/* Why this thread's last access was denied: the si_code of the signal. */
int denied_for(void);

#if defined(__x86_64__) || defined(__aarch64__)
#define BENCH_HAS_CODE	1
#else
#define BENCH_HAS_CODE	0
#endif

/* Write a function that returns the number, of which 16 bits count. */
void bench_emit_code(void *at, unsigned int number);

/* For a CPU that may have fetched other code from the same address before. */
static inline void bench_forget_code(void)
{
#if defined(__x86_64__)
	unsigned int a = 0, b, c = 0, d;

	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d) : : "memory");
#elif defined(__aarch64__)
	asm volatile("isb" : : : "memory");
#endif
}

#endif /* __BENCH_ACCESS_H__ */
