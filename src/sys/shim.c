// SPDX-License-Identifier: GPL-2.0-only
/*
 * Symbols that modules cannot link to are found by name and called through
 * static calls: the prototype is the one of the kernel's header, so that one
 * that changed does not compile, and the call is a direct one, so that it
 * works where indirect calls to functions that were never meant to be called
 * that way are refused (IBT with sealed functions, kCFI).
 */

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>

#include "shim.h"

#define CALL(option, name) DEFINE_STATIC_CALL_NULL(nsproxy_rs_##name, name);
#define DATA(option, type, name)					\
	type nsproxy_rs_##name __ro_after_init;
#define ADDRESS(option, name)
#include "symbols/symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS

#define SYMBOL(option_, name_)						\
	[NSPROXY_RS_SYMBOL_##name_] = {					\
		.name = #name_,						\
		.option = #option_,					\
		.enabled = IS_ENABLED(CONFIG_##option_),		\
	},
#define CALL(option, name) NSPROXY_RS_SYMBOL_##name,
#define DATA(option, type, name) NSPROXY_RS_SYMBOL_##name,
#define ADDRESS(option, name) NSPROXY_RS_SYMBOL_##name,
enum {
#include "symbols/symbols.def"
	NSPROXY_RS_NR_SYMBOLS
};
#undef CALL
#undef DATA
#undef ADDRESS

#define CALL(option, name) SYMBOL(option, name)
#define DATA(option, type, name) SYMBOL(option, name)
#define ADDRESS(option, name) SYMBOL(option, name)
struct nsproxy_rs_symbol nsproxy_rs_symbols[] = {
#include "symbols/symbols.def"
};
#undef CALL
#undef DATA
#undef ADDRESS

#define CALL(option, name)
#define DATA(option, type, name)
#define ADDRESS(option, name)						\
	unsigned long nsproxy_rs_address_of_##name(void)		\
	{								\
		return nsproxy_rs_symbols[NSPROXY_RS_SYMBOL_##name].address; \
	}
#include "symbols/symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS

const unsigned int nsproxy_rs_nr_symbols = NSPROXY_RS_NR_SYMBOLS;

bool nsproxy_rs_allow_seccomp __ro_after_init;
module_param_named(allow_seccomp, nsproxy_rs_allow_seccomp, bool, 0);
MODULE_PARM_DESC(allow_seccomp,
		 "Serve callers under a seccomp filter, which cannot see what they call");

/* Taints the kernel (TAINT_TEST), since the module replaces a system call. */
MODULE_INFO(test, "Y");

/*
 * Where struct mnt_namespace, which is private to fs/, has its ns_common:
 * from_mnt_ns() is asked once.
 */
unsigned long nsproxy_rs_ns_of_mnt_namespace __ro_after_init;

DEFINE_STATIC_CALL_NULL(nsproxy_rs_kallsyms, kallsyms_lookup_name);

/*
 * kallsyms_lookup_name() is not exported; a kprobe by name finds it, disabled,
 * so that no code of the kernel is changed for that. Where the function starts
 * with ENDBR (or what sealing left of it), the probe sits behind that:
 * sprint_symbol() tells how far in.
 */
static int find_kallsyms(void)
{
	struct kprobe kp = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	char where[KSYM_SYMBOL_LEN];
	unsigned long offset;
	int err;

	err = register_kprobe(&kp);
	if (err)
		return err;
	unregister_kprobe(&kp);

	sprint_symbol(where, (unsigned long)kp.addr);
	if (sscanf(where, "kallsyms_lookup_name+%lx/", &offset) != 1)
		return -ENOENT;

	static_call_update(nsproxy_rs_kallsyms, (void *)kp.addr - offset);
	return 0;
}

/**
 * nsproxy_rs_symbols_look_up - fill in the addresses of nsproxy_rs_symbols
 *
 * Return: 0, or the error of the kprobe that finds kallsyms_lookup_name().
 * A symbol that does not exist is not an error here: its address stays 0.
 */
int nsproxy_rs_symbols_look_up(void)
{
	struct nsproxy_rs_symbol *sym;
	int err = find_kallsyms();

	if (err)
		return err;

	for (sym = nsproxy_rs_symbols; sym < nsproxy_rs_symbols + NSPROXY_RS_NR_SYMBOLS; sym++)
		if (sym->enabled)
			sym->address = static_call(nsproxy_rs_kallsyms)(sym->name);
	return 0;
}

/**
 * nsproxy_rs_symbols_install - point the static calls at what was looked up
 *
 * To be called when every enabled symbol has its address. Where the option is
 * off, the conditional is a constant and the header's inline function is left.
 */
void nsproxy_rs_symbols_install(void)
{
#define FOUND(name) ((void *)nsproxy_rs_symbols[NSPROXY_RS_SYMBOL_##name].address)
#define CALL(option, name)						\
	static_call_update(nsproxy_rs_##name,				\
			   IS_ENABLED(CONFIG_##option) ?		\
			   (typeof(name) *)FOUND(name) : name);
#define DATA(option, type, name) nsproxy_rs_##name = *(type *)FOUND(name);
#define ADDRESS(option, name)
#include "symbols/symbols.def"
#undef CALL
#undef DATA
#undef ADDRESS
#undef FOUND

	nsproxy_rs_ns_of_mnt_namespace =
		(void *)static_call(nsproxy_rs_from_mnt_ns)(current->nsproxy->mnt_ns) -
		(void *)current->nsproxy->mnt_ns;
}

/* Of the kinds that have one above the other; NULL for the topmost. */
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
struct nsproxy *nsproxy_rs_nsproxy_alloc(void)
{
	return kmem_cache_alloc(nsproxy_rs_nsproxy_cachep, GFP_KERNEL);
}

/* refcount_dec_and_test(), for who wants to know what there was. */
unsigned int nsproxy_rs_nsproxy_dec(struct nsproxy *ns)
{
	int old;

	return __refcount_dec_and_test(&ns->count, &old) ? 1 : old;
}

bool nsproxy_rs_current_is_only_thread(void)
{
	return thread_group_empty(current);
}

unsigned int nsproxy_rs_current_threads(void)
{
	return get_nr_threads(current);
}

unsigned int nsproxy_rs_current_mm_users(void)
{
	return atomic_read(&current->mm->mm_users);
}

int nsproxy_rs_get_user_u64(u64 *dst, const u64 __user *src)
{
	return get_user(*dst, src);
}

/*
 * fault_in_writeable() writes a zero to each page; this writes back the byte that
 * it reads. (fault_in_safe_writeable() handles a page fault for each page, also
 * where none is needed.)
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
