/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The input of bindgen. Kbuild lists the items that become Rust: the shim, the ABI,
 * and the structs whose members Rust accesses.
 */
#include "shim.h"
#include "../uapi/nsproxy_rs.h"
#include <generated/utsrelease.h>
#include <linux/cgroup_namespace.h>
#include <linux/pid_namespace.h>
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

/* Members of ns_common that the kernel crate does not have */
enum {
	NSPROXY_RS_NS_ID = offsetof(struct ns_common, ns_id),
	NSPROXY_RS_NS_REF_ACTIVE = offsetof(struct ns_common, __ns_ref_active),
};
const unsigned int NSPROXY_RS_NS_LAST_INIT_ID = NS_LAST_INIT_ID;
