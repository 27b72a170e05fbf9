// SPDX-License-Identifier: GPL-2.0-only
/*
 * Symbols that are not exported to modules. They are looked up by name, and called
 * by static calls. The prototype is that of the kernel's header, so a changed one
 * does not compile. A static call is a direct call, so it also works where the
 * kernel refuses indirect calls to the function (IBT with sealed functions, kCFI).
 */

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/sched.h>
#include <linux/static_call.h>

#include "symbols.h"

#define CALL(option, name) DEFINE_STATIC_CALL_NULL(nsproxy_rs_##name, name);
#define DATA(option, type, name)					\
	type nsproxy_rs_##name __ro_after_init;
#define ADDRESS(option, name)
#define OPTIONAL(option, name)
#include "symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS
#undef OPTIONAL

#define SYMBOL(option_, name_, optional_)				\
	[NSPROXY_RS_SYMBOL_##name_] = {					\
		.name = #name_,						\
		.option = #option_,					\
		.enabled = IS_ENABLED(CONFIG_##option_),		\
		.optional = optional_,					\
	},
#define CALL(option, name) NSPROXY_RS_SYMBOL_##name,
#define DATA(option, type, name) NSPROXY_RS_SYMBOL_##name,
#define ADDRESS(option, name) NSPROXY_RS_SYMBOL_##name,
#define OPTIONAL(option, name) NSPROXY_RS_SYMBOL_##name,
enum {
#include "symbols.def"
	NSPROXY_RS_NR_SYMBOLS
};
#undef CALL
#undef DATA
#undef ADDRESS
#undef OPTIONAL

#define CALL(option, name) SYMBOL(option, name, false)
#define DATA(option, type, name) SYMBOL(option, name, false)
#define ADDRESS(option, name) SYMBOL(option, name, false)
#define OPTIONAL(option, name) SYMBOL(option, name, true)
struct nsproxy_rs_symbol nsproxy_rs_symbols[] = {
#include "symbols.def"
};
#undef CALL
#undef DATA
#undef ADDRESS
#undef OPTIONAL

#define CALL(option, name)
#define DATA(option, type, name)
#define ADDRESS(option, name)						\
	unsigned long nsproxy_rs_address_of_##name(void)		\
	{								\
		return nsproxy_rs_symbols[NSPROXY_RS_SYMBOL_##name].address; \
	}
#define OPTIONAL(option, name) ADDRESS(option, name)
#include "symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS
#undef OPTIONAL

const unsigned int nsproxy_rs_nr_symbols = NSPROXY_RS_NR_SYMBOLS;

DEFINE_STATIC_CALL_NULL(nsproxy_rs_kallsyms, kallsyms_lookup_name);

/*
 * kallsyms_lookup_name() is not exported. A kprobe with its name finds it. The probe
 * is disabled, so it patches no code. If the function starts with ENDBR of x86, or with
 * the remains of a sealed one, the address of the probe is behind that instruction.
 * sprint_symbol() prints its offset in the function.
 */
static int find_kallsyms(void)
{
	struct kprobe kp = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	char where[KSYM_SYMBOL_LEN];
	unsigned long offset;
	int err;

	err = register_kprobe(&kp);
	if (err)
		return err;
	unregister_kprobe(&kp);

	sprint_symbol(where, (unsigned long)kp.addr);
	if (sscanf(where, "kallsyms_lookup_name+%lx/", &offset) != 1)
		return -ENOENT;

	static_call_update(nsproxy_rs_kallsyms, (void *)kp.addr - offset);
	return 0;
}

/**
 * nsproxy_rs_symbols_look_up - look up the addresses in nsproxy_rs_symbols
 *
 * Return: 0, or the error of the kprobe that finds kallsyms_lookup_name().
 * A symbol that does not exist is no error here: its address remains 0.
 */
int nsproxy_rs_symbols_look_up(void)
{
	struct nsproxy_rs_symbol *sym;
	int err = find_kallsyms();

	if (err)
		return err;

	for (sym = nsproxy_rs_symbols; sym < nsproxy_rs_symbols + NSPROXY_RS_NR_SYMBOLS; sym++)
		if (sym->enabled)
			sym->address = static_call(nsproxy_rs_kallsyms)(sym->name);
	return 0;
}

/**
 * nsproxy_rs_symbols_install - set the targets of the static calls
 *
 * Must be called when every enabled symbol has its address. If the option is off,
 * the conditional is a constant that selects the header's inline function.
 */
void nsproxy_rs_symbols_install(void)
{
#define FOUND(name) ((void *)nsproxy_rs_symbols[NSPROXY_RS_SYMBOL_##name].address)
#define CALL(option, name)						\
	static_call_update(nsproxy_rs_##name,				\
			   IS_ENABLED(CONFIG_##option) ?		\
			   (typeof(name) *)FOUND(name) : name);
#define DATA(option, type, name) nsproxy_rs_##name = *(type *)FOUND(name);
#define ADDRESS(option, name)
#define OPTIONAL(option, name)
#include "symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS
#undef OPTIONAL
#undef FOUND
}
