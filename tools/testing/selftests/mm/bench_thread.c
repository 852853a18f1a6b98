// SPDX-License-Identifier: GPL-2.0
/* See bench_thread.h. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_access.h"
#include "bench_counters.h"
#include "bench_thread.h"
#include "kselftest.h"

#define PATIENCE_NS	10000000000UL
#define WAIT_US		20		/* from look to look */
#define IDLE_SPINS	1000		/* before it sleeps */
#define BURST		64		/* writes without a look at the flags */
#define LATE_US		30		/* how long to wait for a late write */
#define VERY_LATE_US	5000		/* ... by a thread that has lost its CPU */

static void *obey(void *arg)
{
	struct bench_thread *t = arg;
	unsigned int idle = 0;

	bench_pin(t->cpu);
	while (!atomic_load(&t->end)) {
		if (atomic_load(&t->told) == atomic_load(&t->done)) {
			if (++idle > IDLE_SPINS)
				usleep(WAIT_US);
			continue;
		}
		idle = 0;
		t->todo(t->arg);
		atomic_fetch_add(&t->done, 1);
	}
	return NULL;
}

void bench_start_thread(struct bench_thread *t, int cpu)
{
	*t = (struct bench_thread) { .cpu = cpu % bench_nr_cpus() };
	if (pthread_create(&t->thread, NULL, obey, t))
		ksft_exit_fail_perror("pthread_create");
}

void bench_end_thread(struct bench_thread *t)
{
	atomic_store(&t->end, true);
	pthread_join(t->thread, NULL);
}

void bench_tell(struct bench_thread *t, void (*todo)(void *arg), void *arg)
{
	t->todo = todo;
	t->arg = arg;
	atomic_fetch_add(&t->told, 1);
}

bool bench_is_done(struct bench_thread *t)
{
	const unsigned long end = bench_ns() + PATIENCE_NS;

	while (atomic_load(&t->done) != atomic_load(&t->told)) {
		if (bench_ns() >= end) {
			fprintf(stderr, "# the thread on CPU %d was not done in %lu s\n",
				t->cpu, PATIENCE_NS / 1000000000);
			return false;
		}
		usleep(WAIT_US);
	}
	return true;
}

bool bench_do(struct bench_thread *t, void (*todo)(void *arg), void *arg)
{
	if (!t) {
		todo(arg);
		return true;
	}
	bench_tell(t, todo, arg);
	return bench_is_done(t);
}

long bench_thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void burst(void *arg)
{
	struct bench_writer *w = arg;
	unsigned int i;

	for (i = 0; i < BURST; i++) {
		if (*w->word != w->mine)
			w->lost++;
		atomic_store(w->word, w->mine + 1);
		w->mine++;
	}
}

void bench_write_pass(struct bench_writer *w)
{
	burst(w);
	w->passes++;
}

void bench_write_on(void *writer)
{
	struct bench_writer *w = writer;

	while (!atomic_load(&w->stop)) {
		if (!atomic_load(&w->may))
			continue;
		if (w->prepare)
			w->prepare();
		w->passes += try_access(burst, w);
	}
}

bool bench_writer_passes(const struct bench_writer *w, unsigned long passes)
{
	const unsigned long end = bench_ns() + PATIENCE_NS, seen = w->passes;

	while (w->passes - seen < passes) {
		if (bench_ns() >= end)
			return false;
		usleep(WAIT_US);
	}
	return true;
}

bool bench_changes(const atomic_uint *word, unsigned long round)
{
	const unsigned int was = *word;
	const unsigned long end = bench_ns() + LATE_US * 1000;

	if (round % 4 == 3)
		usleep(VERY_LATE_US);
	while (bench_ns() < end)
		;
	return *word != was;
}

bool bench_start_child(struct bench_child *child, int (*todo)(void *arg), void *arg)
{
	int go[2];
	char none;

	if (pipe(go))
		return false;
	child->pid = fork();
	if (!child->pid) {
		close(go[1]);
		_exit(read(go[0], &none, 1) ? 255 : todo(arg));
	}
	close(go[0]);
	child->go = go[1];
	return child->pid > 0;
}

int bench_end_child(const struct bench_child *child)
{
	int status;

	close(child->go);
	if (waitpid(child->pid, &status, 0) != child->pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
