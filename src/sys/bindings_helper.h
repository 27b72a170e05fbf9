/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The input of bindgen. Kbuild lists the items that become Rust: the shim, the ABI,
 * and the structs whose members Rust accesses.
 */
#include "shim.h"
#include "../uapi/nsproxy_rs.h"
#include <generated/utsrelease.h>
#include <linux/capability.h>
#include <linux/cgroup_namespace.h>
#include <linux/key.h>
#include <linux/namei.h>
#include <linux/pid_namespace.h>
#include <linux/sched/task.h>
#include <linux/securebits.h>
#include <net/net_namespace.h>
#include <uapi/linux/nsfs.h>

/* Macros that bindgen cannot evaluate */
const unsigned int NSPROXY_RS_PTRACE_MODE_READ_REALCREDS = PTRACE_MODE_READ_REALCREDS;
const unsigned int NSPROXY_RS_PTRACE_MODE_READ_FSCREDS = PTRACE_MODE_READ_FSCREDS;
const unsigned int NSPROXY_RS_CLONE_NS_ALL = CLONE_NS_ALL;
const unsigned int NSPROXY_RS_SETNS = NSPROXY_SETNS;
const unsigned int NSPROXY_RS_SETNS_2011 = NSPROXY_SETNS_2011;
const unsigned int NSPROXY_RS_VERSION = NSPROXY_VERSION;
const unsigned int NSPROXY_RS_SERVE = NSPROXY_SERVE;
const unsigned int NSPROXY_RS_EXPLAIN = NSPROXY_EXPLAIN;
const unsigned int NSPROXY_RS_SHOW = NSPROXY_SHOW;
const unsigned int NSPROXY_RS_MNT_NS_ANON_INO = MNT_NS_ANON_INO;
const unsigned int NSPROXY_RS_LOOKUP_DOWN = LOOKUP_DOWN;
const unsigned int NSPROXY_RS_SECUREBITS_DEFAULT = SECUREBITS_DEFAULT;
const unsigned int NSPROXY_RS_SECURE_ALL_UNPRIVILEGED = SECURE_ALL_UNPRIVILEGED;
const unsigned long long NSPROXY_RS_CAP_VALID_MASK = CAP_VALID_MASK;
const unsigned int NSPROXY_RS_UNSHARE = NSPROXY_UNSHARE;
const unsigned int NSPROXY_RS_UNSHARE_EMPTY_MNTNS = UNSHARE_EMPTY_MNTNS;
const unsigned long long NSPROXY_RS_CLONE_EMPTY_MNTNS = CLONE_EMPTY_MNTNS;
const unsigned long long NSPROXY_RS_CLONE_CLEAR_SIGHAND = CLONE_CLEAR_SIGHAND;
const unsigned long long NSPROXY_RS_CLONE_NNP = CLONE_NNP;
/* The flags that clone3_args_valid() accepts */
const unsigned long long NSPROXY_RS_CLONE3_FLAGS =
	(CLONE_LEGACY_FLAGS & ~(CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) |
	CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | CLONE_AUTOREAP | CLONE_NNP |
	CLONE_PIDFD_AUTOKILL | CLONE_EMPTY_MNTNS;

/* The offset of ns_common in each kind */
#define NS_OF(type) NSPROXY_RS_NS_OF_##type = offsetof(struct type, ns)
enum {
	NS_OF(uts_namespace),
	NS_OF(ipc_namespace),
	NS_OF(pid_namespace),
	NS_OF(cgroup_namespace),
	NS_OF(net),
	NS_OF(time_namespace),
	NS_OF(user_namespace),
};

/* The offset of the owner in each kind; that of struct mnt_namespace is private */
#define USER_NS_OF(type) NSPROXY_RS_USER_NS_OF_##type = offsetof(struct type, user_ns)
enum {
	USER_NS_OF(uts_namespace),
	USER_NS_OF(ipc_namespace),
	USER_NS_OF(pid_namespace),
	USER_NS_OF(cgroup_namespace),
	USER_NS_OF(net),
	USER_NS_OF(time_namespace),
};

/* Members of structs that contain ns_common, whose alignment older kernel crates lack */
enum {
	NSPROXY_RS_NS_LEVEL_OF_pid_namespace = offsetof(struct pid_namespace, level),
	NSPROXY_RS_NS_LEVEL_OF_user_namespace = offsetof(struct user_namespace, level),
	NSPROXY_RS_USER_NS_UCOUNTS = offsetof(struct user_namespace, ucounts),
	NSPROXY_RS_USER_NS_UCOUNT_MAX = offsetof(struct user_namespace, ucount_max),
};

/* Members of ns_common that the kernel crate does not have */
enum {
	NSPROXY_RS_NS_ID = offsetof(struct ns_common, ns_id),
	NSPROXY_RS_NS_REF_ACTIVE = offsetof(struct ns_common, __ns_ref_active),
};
const unsigned int NSPROXY_RS_NS_LAST_INIT_ID = NS_LAST_INIT_ID;
