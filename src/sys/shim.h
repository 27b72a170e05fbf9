/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C functions and variables of sys/ that Rust uses.
 */
#ifndef _NSPROXY_RS_SHIM_H
#define _NSPROXY_RS_SHIM_H

#include <linux/ns_common.h>
#include <linux/nsproxy.h>
#include <linux/xarray.h>

#include "symbols/symbols.h"
#include "trace.h"

/* The module requires these options. scripts/kernel checks them before a build. */
#ifndef CONFIG_MODULE_UNLOAD
#error "nsproxy_rs needs CONFIG_MODULE_UNLOAD"
#endif
#ifndef CONFIG_TRACEPOINTS
#error "nsproxy_rs needs CONFIG_TRACEPOINTS"
#endif

/* shim.c */
extern bool nsproxy_rs_allow_seccomp;

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

/* mnt_namespace.c */
extern unsigned long nsproxy_rs_ns_of_mnt_namespace;
int nsproxy_rs_mnt_namespace_find(void);
struct vfsmount *nsproxy_rs_mnt_namespace_root(struct mnt_namespace *ns);

/* trace.c: called if the tracepoint is enabled */
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
