/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoint of the path: nsproxy_rs:nsproxy_rs_step, one for each step of
 * every call, however it came in, but for what is dropped at its end.
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

#define show_step(step)							\
	__print_symbolic(step,						\
		{ NSPROXY_STEP_CAPABLE,		"capable" },		\
		{ NSPROXY_STEP_FGET,		"fget" },		\
		{ NSPROXY_STEP_TYPE,		"type" },		\
		{ NSPROXY_STEP_CREATE,		"create_new_namespaces" }, \
		{ NSPROXY_STEP_CRED,		"prepare_creds" },	\
		{ NSPROXY_STEP_FS,		"copy_fs_struct" },	\
		{ NSPROXY_STEP_TARGET,		"target" },		\
		{ NSPROXY_STEP_INSTALL,		"install" },		\
		{ NSPROXY_STEP_TARGET_PUT,	"target_put" },		\
		{ NSPROXY_STEP_COMMIT_CREDS,	"commit_creds" },	\
		{ NSPROXY_STEP_SET_FS,		"set_fs" },		\
		{ NSPROXY_STEP_EXIT_SEM,	"exit_sem" },		\
		{ NSPROXY_STEP_TIMENS,		"timens_commit" },	\
		{ NSPROXY_STEP_ACTIVATE,	"nsproxy_ns_active_get" }, \
		{ NSPROXY_STEP_SWITCH,		"switch" },		\
		{ NSPROXY_STEP_PUT_NSPROXY,	"put_nsproxy" },	\
		{ NSPROXY_STEP_PERF,		"perf_event_namespaces" })

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

/* Outside of the guard: it is read again from in there. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
