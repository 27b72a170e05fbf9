// SPDX-License-Identifier: GPL-2.0-only
/*
 * The redirect of setns(2) for served processes. An ftrace_ops at the entry of the
 * system call sets the instruction pointer to a function of this module, as
 * livepatch does. Before that, ptrace, seccomp and audit have seen the call. The
 * return value takes the usual way.
 *
 * No task may run code of a module that is unloaded:
 *
 * - The handler itself holds no reference, and may be preempted. ftrace waits:
 *   unregister_ftrace_function() returns when each task that was preempted in
 *   the handler, or in the trampoline before it, has left both
 *   (synchronize_rcu_tasks_rude(), synchronize_rcu_tasks()).
 * - A redirected call holds a reference to the module, taken before the
 *   instruction pointer is changed. handle() drops it. The few instructions
 *   after that do not sleep, so the same wait covers them.
 * - Probes of tracepoints run in a read-side critical section;
 *   tracepoint_synchronize_unregister() waits for them.
 *
 * The handler needs no lock against recursion: it calls nothing that makes the
 * system call, and the filter of its ftrace_ops contains only that function. RCU
 * is watching in the body of a system call.
 */

#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "../shim.h"

/* The index is the tgid in the initial pid namespace. An entry owns a module reference. */
DEFINE_XARRAY(nsproxy_rs_served);

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS

static long (*handle_setns)(int fd, int flags);
static int (*handle_fork)(pid_t parent, pid_t child);
static void (*handle_exit)(pid_t tgid);

static long handle(int fd, int flags)
{
	long ret = handle_setns(fd, flags);

	module_put(THIS_MODULE);
	return ret;
}

static long handle_x64(const struct pt_regs *regs)
{
	return handle(regs->di, regs->si);
}

static long handle_ia32(const struct pt_regs *regs)
{
	return handle(regs->bx, regs->cx);
}

static void notrace redirect(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	/* Fails if another thread dropped the last reference: then no process is served. */
	if (xa_load(&nsproxy_rs_served, task_tgid_nr(current)) && try_module_get(THIS_MODULE))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)ops->private);
}

#define REDIRECT(to)							\
	{								\
		.func = redirect,					\
		.flags = FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED |		\
			 FTRACE_OPS_FL_IPMODIFY,			\
		.private = to,						\
	}
static struct ftrace_ops x64_ops = REDIRECT(handle_x64);
static struct ftrace_ops ia32_ops = REDIRECT(handle_ia32);

static int start(struct ftrace_ops *ops, unsigned long address)
{
	int err;

	if (!address)
		return 0;
	err = ftrace_set_filter_ip(ops, address, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(ops);
	if (err)
		ftrace_set_filter_ip(ops, address, 1, 0);
	return err;
}

static void stop(struct ftrace_ops *ops, unsigned long address)
{
	if (!address)
		return;
	WARN_ON(unregister_ftrace_function(ops));
	WARN_ON(ftrace_set_filter_ip(ops, address, 1, 0));
}

/* Runs in the parent, before the child runs for the first time. */
static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	if (!thread_group_leader(child))
		return;
	/* The kernel must not handle the calls of a child that inherits serving. */
	if (handle_fork(task_tgid_nr(parent), task_tgid_nr(child)))
		send_sig(SIGKILL, child, 1);
}

static void on_exit(void *data, struct task_struct *task, bool group_dead)
{
	if (group_dead)
		handle_exit(task_tgid_nr(task));
}

/* The tracepoints are not exported to modules, so find() looks them up by name. */
static struct probe {
	const char *name;
	void *function;
	struct tracepoint *at;
} probes[] = {
	{ .name = "sched_process_fork", .function = on_fork },
	{ .name = "sched_process_exit", .function = on_exit },
};
#define PROBES_END (probes + ARRAY_SIZE(probes))

static void find(struct tracepoint *tp, void *unused)
{
	struct probe *probe;

	for (probe = probes; probe < PROBES_END; probe++)
		if (!strcmp(tp->name, probe->name))
			probe->at = tp;
}

/* Unregisters the probes before @end. */
static void stop_probes(struct probe *end)
{
	struct probe *probe;

	for (probe = probes; probe < end; probe++)
		tracepoint_probe_unregister(probe->at, probe->function, NULL);
	tracepoint_synchronize_unregister();
}

static int start_probes(void)
{
	struct probe *probe;
	int err;

	/* Registration takes void *. These calls make the compiler check the prototypes. */
	check_trace_callback_type_sched_process_fork(on_fork);
	check_trace_callback_type_sched_process_exit(on_exit);

	for_each_kernel_tracepoint(find, NULL);
	for (probe = probes; probe < PROBES_END; probe++) {
		err = probe->at ? tracepoint_probe_register(probe->at, probe->function, NULL)
				: -EOPNOTSUPP;
		if (err) {
			stop_probes(probe);
			return err;
		}
	}
	return 0;
}

static int start_all(void)
{
	int err;

	err = start_probes();
	if (err)
		return err;
	err = start(&x64_ops, nsproxy_rs_address_of___x64_sys_setns());
	if (err)
		goto undo_probes;
	err = start(&ia32_ops, nsproxy_rs_address_of___ia32_sys_setns());
	if (err)
		goto undo_x64;
	return 0;

undo_x64:
	stop(&x64_ops, nsproxy_rs_address_of___x64_sys_setns());
undo_probes:
	stop_probes(PROBES_END);
	return err;
}

/* Whether the redirect is installed; protected by redirect_lock */
static bool redirected;
static DEFINE_MUTEX(redirect_lock);

/**
 * nsproxy_rs_redirect - redirect setns(2) of served processes to the module
 * @setns_fn: handles setns(2)
 * @fork_fn:  called for each new process; the process is killed on an error
 * @exit_fn:  called for each process that exits
 *
 * May sleep. Does nothing if the redirect is installed already.
 *
 * Return: 0; -EOPNOTSUPP; -EBUSY if livepatch or another module has redirected
 * the call; -ENOMEM; -ENODEV if ftrace has disabled itself, after a warning.
 */
int nsproxy_rs_redirect(long (*setns_fn)(int fd, int flags),
			int (*fork_fn)(pid_t parent, pid_t child),
			void (*exit_fn)(pid_t tgid))
{
	int err;

	guard(mutex)(&redirect_lock);
	if (redirected)
		return 0;

	handle_setns = setns_fn;
	handle_fork = fork_fn;
	handle_exit = exit_fn;
	err = start_all();
	redirected = !err;
	return err;
}

/**
 * nsproxy_rs_redirect_undo - remove the redirect
 *
 * May sleep. Does nothing if no redirect is installed. When this returns, only
 * tasks that hold a reference to the module run redirected code.
 */
void nsproxy_rs_redirect_undo(void)
{
	guard(mutex)(&redirect_lock);
	if (!redirected)
		return;

	stop(&ia32_ops, nsproxy_rs_address_of___ia32_sys_setns());
	stop(&x64_ops, nsproxy_rs_address_of___x64_sys_setns());
	stop_probes(PROBES_END);
	redirected = false;
}

#else

int nsproxy_rs_redirect(long (*setns_fn)(int fd, int flags),
			int (*fork_fn)(pid_t parent, pid_t child),
			void (*exit_fn)(pid_t tgid))
{
	return -EOPNOTSUPP;
}

void nsproxy_rs_redirect_undo(void)
{
}

#endif
