/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The static calls, variables and addresses of symbols.def.
 */
#ifndef _NSPROXY_RS_SYMBOLS_H
#define _NSPROXY_RS_SYMBOLS_H

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/ipc_namespace.h>
#include <linux/kallsyms.h>
#include <linux/mnt_namespace.h>
#include <linux/ns_common.h>
#include <linux/nsfs.h>
#include <linux/nsproxy.h>
#include <linux/perf_event.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/proc_ns.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/static_call_types.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <net/net_namespace.h>

/*
 * Declares a static call for each function, a variable for each variable, and a
 * getter for each address.
 */
#define CALL(option, name) DECLARE_STATIC_CALL(nsproxy_rs_##name, name);
#define DATA(option, type, name) extern type nsproxy_rs_##name;
#define ADDRESS(option, name) unsigned long nsproxy_rs_address_of_##name(void);
#define OPTIONAL(option, name) ADDRESS(option, name)
#include "symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS
#undef OPTIONAL

/**
 * struct nsproxy_rs_symbol - a line of symbols.def
 * @name:    name of the kernel's symbol
 * @option:  kernel option that provides the symbol, without CONFIG_
 * @enabled: whether the kernel was built with that option
 * @optional: whether the module can do without the symbol
 * @address: address of the symbol in the running kernel; 0 before the lookup, and
 *           if the symbol does not exist
 */
struct nsproxy_rs_symbol {
	const char *name;
	const char *option;
	bool enabled;
	bool optional;
	unsigned long address;
};

extern struct nsproxy_rs_symbol nsproxy_rs_symbols[];
extern const unsigned int nsproxy_rs_nr_symbols;
int nsproxy_rs_symbols_look_up(void);
void nsproxy_rs_symbols_install(void);

#endif /* _NSPROXY_RS_SYMBOLS_H */
