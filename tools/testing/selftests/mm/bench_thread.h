/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that stay on a CPU, and children, that do what they are told. */
#ifndef __BENCH_THREAD_H__
#define __BENCH_THREAD_H__

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct bench_thread {
	pthread_t thread;
	int cpu;
	void (*todo)(void *arg);
	void *arg;
	atomic_uint told, done;
	atomic_bool end;
};

/* Exits if there is no thread to be had. Counted from 0, modulo the number of CPUs. */
void bench_start_thread(struct bench_thread *t, int cpu);

/* It has nothing to do, or will soon. */
void bench_end_thread(struct bench_thread *t);

void bench_tell(struct bench_thread *t, void (*todo)(void *arg), void *arg);

/* False if it is not done in ten seconds: with a bug, it faults for ever. */
bool bench_is_done(struct bench_thread *t);

/* Tell and wait. Without a thread: do it. */
bool bench_do(struct bench_thread *t, void (*todo)(void *arg), void *arg);

/* Of the calling thread, so far. */
long bench_thread_faults(void);

/*
 * For bench_tell(): count a word up as long as it may, until it is to stop. An access
 * that is denied is tried again.
 */
struct bench_writer {
	atomic_uint *word, mine;	/* that nobody else writes to */
	atomic_ulong passes;		/* of many writes each */
	atomic_ulong lost;		/* writes that did not stay */
	atomic_bool may, stop;
	void (*prepare)(void);		/* before each pass, if it is there */
};

void bench_write_on(void *writer);

/* One pass, by the caller, who may do it. */
void bench_write_pass(struct bench_writer *w);

/* So many more passes; false if it does not make them in time. */
bool bench_writer_passes(const struct bench_writer *w, unsigned long passes);

/* Does the word change within a moment, which is long in one round of four? */
bool bench_changes(const atomic_uint *word, unsigned long round);

/* A child that does something when it is told to, and ends with what that returns. */
struct bench_child {
	pid_t pid;
	int go;				/* a pipe */
};

bool bench_start_child(struct bench_child *child, int (*todo)(void *arg), void *arg);

/* Tell it to. -1: it was not able to end by itself. */
int bench_end_child(const struct bench_child *child);

#endif /* __BENCH_THREAD_H__ */
