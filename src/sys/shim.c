// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inline functions and macros of the kernel's headers, as functions that Rust can
 * call. Where the kernel inlines its own helpers into Rust, those that are
 * __always_inline are inlined as well: see Kbuild. This file must define no variable.
 */

#include <linux/fdtable.h>
#include <linux/fs_struct.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/shm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "shim.h"

/* The parent of a user or pid namespace; NULL for an initial one and for other kinds. */
struct ns_common *nsproxy_rs_ns_parent(struct ns_common *ns)
{
	struct pid_namespace *pid_ns;
	struct user_namespace *user_ns;

	switch (ns->ns_type) {
	case CLONE_NEWPID:
		pid_ns = container_of(ns, struct pid_namespace, ns)->parent;
		return pid_ns ? &pid_ns->ns : NULL;
	case CLONE_NEWUSER:
		user_ns = container_of(ns, struct user_namespace, ns)->parent;
		return user_ns ? &user_ns->ns : NULL;
	default:
		return NULL;
	}
}

/* The task cannot execute another program until the lock is released. */
int nsproxy_rs_exec_update_lock(struct task_struct *task)
{
	return down_read_killable(&task->signal->exec_update_lock);
}

void nsproxy_rs_exec_update_unlock(struct task_struct *task)
{
	up_read(&task->signal->exec_update_lock);
}

/*
 * kmem_cache_alloc() is a macro that tags the allocation with its line of C
 * (CONFIG_MEM_ALLOC_PROFILING). Rust could only call kmem_cache_alloc_noprof(),
 * which sets no tag.
 */
__always_inline struct nsproxy *nsproxy_rs_nsproxy_alloc(void)
{
	return kmem_cache_alloc(nsproxy_rs_nsproxy_cachep, GFP_KERNEL);
}

/* Like refcount_dec_and_test(), but returns the count before. */
__always_inline unsigned int nsproxy_rs_nsproxy_dec(struct nsproxy *ns)
{
	int old;

	return __refcount_dec_and_test(&ns->count, &old) ? 1 : old;
}

__always_inline bool nsproxy_rs_current_is_only_thread(void)
{
	return thread_group_empty(current);
}

unsigned int nsproxy_rs_current_threads(void)
{
	return get_nr_threads(current);
}

bool nsproxy_rs_current_is_init(void)
{
	return current->signal->flags & SIGNAL_UNKILLABLE;
}

unsigned int nsproxy_rs_current_mm_users(void)
{
	return atomic_read(&current->mm->mm_users);
}

unsigned int nsproxy_rs_current_files_users(void)
{
	return atomic_read(&current->files->count);
}

unsigned int nsproxy_rs_current_sighand_users(void)
{
	return refcount_read(&current->sighand->count);
}

#ifdef NSPROXY_RS_BEFORE_7_3
/* switch_fs_struct() of Linux 7.3, which was part of ksys_unshare() before. */
struct fs_struct *nsproxy_rs_switch_fs_struct(struct fs_struct *new_fs)
{
	struct fs_struct *fs;

	guard(task_lock)(current);
	fs = current->fs;
	read_seqlock_excl(&fs->seq);
	current->fs = new_fs;
	new_fs = --fs->users ? NULL : fs;
	read_sequnlock_excl(&fs->seq);
	return new_fs;
}
#endif

void nsproxy_rs_shm_init_task(struct task_struct *task)
{
	shm_init_task(task);
}

__always_inline int nsproxy_rs_get_user_u64(u64 *dst, const u64 __user *src)
{
	return get_user(*dst, src);
}

/*
 * fault_in_writeable() writes a zero to each page. This function writes back the
 * byte that it reads. fault_in_safe_writeable() is not used, since it handles a page
 * fault for each page, even if none is needed.
 */
bool nsproxy_rs_can_write(u8 __user *to, size_t size)
{
	u8 __user *at;
	u8 byte;

	if (!user_access_begin(to, size))
		return false;
	for (at = to; at < to + size; at = PTR_ALIGN_DOWN(at + PAGE_SIZE, PAGE_SIZE)) {
		unsafe_get_user(byte, at, fault);
		unsafe_put_user(byte, at, fault);
	}
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

int nsproxy_rs_copy_struct_from_user(void *dst, size_t ksize,
				     const void __user *src, size_t usize)
{
	return copy_struct_from_user(dst, ksize, src, usize);
}

int nsproxy_rs_copy_struct_to_user(void __user *dst, size_t usize,
				   const void *src, size_t ksize)
{
	return copy_struct_to_user(dst, usize, src, ksize, NULL);
}
