/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoint nsproxy_rs:nsproxy_rs_step fires for each step of every call, by any
 * entry, except for releasing objects at the end of the call.
 *
 * Readers of tracefs may see what every task does, in every namespace. The
 * tracepoint therefore reports the ids and counts of all namespaces, also those
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

/* Makes the numbers of the steps known to readers of the event's format file. */
#undef EM
#undef EM_END
#define EM(step, name)	TRACE_DEFINE_ENUM(step);
#define EM_END(step, name)	TRACE_DEFINE_ENUM(step);
NSPROXY_STEPS

#undef EM
#undef EM_END
#define EM(step, name)	{ step, name },
#define EM_END(step, name)	{ step, name }

#define show_step(step)		__print_symbolic(step, NSPROXY_STEPS)

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

#endif /* _NSPROXY_RS_TRACE_H */

/* Outside of the guard: define_trace.h includes this file again. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
