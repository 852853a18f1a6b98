// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU TCG plugin for arm64 guests that counts TLB invalidations, split into
 * those of one CPU and those broadcast to all, between two markers.
 *
 * A marker is an instruction of the hint space that no architecture version
 * gives a meaning to, so that it does nothing on any CPU and needs no privilege:
 *	hint #112	begin of a pair
 *	hint #113	end of a pair: prints a line
 *	hint #114	a new run: pairs are numbered from 1 again
 * A line is "run R pair P local L broadcast B", and "instructions I" with the
 * option insns=on, which costs time. All CPUs of the guest are counted; the
 * marker itself is not. Instructions are counted right only where one thread
 * runs all CPUs (-accel tcg,thread=single): QEMU's inline addition is not atomic.
 * Those of TLB invalidations are atomic, and right everywhere.
 *
 * Options: out=FILE (default: standard error), insns=on.
 * Build: gcc -shared -fPIC -O2 -I DIR tlbi.c -o tlbi.so, with DIR that of
 * qemu-plugin.h, which is in the sources of QEMU under include/qemu/.
 * Use: qemu-system-aarch64 -plugin ./tlbi.so,out=tlbi.txt ...
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define HINT_MASK	0xfffff01f
#define HINT		0xd503201f
#define HINT_NR(insn)	((insn) >> 5 & 0x7f)
#define MARK_BEGIN	112
#define MARK_END	113
#define MARK_RUN	114

/* SYS with CRn 8, or 9 for the variants of FEAT_XS: TLBI */
#define TLBI_MASK	0xfff8e000
#define TLBI		0xd5088000
#define OP1(insn)	((insn) >> 16 & 7)
#define CRM(insn)	((insn) >> 8 & 15)
#define OP2(insn)	((insn) >> 5 & 7)
#define OP1_EL2		4

#define call		qemu_plugin_register_vcpu_insn_exec_cb
#define call_inline	qemu_plugin_register_vcpu_insn_exec_inline

static FILE *out;
static bool count_insns;
static unsigned long local, broadcast, insns;
static unsigned long at_begin[3];
static unsigned int run, pair;
static bool open_pair;

static unsigned long get(unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void count(unsigned int cpu, void *counter)
{
	__atomic_fetch_add((unsigned long *)counter, 1, __ATOMIC_SEQ_CST);
}

static void begin_pair(unsigned int cpu, void *unused)
{
	at_begin[0] = get(&local);
	at_begin[1] = get(&broadcast);
	at_begin[2] = get(&insns);
	open_pair = true;
}

static void end_pair(unsigned int cpu, void *unused)
{
	if (!open_pair)
		return;
	open_pair = false;
	fprintf(out, "run %u pair %u local %lu broadcast %lu", run, ++pair,
		(get(&local) - at_begin[0]),
		(get(&broadcast) - at_begin[1]));
	if (count_insns)	/* less the end marker */
		fprintf(out, " instructions %lu",
			(get(&insns) - at_begin[2] - 1));
	fputc('\n', out);
	fflush(out);
}

static void begin_run(unsigned int cpu, void *unused)
{
	run++;
	pair = 0;
	open_pair = false;
}

/* Stage 2 (EL2's CRm 0 and 4) mixes both kinds in one CRm, told by op2. */
static bool stage2_is_broadcast(unsigned int insn)
{
	unsigned int op2 = OP2(insn) & 3;

	return CRM(insn) == 0 || op2 == 0 || op2 == 3;
}

/* CRm: 1 and 5 outer shareable, 2 and 3 inner shareable, 6 and 7 this CPU. */
static bool is_broadcast(unsigned int insn)
{
	unsigned int crm = CRM(insn);

	if (OP1(insn) == OP1_EL2 && (crm == 0 || crm == 4))
		return stage2_is_broadcast(insn);
	return crm == 1 || crm == 2 || crm == 3 || crm == 5;
}

static qemu_plugin_vcpu_udata_cb_t marker(unsigned int insn)
{
	if ((insn & HINT_MASK) != HINT)
		return NULL;
	switch (HINT_NR(insn)) {
	case MARK_BEGIN:
		return begin_pair;
	case MARK_END:
		return end_pair;
	case MARK_RUN:
		return begin_run;
	}
	return NULL;
}

static void translate_insn(struct qemu_plugin_insn *handle)
{
	qemu_plugin_vcpu_udata_cb_t mark;
	unsigned int insn;

	if (count_insns)
		call_inline(handle, QEMU_PLUGIN_INLINE_ADD_U64, &insns, 1);
	if (qemu_plugin_insn_size(handle) != sizeof(insn))
		return;
	memcpy(&insn, qemu_plugin_insn_data(handle), sizeof(insn));
	mark = marker(insn);
	if (mark)
		call(handle, mark, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if ((insn & TLBI_MASK) == TLBI)
		call(handle, count, QEMU_PLUGIN_CB_NO_REGS,
		     is_broadcast(insn) ? &broadcast : &local);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	for (i = 0; i < n; i++)
		translate_insn(qemu_plugin_tb_get_insn(tb, i));
}

static bool parse_option(const char *arg)
{
	if (!strncmp(arg, "out=", 4)) {
		out = fopen(arg + 4, "w");
		if (!out)
			perror(arg + 4);
		return out;
	}
	if (!strcmp(arg, "insns=on") || !strcmp(arg, "insns=off")) {
		count_insns = !strcmp(arg, "insns=on");
		return true;
	}
	fprintf(stderr, "tlbi: unknown option \"%s\": out=FILE and insns=on are known\n",
		arg);
	return false;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info,
					   int argc, char **argv)
{
	int i;

	out = stderr;
	if (strcmp(info->target_name, "aarch64")) {
		fprintf(stderr, "tlbi: the guest is %s, this plugin decodes aarch64 only\n",
			info->target_name);
		return -1;
	}
	for (i = 0; i < argc; i++) {
		if (!parse_option(argv[i]))
			return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
