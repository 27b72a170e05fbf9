/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoint nsproxy_rs:nsproxy_rs_step fires for each step of every call, by any
 * entry, except for releasing objects at the end of the call.
 * nsproxy_rs:nsproxy_rs_refused fires for each refusal, with its reason.
 *
 * Readers of tracefs may see what every task does, in every namespace. The
 * tracepoints therefore report the ids and counts of all namespaces, also those
 * that /dev/nsproxy keeps from the caller.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nsproxy_rs

#if !defined(_NSPROXY_RS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NSPROXY_RS_TRACE_H

#include <linux/ns_common.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

#include "../uapi/nsproxy_rs.h"

/* EM_END() is the last entry, EM() each other one. */
#define NSPROXY_STEPS							\
	EM(NSPROXY_STEP_CAPABLE,	"capable")			\
	EM(NSPROXY_STEP_FGET,		"fget")				\
	EM(NSPROXY_STEP_TYPE,		"type")				\
	EM(NSPROXY_STEP_CREATE,		"create_new_namespaces")	\
	EM(NSPROXY_STEP_CRED,		"prepare_creds")		\
	EM(NSPROXY_STEP_FS,		"copy_fs_struct")		\
	EM(NSPROXY_STEP_TARGET,		"target")			\
	EM(NSPROXY_STEP_INSTALL,	"install")			\
	EM(NSPROXY_STEP_TARGET_PUT,	"target_put")			\
	EM(NSPROXY_STEP_COMMIT_CREDS,	"commit_creds")			\
	EM(NSPROXY_STEP_SET_FS,		"set_fs")			\
	EM(NSPROXY_STEP_EXIT_SEM,	"exit_sem")			\
	EM(NSPROXY_STEP_TIMENS,		"timens_commit")		\
	EM(NSPROXY_STEP_ACTIVATE,	"nsproxy_ns_active_get")	\
	EM(NSPROXY_STEP_SWITCH,		"switch")			\
	EM(NSPROXY_STEP_PUT_NSPROXY,	"put_nsproxy")			\
	EM(NSPROXY_STEP_PERF,		"perf_event_namespaces")	\
	EM(NSPROXY_STEP_FLAGS,		"check_unshare_flags")		\
	EM(NSPROXY_STEP_FILES,		"dup_fd")			\
	EM(NSPROXY_STEP_NEW_NS,		"new_ns")			\
	EM(NSPROXY_STEP_UCOUNTS,	"set_cred_ucounts")		\
	EM(NSPROXY_STEP_EXIT_SHM,	"exit_shm")			\
	EM(NSPROXY_STEP_SWITCH_FS,	"switch_fs")			\
	EM_END(NSPROXY_STEP_SWITCH_FILES,	"switch_files")

#define NSPROXY_REASONS							\
	EM(NSPROXY_REASON_BADF,		"bad-fd")			\
	EM(NSPROXY_REASON_NEITHER,	"neither")			\
	EM(NSPROXY_REASON_NSTYPE,	"nstype")			\
	EM(NSPROXY_REASON_NO_FLAGS,	"no-flags")			\
	EM(NSPROXY_REASON_UNKNOWN_FLAGS, "unknown-flags")		\
	EM(NSPROXY_REASON_UNSUPPORTED,	"unsupported")			\
	EM(NSPROXY_REASON_NO_NSPROXY,	"no-nsproxy")			\
	EM(NSPROXY_REASON_NO_CRED,	"no-cred")			\
	EM(NSPROXY_REASON_NO_FS,	"no-fs")			\
	EM(NSPROXY_REASON_REAPED,	"reaped")			\
	EM(NSPROXY_REASON_PTRACE,	"ptrace")			\
	EM(NSPROXY_REASON_EXITING,	"exiting")			\
	EM(NSPROXY_REASON_NO_PID_NS,	"no-pid-ns")			\
	EM(NSPROXY_REASON_CAP_OWNER,	"cap-owner")			\
	EM(NSPROXY_REASON_CAP_SET,	"cap-set")			\
	EM(NSPROXY_REASON_CHROOT,	"chroot")			\
	EM(NSPROXY_REASON_CAP_USER,	"cap-user")			\
	EM(NSPROXY_REASON_ANONYMOUS,	"anonymous")			\
	EM(NSPROXY_REASON_FS_SHARED,	"fs-shared")			\
	EM(NSPROXY_REASON_ROOT,		"root")				\
	EM(NSPROXY_REASON_NOT_BELOW,	"not-below")			\
	EM(NSPROXY_REASON_SAME_USER,	"same-user")			\
	EM(NSPROXY_REASON_THREADS,	"threads")			\
	EM(NSPROXY_REASON_UCOUNTS,	"ucounts")			\
	EM(NSPROXY_REASON_MM_SHARED,	"mm-shared")			\
	EM(NSPROXY_REASON_CAP_INIT,	"cap-init")			\
	EM(NSPROXY_REASON_NO_NS,	"no-ns")			\
	EM(NSPROXY_REASON_USERNS_OFF,	"userns-off")			\
	EM(NSPROXY_REASON_UNSHARE_FLAGS, "unshare-flags")		\
	EM(NSPROXY_REASON_UNSHARE_THREADS, "unshare-threads")		\
	EM(NSPROXY_REASON_SIGHAND_SHARED, "sighand-shared")		\
	EM(NSPROXY_REASON_VM_SHARED,	"vm-shared")			\
	EM(NSPROXY_REASON_NO_FILES,	"no-files")			\
	EM(NSPROXY_REASON_NEW_UCOUNTS,	"new-ucounts")			\
	EM(NSPROXY_REASON_CAP_NEW,	"cap-new")			\
	EM(NSPROXY_REASON_LIMIT,	"limit")			\
	EM(NSPROXY_REASON_NESTED,	"nested")			\
	EM(NSPROXY_REASON_CHROOTED,	"chrooted")			\
	EM(NSPROXY_REASON_UNMAPPED,	"unmapped")			\
	EM(NSPROXY_REASON_LSM,		"lsm")				\
	EM(NSPROXY_REASON_PID_FOR_CHILDREN, "pid-for-children")		\
	EM(NSPROXY_REASON_PID_OWNER,	"pid-owner")			\
	EM(NSPROXY_REASON_NO_NEW_NS,	"no-new-ns")			\
	EM(NSPROXY_REASON_CLONE_FLAGS,	"clone-flags")			\
	EM(NSPROXY_REASON_CLONE_FS,	"clone-fs")			\
	EM(NSPROXY_REASON_CLONE_PARENT,	"clone-parent")			\
	EM(NSPROXY_REASON_CLONE_THREAD,	"clone-thread")			\
	EM_END(NSPROXY_REASON_CLONE_SYSVSEM, "clone-sysvsem")

/* Makes the numbers known to readers of the format file of an event. */
#undef EM
#undef EM_END
#define EM(number, name)	TRACE_DEFINE_ENUM(number);
#define EM_END(number, name)	TRACE_DEFINE_ENUM(number);
NSPROXY_STEPS
NSPROXY_REASONS

#undef EM
#undef EM_END
#define EM(number, name)	{ number, name },
#define EM_END(number, name)	{ number, name }

#define show_step(step)		__print_symbolic(step, NSPROXY_STEPS)
#define show_reason(reason)	__print_symbolic(reason, NSPROXY_REASONS)

#define show_kind(kind)							\
	__print_symbolic(kind,						\
		{ 0,			"-" },				\
		{ CLONE_NEWNS,		"mnt" },			\
		{ CLONE_NEWUTS,		"uts" },			\
		{ CLONE_NEWIPC,		"ipc" },			\
		{ CLONE_NEWPID,		"pid" },			\
		{ CLONE_NEWCGROUP,	"cgroup" },			\
		{ CLONE_NEWNET,		"net" },			\
		{ CLONE_NEWTIME,	"time" },			\
		{ CLONE_NEWUSER,	"user" })

TRACE_EVENT(nsproxy_rs_step,
	TP_PROTO(unsigned int step, struct ns_common *ns, unsigned int error),
	TP_ARGS(step, ns, error),
	TP_STRUCT__entry(
		__field(u64, ns_id)
		__field(u32, step)
		__field(u32, error)
		__field(u32, kind)
		__field(u32, inum)
		__field(u32, ns_ref)
		__field(u32, active)
	),
	TP_fast_assign(
		__entry->step = step;
		__entry->error = error;
		__entry->ns_id = ns ? ns->ns_id : 0;
		__entry->kind = ns ? ns->ns_type : 0;
		__entry->inum = ns ? ns->inum : 0;
		__entry->ns_ref = ns ? __ns_ref_read(ns) : 0;
		__entry->active = ns ? __ns_ref_active_read(ns) : 0;
	),
	TP_printk("step=%s error=%u ns=%s:[%u] ns_id=%llu ns_ref=%u active=%u",
		  show_step(__entry->step), __entry->error,
		  show_kind(__entry->kind), __entry->inum, __entry->ns_id,
		  __entry->ns_ref, __entry->active)
);

/* The members of struct nsproxy_explain have the same names. */
TRACE_EVENT(nsproxy_rs_refused,
	TP_PROTO(const struct nsproxy_explain *refused),
	TP_ARGS(refused),
	TP_STRUCT__entry(
		__field(u64, ns_id)
		__field(u64, user_ns_id)
		__field(u32, error)
		__field(u32, reason)
		__field(u32, kind)
		__field(u32, cap)
		__field(u32, count)
		__field(u32, limit)
		__field(u32, levels)
	),
	TP_fast_assign(
		__entry->ns_id = refused->ns_id;
		__entry->user_ns_id = refused->user_ns_id;
		__entry->error = refused->error;
		__entry->reason = refused->reason;
		__entry->kind = refused->kind;
		__entry->cap = refused->cap;
		__entry->count = refused->count;
		__entry->limit = refused->limit;
		__entry->levels = refused->levels;
	),
	TP_printk("error=%u reason=%s kind=%s ns_id=%llu cap=%u user_ns_id=%llu count=%u limit=%u levels=%u",
		  __entry->error, show_reason(__entry->reason),
		  show_kind(__entry->kind), __entry->ns_id, __entry->cap,
		  __entry->user_ns_id, __entry->count, __entry->limit,
		  __entry->levels)
);

#endif /* _NSPROXY_RS_TRACE_H */

/* Outside of the guard: define_trace.h includes this file again. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
