// SPDX-License-Identifier: GPL-2.0-only
/*
 * struct mnt_namespace and struct mount. Their layouts are private to fs/: the offsets
 * of three members are determined when the module is loaded.
 */

#include <linux/fs_struct.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pid_namespace.h>
#include <linux/sched/task.h>

#include "shim.h"

/* offsetof(struct mnt_namespace, ns) */
unsigned long nsproxy_rs_ns_of_mnt_namespace __ro_after_init;
/* offsetof(struct mnt_namespace, root): a pointer to struct mount, the member after ns */
static unsigned long root_of_mnt_namespace __ro_after_init;
/* offsetof(struct mount, mnt): a struct vfsmount */
static unsigned long mnt_of_mount __ro_after_init;

/* More than the offset of any member of struct mount that precedes mnt */
#define MNT_OF_MOUNT_MAX 128

/**
 * nsproxy_rs_mnt_namespace_find - determine the offsets
 *
 * from_mnt_ns() returns the member ns. From the root directory of the first process,
 * follow_up() leads to the root of its mount namespace. The member root must point
 * close to it.
 *
 * Return: 0, or -ENOENT if it does not: the layout is another one.
 */
int nsproxy_rs_mnt_namespace_find(void)
{
	struct task_struct *init = init_pid_ns.child_reaper;
	struct mnt_namespace *ns;
	struct path path;
	void *root;

	task_lock(init);
	ns = init->nsproxy->mnt_ns;
	nsproxy_rs_ns_of_mnt_namespace =
		(void *)static_call(nsproxy_rs_from_mnt_ns)(ns) - (void *)ns;
	root_of_mnt_namespace = nsproxy_rs_ns_of_mnt_namespace + sizeof(struct ns_common);
	root = *(void **)((void *)ns + root_of_mnt_namespace);
	get_fs_root(init->fs, &path);
	task_unlock(init);

	while (follow_up(&path))
		;
	mnt_of_mount = (void *)path.mnt - root;
	path_put(&path);
	return mnt_of_mount < MNT_OF_MOUNT_MAX && IS_ALIGNED(mnt_of_mount, sizeof(void *)) ?
	       0 : -ENOENT;
}

/* The root of a mount namespace: &ns->root->mnt */
struct vfsmount *nsproxy_rs_mnt_namespace_root(struct mnt_namespace *ns)
{
	return *(void **)((void *)ns + root_of_mnt_namespace) + mnt_of_mount;
}
