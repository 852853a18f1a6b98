// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "numa_hints.h"
#include "vm_util.h"

#define HINT_TIMEOUT	10	/* seconds */
#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define SCANNER		"/sys/kernel/debug/sched/numa_balancing/"
#define OWN_MOUNT	"/tmp/numa_hints.cgroup"
#define CPUSET		"numa_hints"

struct setting {
	const char *path;
	unsigned long value;	/* for hints at once */
	unsigned long saved;
	bool present;
};

static struct setting settings[] = {
	{ BALANCING, 1 },
	{ SCANNER "scan_delay_ms", 1 },
	{ SCANNER "scan_period_min_ms", 1 },
	{ SCANNER "scan_period_max_ms", 100 },
	{ SCANNER "scan_size_mb", 64 },
};

#define NR_SETTINGS	ARRAY_SIZE(settings)

static char cpuset[128];

void numa_scanner_off(void)
{
	if (settings[0].present)
		write_num(BALANCING, 0);
}

void numa_save_settings(void)
{
	struct setting *s;

	for (s = settings; s < settings + NR_SETTINGS; s++) {
		s->present = !access(s->path, W_OK);
		if (s->present)
			s->saved = read_num(s->path);
	}
	numa_scanner_off();
}

void numa_restore_settings(void)
{
	struct setting *s;

	for (s = settings; s < settings + NR_SETTINGS; s++) {
		if (s->present)
			write_num(s->path, s->saved);
	}
	rmdir("/sys/fs/cgroup/" CPUSET);
	rmdir(OWN_MOUNT "/" CPUSET);
	if (!umount(OWN_MOUNT))
		rmdir(OWN_MOUNT);
}

const char *numa_bind(int node)
{
	unsigned long mask = node < 0 ? 0 : 1UL << node;

	if (syscall(__NR_set_mempolicy, node < 0 ? MPOL_DEFAULT : MPOL_BIND,
		    node < 0 ? NULL : &mask, node < 0 ? 0 : 8 * sizeof(mask)))
		return "set_mempolicy() failed";
	return NULL;
}

const char *numa_find_nodes(int *here, int *elsewhere)
{
	unsigned int cpu, node;
	char path[64];
	cpu_set_t set;
	int i;

	if (syscall(__NR_getcpu, &cpu, &node, NULL))
		return "getcpu() failed";
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return "sched_setaffinity() failed";
	/* It may have moved before it was held. */
	if (syscall(__NR_getcpu, NULL, &node, NULL))
		return "getcpu() failed";
	*here = node;
	*elsewhere = -1;
	for (i = 0; i < 64 && *elsewhere < 0; i++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", i);
		if (i != *here && !access(path, F_OK) && !numa_bind(i))
			*elsewhere = i;
	}
	numa_bind(-1);
	return *elsewhere < 0 ? "NUMA hints want a second node with memory" : NULL;
}

long numa_count(const char *what)
{
	FILE *file = fopen("/proc/vmstat", "r");
	long value, count = -1;
	char name[64];

	while (file && fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, what))
			count = value;
	}
	if (file)
		fclose(file);
	return count;
}

/* Entries that the scanner has made hints, all processes; -1: not counted. */
static long hints_so_far(void)
{
	return numa_count("numa_pte_updates");
}

/* The scanner spares a process with one thread what is on its own node. */
static void *stand_by(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

const char *numa_prepare_scanner(void)
{
	struct setting *s;

	if (hints_so_far() < 0)
		return "this kernel has no NUMA balancing";
	for (s = settings; s < settings + NR_SETTINGS; s++) {
		if (!s->present)
			return "NUMA hints want NUMA balancing, debugfs and root";
		if (s != settings)
			write_num(s->path, s->value);
	}
	return NULL;
}

const char *numa_let_scan(char *addr, unsigned long len, int node)
{
	unsigned long mask = 1UL << node;

	if (syscall(__NR_mbind, addr, len, MPOL_BIND | MPOL_F_NUMA_BALANCING,
		    &mask, 8 * sizeof(mask), 0))
		return "mbind() with NUMA balancing failed";
	return NULL;
}

const char *numa_scanner_on(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, stand_by, NULL))
		return "pthread_create() failed";
	write_num(settings[0].path, settings[0].value);
	return NULL;
}

const char *numa_set_hints(unsigned long nr)
{
	const long want = hints_so_far() + nr;
	time_t end = time(NULL) + HINT_TIMEOUT;
	const char *why = numa_prepare_scanner();

	if (!why)
		why = numa_scanner_on();
	if (why)
		return why;
	numa_bind(-1);
	while (hints_so_far() < want && time(NULL) < end)
		;
	numa_scanner_off();
	return hints_so_far() < want ? "the NUMA scanner set no hints in 10 seconds" : NULL;
}

static bool write_text(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return done;
}

static const char *cgroup_root(void)
{
	if (!access("/sys/fs/cgroup/cgroup.controllers", F_OK))
		return "/sys/fs/cgroup";
	mkdir(OWN_MOUNT, 0700);
	if (mount("cgroup2", OWN_MOUNT, "cgroup2", 0, NULL) && errno != EBUSY)
		return NULL;
	return OWN_MOUNT;
}

const char *numa_make_cpuset(int node)
{
	const char *root = cgroup_root();
	char text[16];

	if (!root || !write_text(root, "cgroup.subtree_control", "+cpuset"))
		return "a failed migration wants cgroup v2 with cpuset, and root";
	snprintf(cpuset, sizeof(cpuset), "%s/" CPUSET, root);
	mkdir(cpuset, 0700);
	snprintf(text, sizeof(text), "%d", node);
	if (!write_text(cpuset, "cpuset.mems", text))
		return "a failed migration wants a cpuset of one node";
	return NULL;
}

const char *numa_enter_cpuset(void)
{
	if (!write_text(cpuset, "cgroup.procs", "0"))
		return "the process cannot enter the cpuset";
	return NULL;
}
