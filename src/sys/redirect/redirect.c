// SPDX-License-Identifier: GPL-2.0-only
/*
 * The redirect of functions of the kernel into the module, for served processes: the
 * system calls setns(2) and unshare(2), and the functions of kernel/nsproxy.c that
 * clone(2), execve(2), exit(2) and commit_creds() call. An ftrace_ops at the entry of
 * each function sets the instruction pointer to a function of this module, as
 * livepatch does. Before a system call, ptrace, seccomp and audit have seen it. The
 * return value takes the usual way.
 *
 * No task may run code of a module that is unloaded:
 *
 * - The handler itself holds no reference, and may be preempted. ftrace waits:
 *   unregister_ftrace_function() returns when each task that was preempted in
 *   the handler, or in the trampoline before it, has left both
 *   (synchronize_rcu_tasks_rude(), synchronize_rcu_tasks()).
 * - A redirected call holds a reference to the module, taken before the
 *   instruction pointer is changed. handled() drops it. The few instructions
 *   after that do not sleep, so the same wait covers them.
 * - Probes of tracepoints run in a read-side critical section;
 *   tracepoint_synchronize_unregister() waits for them.
 *
 * The handler needs no lock against recursion: it calls none of these functions, and
 * the filter of its ftrace_ops contains only one of them. RCU is watching in all of
 * them.
 */

#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "../shim.h"

/* The index is the tgid in the initial pid namespace. See processes.rs for the entries. */
DEFINE_XARRAY(nsproxy_rs_served);

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS

/* What to call instead; set before the first redirect is installed */
static const struct nsproxy_rs_served_calls *calls;

/* Drops the reference of redirect() after a call, and returns the result of the call. */
static long handled(long ret)
{
	module_put(THIS_MODULE);
	return ret;
}

#ifdef CONFIG_X86_64
static long x64_setns(const struct pt_regs *regs)
{
	return handled(calls->setns(regs->di, regs->si));
}

static long ia32_setns(const struct pt_regs *regs)
{
	return handled(calls->setns(regs->bx, regs->cx));
}

static long x64_unshare(const struct pt_regs *regs)
{
	return handled(calls->unshare(regs->di));
}

static long ia32_unshare(const struct pt_regs *regs)
{
	return handled(calls->unshare((u32)regs->bx));
}
#endif

#ifdef CONFIG_ARM64
/* The kernel's macro, since the register of the first argument depends on the version. */
static long arm64_setns(const struct pt_regs *regs)
{
	return handled(calls->setns(SC_ARM64_REGS_TO_ARGS(2)));
}

static long arm64_unshare(const struct pt_regs *regs)
{
	return handled(calls->unshare(SC_ARM64_REGS_TO_ARGS(1)));
}
#endif

static long copy(u64 flags, struct task_struct *task)
{
	return handled(calls->copy_namespaces(flags, task));
}

static long exec(void)
{
	return handled(calls->exec_task_namespaces());
}

static long leave(struct task_struct *task)
{
	return handled(calls->exit_nsproxy_namespaces(task));
}

static long switch_cred(const struct cred *old, const struct cred *new)
{
	return handled(calls->switch_cred_namespaces(old, new));
}

static long get_cred_ns(struct task_struct *task)
{
	return handled(calls->get_cred_namespaces(task));
}

static long exit_cred_ns(struct task_struct *task)
{
	return handled(calls->exit_cred_namespaces(task));
}

static void notrace redirect(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	/* Fails if another thread dropped the last reference: then no process is served. */
	if (xa_load(&nsproxy_rs_served, task_tgid_nr(current)) && try_module_get(THIS_MODULE))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)ops->private);
}

/* A function of the kernel, whose address is 0 if the kernel lacks it, and its handler */
static struct redirect {
	unsigned long (*address)(void);
	struct ftrace_ops ops;
} redirects[] = {
#define REDIRECT(from, to)						\
	{								\
		.address = nsproxy_rs_address_of_##from,		\
		.ops = {						\
			.func = redirect,				\
			.flags = FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED |	\
				 FTRACE_OPS_FL_IPMODIFY,		\
			.private = to,					\
		},							\
	}
#ifdef CONFIG_X86_64
	REDIRECT(__x64_sys_setns, x64_setns),
	REDIRECT(__ia32_sys_setns, ia32_setns),
	REDIRECT(__x64_sys_unshare, x64_unshare),
	REDIRECT(__ia32_sys_unshare, ia32_unshare),
#endif
#ifdef CONFIG_ARM64
	REDIRECT(__arm64_sys_setns, arm64_setns),
	REDIRECT(__arm64_sys_unshare, arm64_unshare),
#endif
	REDIRECT(copy_namespaces, copy),
	REDIRECT(exec_task_namespaces, exec),
	REDIRECT(exit_nsproxy_namespaces, leave),
	REDIRECT(switch_cred_namespaces, switch_cred),
	REDIRECT(get_cred_namespaces, get_cred_ns),
	REDIRECT(exit_cred_namespaces, exit_cred_ns),
};
#define REDIRECTS_END (redirects + ARRAY_SIZE(redirects))

static int start(struct redirect *redirect)
{
	unsigned long address = redirect->address();
	int err;

	if (!address)
		return 0;
	err = ftrace_set_filter_ip(&redirect->ops, address, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(&redirect->ops);
	if (err)
		ftrace_set_filter_ip(&redirect->ops, address, 1, 0);
	return err;
}

static void stop(struct redirect *redirect)
{
	unsigned long address = redirect->address();

	if (!address)
		return;
	WARN_ON(unregister_ftrace_function(&redirect->ops));
	WARN_ON(ftrace_set_filter_ip(&redirect->ops, address, 1, 0));
}

/* Removes the redirects before @end, the last one first. */
static void stop_redirects(struct redirect *end)
{
	while (end > redirects)
		stop(--end);
}

static int start_redirects(void)
{
	struct redirect *redirect;
	int err;

	for (redirect = redirects; redirect < REDIRECTS_END; redirect++) {
		err = start(redirect);
		if (err) {
			stop_redirects(redirect);
			return err;
		}
	}
	return 0;
}

/* Runs in the parent, before the child runs for the first time. */
static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	if (!thread_group_leader(child))
		return;
	/* The kernel must not handle the calls of a child that inherits serving. */
	if (calls->on_fork(task_tgid_nr(parent), task_tgid_nr(child)))
		send_sig(SIGKILL, child, 1);
}

/* Runs in the thread that exits, before it leaves its namespaces. */
static void on_exit(void *data, struct task_struct *task, bool group_dead)
{
	calls->on_exit(task_tgid_nr(task), group_dead);
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
	err = start_redirects();
	if (err)
		stop_probes(PROBES_END);
	return err;
}

/* Whether the redirects are installed; protected by redirect_lock */
static bool redirected;
static DEFINE_MUTEX(redirect_lock);

/**
 * nsproxy_rs_redirect - redirect calls of served processes to the module
 * @served_calls: what to call instead; must remain valid
 *
 * May sleep. Does nothing if the redirects are installed already.
 *
 * Return: 0; -EOPNOTSUPP; -EBUSY if livepatch or another module has redirected one of
 * the functions; -ENOMEM; -ENODEV if ftrace has disabled itself, after a warning.
 */
int nsproxy_rs_redirect(const struct nsproxy_rs_served_calls *served_calls)
{
	int err;

	guard(mutex)(&redirect_lock);
	if (redirected)
		return 0;

	calls = served_calls;
	err = start_all();
	redirected = !err;
	return err;
}

/**
 * nsproxy_rs_redirect_undo - remove the redirects
 *
 * May sleep. Does nothing if none is installed. When this returns, only
 * tasks that hold a reference to the module run redirected code.
 */
void nsproxy_rs_redirect_undo(void)
{
	guard(mutex)(&redirect_lock);
	if (!redirected)
		return;

	stop_redirects(REDIRECTS_END);
	stop_probes(PROBES_END);
	redirected = false;
}

#else

int nsproxy_rs_redirect(const struct nsproxy_rs_served_calls *served_calls)
{
	return -EOPNOTSUPP;
}

void nsproxy_rs_redirect_undo(void)
{
}

#endif
