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

/* params.c */
extern bool nsproxy_rs_allow_seccomp;

/* shim.c: inline functions and macros of the kernel's headers */
struct ns_common *nsproxy_rs_ns_parent(struct ns_common *ns);
int nsproxy_rs_exec_update_lock(struct task_struct *task);
void nsproxy_rs_exec_update_unlock(struct task_struct *task);
struct nsproxy *nsproxy_rs_nsproxy_alloc(void);
unsigned int nsproxy_rs_nsproxy_dec(struct nsproxy *ns);
bool nsproxy_rs_current_is_only_thread(void);
unsigned int nsproxy_rs_current_threads(void);
bool nsproxy_rs_current_is_init(void);
unsigned int nsproxy_rs_current_mm_users(void);
unsigned int nsproxy_rs_current_files_users(void);
unsigned int nsproxy_rs_current_sighand_users(void);
void nsproxy_rs_shm_init_task(struct task_struct *task);
#ifdef NSPROXY_RS_BEFORE_7_3
struct fs_struct *nsproxy_rs_switch_fs_struct(struct fs_struct *new_fs);
#endif
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
void rust_do_trace_nsproxy_rs_refused(const struct nsproxy_explain *refused);

/* redirect.c: the redirects of functions, for served processes */
extern struct xarray nsproxy_rs_served;

/**
 * struct nsproxy_rs_served_calls - what to call for a served process
 * @setns:                   instead of setns(2)
 * @unshare:                 instead of unshare(2)
 * @copy_namespaces:         instead of the function of kernel/nsproxy.c
 * @exec_task_namespaces:    the same
 * @exit_nsproxy_namespaces: the same; returns 0, as those below
 * @switch_cred_namespaces:  the same
 * @get_cred_namespaces:     the same
 * @exit_cred_namespaces:    the same
 * @on_fork:                 for each new process; it is killed on an error
 * @on_exit:                 for each thread that exits, before it leaves its namespaces
 *
 * All return 0 or a negative errno.
 */
struct nsproxy_rs_served_calls {
	long (*setns)(int fd, int flags);
	long (*unshare)(unsigned long flags);
	long (*copy_namespaces)(u64 flags, struct task_struct *task);
	long (*exec_task_namespaces)(void);
	long (*exit_nsproxy_namespaces)(struct task_struct *task);
	long (*switch_cred_namespaces)(const struct cred *old, const struct cred *new);
	long (*get_cred_namespaces)(struct task_struct *task);
	long (*exit_cred_namespaces)(struct task_struct *task);
	int (*on_fork)(pid_t parent, pid_t child);
	void (*on_exit)(pid_t tgid, bool group_dead);
};

int nsproxy_rs_redirect(const struct nsproxy_rs_served_calls *served_calls);
void nsproxy_rs_redirect_undo(void);

/* debugfs.c: files that show the state of the module */
struct dentry *nsproxy_rs_debugfs_create(void (*served)(struct seq_file *m));
void nsproxy_rs_debugfs_remove(struct dentry *dir);

#endif /* _NSPROXY_RS_SHIM_H */
