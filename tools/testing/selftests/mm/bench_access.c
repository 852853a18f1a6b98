// SPDX-License-Identifier: GPL-2.0
/* See bench_access.h. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "bench_access.h"

static __thread sigjmp_buf denied_here;
static __thread atomic_bool may_be_denied;
static __thread int last_code;

static void on_denial(int sig, siginfo_t *info, void *context)
{
	if (may_be_denied) {
		last_code = info->si_code;
		siglongjmp(denied_here, 1);
	}
	signal(sig, SIG_DFL); /* a mistake of this program: let it end it */
}

void catch_denied_accesses(void)
{
	struct sigaction action = {
		.sa_sigaction = on_denial,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
}

bool try_access(void (*access)(void *arg), void *arg)
{
	may_be_denied = true;
	if (sigsetjmp(denied_here, 0)) {
		may_be_denied = false;
		return false;
	}
	access(arg);
	may_be_denied = false;
	return true;
}

int denied_for(void)
{
	return last_code;
}

struct word_access {
	atomic_uint *word;
	unsigned int value;
};

static void read_word(void *arg)
{
	struct word_access *a = arg;

	a->value = atomic_load_explicit(a->word, memory_order_relaxed);
}

static void write_word(void *arg)
{
	struct word_access *a = arg;

	atomic_store_explicit(a->word, a->value, memory_order_relaxed);
}

bool try_read(atomic_uint *word, unsigned int *value)
{
	struct word_access a = { .word = word };

	if (!try_access(read_word, &a))
		return false;
	*value = a.value;
	return true;
}

bool try_write(atomic_uint *word, unsigned int value)
{
	struct word_access a = { .word = word, .value = value };

	return try_access(write_word, &a);
}

struct call {
	const void *code;
	atomic_uint *result;
};

static void call_code(void *arg)
{
	struct call *call = arg;

	*call->result = ((unsigned int (*)(void))call->code)();
}

bool try_call(const void *code, atomic_uint *result)
{
	struct call call = { .code = code, .result = result };

	return try_access(call_code, &call);
}

void bench_emit_code(void *at, unsigned int number)
{
#if defined(__x86_64__)
	unsigned char code[] = { 0xb8, number, number >> 8, 0, 0, 0xc3 };
#elif defined(__aarch64__)
	unsigned int code[] = { 0x52800000 | (number & 0xffff) << 5, 0xd65f03c0 };
#else
	unsigned char code[1] = {};
#endif
	memcpy(at, code, sizeof(code));
	__builtin___clear_cache(at, (char *)at + sizeof(code));
}
