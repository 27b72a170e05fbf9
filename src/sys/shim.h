/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C side of sys/: what Rust cannot say itself. Everything here is one
 * line of the kernel's own C behind a name that Rust can link to.
 */
#ifndef _NSPROXY_RS_SHIM_H
#define _NSPROXY_RS_SHIM_H

#include <linux/cred.h>
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
#include <linux/proc_fs.h>
#include <linux/proc_ns.h>
#include <linux/ptrace.h>
#include <linux/sem.h>
#include <linux/static_call_types.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <linux/xarray.h>

#include "trace.h"

/* The module does not work without these. scripts/kernel checks them before a build. */
#ifndef CONFIG_MODULE_UNLOAD
#error "nsproxy_rs needs CONFIG_MODULE_UNLOAD"
#endif
#ifndef CONFIG_TRACEPOINTS
#error "nsproxy_rs needs CONFIG_TRACEPOINTS"
#endif

/*
 * One static call for each function of symbols.def, one variable for each
 * variable, one getter for each address.
 */
#define CALL(option, name) DECLARE_STATIC_CALL(nsproxy_rs_##name, name);
#define DATA(option, type, name) extern type nsproxy_rs_##name;
#define ADDRESS(option, name) unsigned long nsproxy_rs_address_of_##name(void);
#include "symbols/symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS

/**
 * struct nsproxy_rs_symbol - a line of symbols.def
 * @name:    of the kernel's symbol
 * @option:  the kernel option that provides it, without CONFIG_
 * @enabled: whether the kernel was built with that option
 * @address: of the symbol in the running kernel; 0 before it was looked up,
 *           and when it does not exist
 */
struct nsproxy_rs_symbol {
	const char *name;
	const char *option;
	bool enabled;
	unsigned long address;
};

extern struct nsproxy_rs_symbol nsproxy_rs_symbols[];
extern const unsigned int nsproxy_rs_nr_symbols;
extern unsigned long nsproxy_rs_ns_of_mnt_namespace;
extern bool nsproxy_rs_allow_seccomp;

int nsproxy_rs_symbols_look_up(void);
void nsproxy_rs_symbols_install(void);

/* Inline functions and macros of the kernel's headers */
struct ns_common *nsproxy_rs_ns_parent(struct ns_common *ns);
int nsproxy_rs_exec_update_lock(struct task_struct *task);
void nsproxy_rs_exec_update_unlock(struct task_struct *task);
struct nsproxy *nsproxy_rs_nsproxy_alloc(void);
unsigned int nsproxy_rs_nsproxy_dec(struct nsproxy *ns);
bool nsproxy_rs_current_is_only_thread(void);
unsigned int nsproxy_rs_current_threads(void);
unsigned int nsproxy_rs_current_mm_users(void);
int nsproxy_rs_get_user_u64(u64 *dst, const u64 __user *src);
bool nsproxy_rs_can_write(u8 __user *to, size_t size);
int nsproxy_rs_copy_struct_from_user(void *dst, size_t ksize,
				     const void __user *src, size_t usize);
int nsproxy_rs_copy_struct_to_user(void __user *dst, size_t usize,
				   const void *src, size_t ksize);

/* trace.c: what a tracepoint is called by once it is known to be on */
void rust_do_trace_nsproxy_rs_step(unsigned int step, struct ns_common *ns,
				   unsigned int error);

/* redirect.c: the redirect of the system call, for served processes */
extern struct xarray nsproxy_rs_served;

int nsproxy_rs_redirect(long (*setns_fn)(int fd, int flags),
			int (*fork_fn)(pid_t parent, pid_t child),
			void (*exit_fn)(pid_t tgid));
void nsproxy_rs_redirect_undo(void);

/* debugfs.c: files that show the state of the module */
struct dentry *nsproxy_rs_debugfs_create(void (*served)(struct seq_file *m));
void nsproxy_rs_debugfs_remove(struct dentry *dir);

#endif /* _NSPROXY_RS_SHIM_H */
