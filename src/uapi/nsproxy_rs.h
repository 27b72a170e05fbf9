/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of /dev/nsproxy. bindgen generates the bindings of the module and of
 * the tools from this file.
 *
 * Rules for all commands:
 *  - Errors: ENOTTY for an unknown command; EINVAL for a known command with an
 *    impossible size, for a reserved field that is not zero, and for an unknown
 *    flag; EFAULT for a bad pointer.
 *  - A struct that "grows" may have another size in user space, as for openat2(2).
 *    The ioctl number encodes that size. New members are added at the end only, and
 *    missing members are zero. E2BIG means that a member that is unknown to the
 *    module is not zero.
 *  - Checks use the credentials of the caller at the time of the call, not those
 *    of the opener of the device.
 *  - NSPROXY_SETNS, NSPROXY_SETNS_2011, NSPROXY_UNSHARE and NSPROXY_EXPLAIN (also as
 *    a dry run) return EPERM to a caller under a seccomp filter, before all other
 *    checks. A filter that denies setns(2) or unshare(2) does not see that an ioctl
 *    makes the same call. The
 *    module parameter allow_seccomp=1 disables this check. The other commands do not
 *    change namespaces. A system call served after NSPROXY_SERVE passes the
 *    filter first.
 *  - A caller learns no more about namespaces than from the kernel itself. Owners
 *    and parents: their id is 0 if NS_GET_USERNS and NS_GET_PARENT would return
 *    EPERM, since the namespace is neither the caller's own nor a descendant of it.
 *    Counts of an nsproxy, and of namespaces that are not initial, are 0 unless
 *    listns(2) would list all namespaces to the caller. That requires CAP_SYS_ADMIN
 *    in the initial user namespace, and being in the initial pid namespace, when the
 *    call begins. Real counts are never 0 while a reference is held.
 */
#ifndef _UAPI_NSPROXY_RS_H
#define _UAPI_NSPROXY_RS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Raised when a command is added, a struct grows or the meaning of a field
 * changes. A program and a module of different versions still work together.
 */
#define NSPROXY_ABI_VERSION	6

#define NSPROXY_IOC_MAGIC	0xB9

/**
 * struct nsproxy_setns - the two arguments of setns(2)
 * @fd:     nsfs file or pidfd
 * @nstype: nsfs file: 0 or a CLONE_NEW* flag; pidfd: one or more of these flags
 */
struct nsproxy_setns {
	__s32 fd;
	__s32 nstype;
};

/* At least __NEW_UTS_LEN + 1, the maximum for the release of a kernel and its NUL */
#define NSPROXY_RELEASE_LEN	72

/**
 * struct nsproxy_version - the version of the loaded module; grows
 * @abi:      out: NSPROXY_ABI_VERSION of the module
 * @kinds:    out: CLONE_NEW* of all kinds that the module supports
 * @symbols:  out: number of resolved symbols that are not exported to modules
 * @reserved: in: zero
 * @release:  out: release of the kernel that the module was built for
 */
struct nsproxy_version {
	__u32 abi;
	__u32 kinds;
	__u32 symbols;
	__u32 reserved;
	char release[NSPROXY_RELEASE_LEN];
};

#define NSPROXY_VERSION_SIZE_VER0	88	/* ABI 1 */

/* Acts like setns(2) of the running kernel: same result, same errno, same effects. */
#define NSPROXY_SETNS		_IOW(NSPROXY_IOC_MAGIC, 0x00, struct nsproxy_setns)

/* Acts like setns(2) of the patch that introduced it in 2011, for net, uts and ipc. */
#define NSPROXY_SETNS_2011	_IOW(NSPROXY_IOC_MAGIC, 0x01, struct nsproxy_setns)

#define NSPROXY_VERSION		_IOWR(NSPROXY_IOC_MAGIC, 0x02, struct nsproxy_version)

/*
 * Selects who handles setns(2) and unshare(2) for the calling process, and the
 * functions of kernel/nsproxy.c that clone(2), execve(2), exit(2) and commit_creds()
 * call: the kernel or this module. The setting covers all threads and is inherited by
 * fork and exec. The argument is one of the operations below. Returns the previous
 * state: 1 if the module handled the calls, else 0.
 *
 * EOPNOTSUPP: the kernel was built without CONFIG_FUNCTION_TRACER, which is required
 * for the redirects. EBUSY: livepatch or another module has redirected one of these
 * functions.
 */
#define NSPROXY_SERVE		_IO(NSPROXY_IOC_MAGIC, 0x03)
#define NSPROXY_SERVE_OFF	0
#define NSPROXY_SERVE_ON	1
#define NSPROXY_SERVE_QUERY	2

/**
 * struct nsproxy_explain - makes a call and reports the check that refused; grows
 * @fd:         in: as in struct nsproxy_setns, or flags: see NSPROXY_EXPLAIN_UNSHARE
 * @nstype:     in: as in struct nsproxy_setns, or flags
 * @flags:      in: NSPROXY_EXPLAIN_*
 * @error:      out: 0, or the errno of the call
 * @reason:     out: enum nsproxy_reason; 0 if no check refused
 * @kind:       out: CLONE_NEW* of the namespace that the check is about, or 0
 * @cap:        out: missing CAP_*; 0 (CAP_CHOWN) if the check is not about a capability
 * @count:      out: number of tasks that share an object that must not be shared,
 *              including the caller; 0 for other checks
 * @ns_id:      out: id (NS_GET_ID) of the namespace that the check is about, or 0
 * @user_ns_id: out: id of the user namespace in which @cap is missing, or whose limit
 *              is reached; 0 if the caller may not know the id
 * @journal:    in: address of an array of struct nsproxy_step, for the journal
 * @room:       in: number of elements of the array; 0 for no journal
 * @lines:      out: number of lines of the journal; lines after the first @room or
 *              NSPROXY_JOURNAL_MAX are not written
 * @limit:      out: NSPROXY_REASON_LIMIT: the limit, which is that of the user
 *              namespace @user_ns_id; NSPROXY_LIMIT_UNKNOWN if the caller may not
 *              know it, or if no limit is reached any more; 0 for other checks
 * @levels:     out: NSPROXY_REASON_LIMIT: how many levels that user namespace is above
 *              the one in which the new namespace is counted first: its owner or, for
 *              user, its parent
 *
 * The struct has the result of the call: a refused call is no error of the ioctl. If
 * the ioctl fails, the call was not made, and neither the struct nor the journal has
 * changed. There is one exception: EFAULT after the call, if memory that was writable
 * before the call is not any more. The struct is written before the journal. A caller
 * can set @lines to 0 before the call. If @lines is not 0 after EFAULT, the struct has
 * the result, and the journal is invalid.
 *
 * The module checks that both are writable before the call, by writing back the bytes
 * that it reads. Other threads must not write to them during the call: a store between
 * the read and the write is lost.
 */
struct nsproxy_explain {
	__s32 fd;
	__s32 nstype;
	__u32 flags;
	__u32 error;
	__u32 reason;
	__u32 kind;
	__u32 cap;
	__u32 count;
	__u64 ns_id;
	__u64 user_ns_id;
	/* since ABI 4 */
	__u64 journal;
	__u32 room;
	__u32 lines;
	/* since ABI 6 */
	__u32 limit;
	__u32 levels;
};

#define NSPROXY_LIMIT_UNKNOWN		0xffffffff

#define NSPROXY_EXPLAIN_SIZE_VER0	48	/* ABI 3 */

/*
 * Makes all checks and ends before the point of no return: nothing changes. The checks
 * of capabilities leave the traces of a call: audit records, and PF_SUPERPRIV.
 */
#define NSPROXY_EXPLAIN_DRY_RUN		0x1
/* Makes the call of NSPROXY_SETNS_2011 instead of NSPROXY_SETNS. */
#define NSPROXY_EXPLAIN_2011		0x2
/*
 * Makes the call of NSPROXY_UNSHARE: @nstype is the lower half of its flags, and @fd the
 * upper half. A dry run creates the namespaces and releases them, which uses up their
 * ids.
 */
#define NSPROXY_EXPLAIN_UNSHARE		0x4
/*
 * Makes the checks of clone3(2) for its flags, creates the namespaces and releases them:
 * @nstype and @fd are the flags, as above. No task is created, so NSPROXY_EXPLAIN_DRY_RUN is
 * required. Not checked are memory and a pid for the task, limits of processes, the exit
 * signal, CLONE_AUTOREAP, CLONE_PIDFD, CLONE_PIDFD_AUTOKILL, CLONE_INTO_CGROUP, and the
 * pointers of struct clone_args.
 */
#define NSPROXY_EXPLAIN_CLONE		0x8

/**
 * enum nsproxy_reason - the check that refused a call
 *
 * setns() and check_setns_flags():
 * @NSPROXY_REASON_BADF: the file descriptor is not open, or open with O_PATH
 * @NSPROXY_REASON_NEITHER: the file is neither an nsfs file nor a pidfd
 * @NSPROXY_REASON_NSTYPE: the namespace is of another kind than nstype
 * @NSPROXY_REASON_NO_FLAGS: a pidfd, and no kind is requested
 * @NSPROXY_REASON_UNKNOWN_FLAGS: a pidfd, and nstype has bits that are no kind
 * @NSPROXY_REASON_UNSUPPORTED: no longer returned: all kinds are required
 *
 * prepare_nsset():
 * @NSPROXY_REASON_NO_NSPROXY: out of memory for a struct nsproxy
 * @NSPROXY_REASON_NO_CRED: out of memory for a struct cred
 * @NSPROXY_REASON_NO_FS: out of memory for a struct fs_struct
 *
 * validate_nsset():
 * @NSPROXY_REASON_REAPED: the process was reaped
 * @NSPROXY_REASON_PTRACE: the caller may not access the process
 * @NSPROXY_REASON_EXITING: the process is exiting and has no namespaces
 * @NSPROXY_REASON_NO_PID_NS: the process has left its pid namespace
 *
 * install() of a kind:
 * @NSPROXY_REASON_CAP_OWNER: @cap is missing in the owner of the namespace
 * @NSPROXY_REASON_CAP_SET: @cap is missing in the caller's user namespace, or in
 *	the one that the call enters first
 * @NSPROXY_REASON_CHROOT: the same for CAP_SYS_CHROOT
 * @NSPROXY_REASON_CAP_USER: @cap is missing in the user namespace to enter
 * @NSPROXY_REASON_ANONYMOUS: the mount namespace is anonymous
 * @NSPROXY_REASON_FS_SHARED: @count tasks share root and working directory
 * @NSPROXY_REASON_ROOT: the lookup of the mount namespace's root failed
 * @NSPROXY_REASON_NOT_BELOW: the pid namespace is neither the caller's nor a
 *	descendant of it
 * @NSPROXY_REASON_SAME_USER: the caller is in this user namespace already
 * @NSPROXY_REASON_THREADS: user: the process has @count threads
 * @NSPROXY_REASON_UCOUNTS: user: the caller's user cannot be counted there
 * @NSPROXY_REASON_MM_SHARED: time: @count tasks share the caller's memory
 *
 * NSPROXY_SETNS_2011:
 * @NSPROXY_REASON_CAP_INIT: @cap is missing in the initial user namespace
 * @NSPROXY_REASON_NO_NS: not a namespace of one of the three kinds of 2011
 *
 * ksys_unshare() and check_unshare_flags(); two of them also copy_process():
 * @NSPROXY_REASON_USERNS_OFF: the sysctl kernel.unprivileged_userns_clone is 0, and
 *	@cap is missing in the initial user namespace
 * @NSPROXY_REASON_UNSHARE_FLAGS: the flags have bits that unshare(2) does not know
 * @NSPROXY_REASON_UNSHARE_THREADS: the process has @count threads
 * @NSPROXY_REASON_SIGHAND_SHARED: @count tasks share the signal handlers
 * @NSPROXY_REASON_VM_SHARED: @count tasks share the memory
 * @NSPROXY_REASON_NO_FILES: the table of file descriptors could not be copied
 * @NSPROXY_REASON_NEW_UCOUNTS: out of memory to count the caller's user in the new
 *	user namespace
 *
 * unshare_nsproxy_namespaces() and copy_namespaces():
 * @NSPROXY_REASON_CAP_NEW: @cap is missing in the user namespace that would own the
 *	new namespaces: the caller's, or the one that the call creates first
 *
 * clone3_args_valid(), copy_process() and copy_namespaces():
 * @NSPROXY_REASON_CLONE_FLAGS: the flags have bits that clone3(2) does not know, or
 *	exclude each other, or one of them requires another one
 * @NSPROXY_REASON_CLONE_FS: CLONE_FS shares root and working directory, which tasks in
 *	different mount or user namespaces cannot share
 * @NSPROXY_REASON_CLONE_PARENT: CLONE_PARENT, and the caller is the init of a pid
 *	namespace, which has no siblings
 * @NSPROXY_REASON_CLONE_THREAD: CLONE_THREAD, and the new thread would be in another
 *	user or pid namespace than the caller
 * @NSPROXY_REASON_CLONE_SYSVSEM: CLONE_SYSVSEM shares semaphore undos, which tasks in
 *	different ipc namespaces cannot share
 *
 * create_user_ns() and copy_*() of a kind, which return only an errno. The module
 * looks for the reason after the failure, so it is the state at that moment:
 * @NSPROXY_REASON_LIMIT: the limit of namespaces of this kind is reached
 * @NSPROXY_REASON_NESTED: user and pid: namespaces are nested too deep
 * @NSPROXY_REASON_CHROOTED: user: the caller's root directory is not the root of its
 *	mount namespace
 * @NSPROXY_REASON_UNMAPPED: user: the caller's effective user or group has no id in
 *	its user namespace
 * @NSPROXY_REASON_LSM: user: an LSM refused, with this errno
 * @NSPROXY_REASON_PID_FOR_CHILDREN: pid: the caller's children are in another pid
 *	namespace than the caller, since an earlier call
 * @NSPROXY_REASON_PID_OWNER: pid: the owner would not be a descendant of the owner of
 *	the parent
 * @NSPROXY_REASON_NO_NEW_NS: out of memory, or another error of the kind
 *
 * @cap and @count are members of struct nsproxy_explain.
 */
enum nsproxy_reason {
	NSPROXY_REASON_BADF = 1,
	NSPROXY_REASON_NEITHER = 2,
	NSPROXY_REASON_NSTYPE = 3,
	NSPROXY_REASON_NO_FLAGS = 4,
	NSPROXY_REASON_UNKNOWN_FLAGS = 5,
	NSPROXY_REASON_UNSUPPORTED = 6,
	NSPROXY_REASON_NO_NSPROXY = 7,
	NSPROXY_REASON_NO_CRED = 8,
	NSPROXY_REASON_NO_FS = 9,
	NSPROXY_REASON_REAPED = 10,
	NSPROXY_REASON_PTRACE = 11,
	NSPROXY_REASON_EXITING = 12,
	NSPROXY_REASON_NO_PID_NS = 13,
	NSPROXY_REASON_CAP_OWNER = 14,
	NSPROXY_REASON_CAP_SET = 15,
	NSPROXY_REASON_CHROOT = 16,
	NSPROXY_REASON_CAP_USER = 17,
	NSPROXY_REASON_ANONYMOUS = 18,
	NSPROXY_REASON_FS_SHARED = 19,
	NSPROXY_REASON_ROOT = 20,
	NSPROXY_REASON_NOT_BELOW = 21,
	NSPROXY_REASON_SAME_USER = 22,
	NSPROXY_REASON_THREADS = 23,
	NSPROXY_REASON_UCOUNTS = 24,
	NSPROXY_REASON_MM_SHARED = 25,
	NSPROXY_REASON_CAP_INIT = 26,
	NSPROXY_REASON_NO_NS = 27,
	/* 28 is not reused */
	NSPROXY_REASON_USERNS_OFF = 29,
	NSPROXY_REASON_UNSHARE_FLAGS = 30,
	NSPROXY_REASON_UNSHARE_THREADS = 31,
	NSPROXY_REASON_SIGHAND_SHARED = 32,
	NSPROXY_REASON_VM_SHARED = 33,
	NSPROXY_REASON_NO_FILES = 34,
	NSPROXY_REASON_NEW_UCOUNTS = 35,
	NSPROXY_REASON_CAP_NEW = 36,
	NSPROXY_REASON_LIMIT = 37,
	NSPROXY_REASON_NESTED = 38,
	NSPROXY_REASON_CHROOTED = 39,
	NSPROXY_REASON_UNMAPPED = 40,
	NSPROXY_REASON_LSM = 41,
	NSPROXY_REASON_PID_FOR_CHILDREN = 42,
	NSPROXY_REASON_PID_OWNER = 43,
	NSPROXY_REASON_NO_NEW_NS = 44,
	NSPROXY_REASON_CLONE_FLAGS = 45,
	NSPROXY_REASON_CLONE_FS = 46,
	NSPROXY_REASON_CLONE_PARENT = 47,
	NSPROXY_REASON_CLONE_THREAD = 48,
	NSPROXY_REASON_CLONE_SYSVSEM = 49,
};

#define NSPROXY_EXPLAIN		_IOWR(NSPROXY_IOC_MAGIC, 0x04, struct nsproxy_explain)

/*
 * The namespaces of a task: the members of its struct nsproxy, and two others. A set
 * of them has the bit 1 << NSPROXY_MEMBER_* for each.
 */
#define NSPROXY_MEMBER_MNT			0
#define NSPROXY_MEMBER_UTS			1
#define NSPROXY_MEMBER_IPC			2
#define NSPROXY_MEMBER_PID_FOR_CHILDREN		3
#define NSPROXY_MEMBER_CGROUP			4
#define NSPROXY_MEMBER_NET			5
#define NSPROXY_MEMBER_TIME			6
#define NSPROXY_MEMBER_TIME_FOR_CHILDREN	7
#define NSPROXY_MEMBER_USER			8	/* cred->user_ns */
#define NSPROXY_MEMBER_PID			9	/* task_active_pid_ns() */
#define NSPROXY_NR_MEMBERS			10

/**
 * struct nsproxy_step - a line of the journal
 * @time:    time from the begin of the call to the end of the step, in ns; before
 *           ABI 5 CLOCK_MONOTONIC
 * @ns_id:   id of the namespace that the line is about; 0 for none
 * @seq:     number of the step, from 0; the lines of a step are consecutive
 * @step:    enum nsproxy_step_id
 * @error:   0, or the errno with which the step refused
 * @kind:    CLONE_NEW* of that namespace
 * @members: in NSPROXY_STEP_CALLER: the set of NSPROXY_MEMBER_* for which the caller
 *           has this namespace; else 0
 * @flags:   NSPROXY_STEP_F_*
 * @nsproxy: count of the nsproxy that the step is about, before and after the step.
 *           Both are 0 if it is about none. The first is 0 if the nsproxy is new or,
 *           in NSPROXY_STEP_TARGET, entered the journal with this step
 * @ns_ref:  __ns_ref of the namespace, before and after the step
 * @active:  __ns_ref_active of the namespace, before and after the step
 *
 * A step has a line for the namespace that it is about, and for each other namespace
 * of which it changed a count. If there is none, it has one line without a namespace.
 * For a caller that may not know counts (see above), a step has only the line for the
 * namespace that it is about, or the one without a namespace. Then @nsproxy is 0, and
 * so are @ns_ref and @active unless the namespace is an initial one.
 *
 * "Before" is the end of the previous step. So the lines of a namespace have no gaps,
 * and include changes by other tasks. References of the journal itself are not counted.
 */
struct nsproxy_step {
	__u64 time;
	__u64 ns_id;
	__u32 seq;
	__u32 step;
	__u32 error;
	__u32 kind;
	__u32 members;
	__u32 flags;
	__u32 nsproxy[2];
	__u32 ns_ref[2];
	__u32 active[2];
};

#define NSPROXY_JOURNAL_MAX		1024

/**
 * enum nsproxy_step_id - a step of the path
 * @NSPROXY_STEP_CALLER: before the call: the namespaces that the caller has
 * @NSPROXY_STEP_CAPABLE: 2011: capable()
 * @NSPROXY_STEP_FGET: fget()
 * @NSPROXY_STEP_TYPE: proc_ns_file(), pidfd_pid(), and the check of nstype
 * @NSPROXY_STEP_CREATE: create_new_namespaces()
 * @NSPROXY_STEP_CRED: prepare_creds()
 * @NSPROXY_STEP_FS: copy_fs_struct()
 * @NSPROXY_STEP_TARGET: validate_nsset() acquires references to the namespaces of
 *	the process
 * @NSPROXY_STEP_INSTALL: install() of a kind
 * @NSPROXY_STEP_TARGET_PUT: validate_nsset() releases these references
 * @NSPROXY_STEP_COMMIT_CREDS: commit_creds()
 * @NSPROXY_STEP_SET_FS: set_fs_root() and set_fs_pwd()
 * @NSPROXY_STEP_EXIT_SEM: exit_sem()
 * @NSPROXY_STEP_TIMENS: timens_commit()
 * @NSPROXY_STEP_ACTIVATE: nsproxy_ns_active_get()
 * @NSPROXY_STEP_SWITCH: task->nsproxy, under task_lock()
 * @NSPROXY_STEP_PUT_NSPROXY: put_nsproxy() of the old nsproxy
 * @NSPROXY_STEP_PERF: perf_event_namespaces()
 * @NSPROXY_STEP_RETURN: put_nsset() and fput(): all objects held for the call are
 *	released
 * @NSPROXY_STEP_FLAGS: check_unshare_flags(); the checks of flags by clone3(2)
 * @NSPROXY_STEP_FILES: dup_fd()
 * @NSPROXY_STEP_NEW_NS: create_user_ns(), or copy_*() of a kind: a new namespace
 * @NSPROXY_STEP_UCOUNTS: set_cred_ucounts()
 * @NSPROXY_STEP_EXIT_SHM: exit_shm()
 * @NSPROXY_STEP_SWITCH_FS: switch_fs_struct()
 * @NSPROXY_STEP_SWITCH_FILES: task->files, under task_lock()
 */
enum nsproxy_step_id {
	NSPROXY_STEP_CALLER = 1,
	NSPROXY_STEP_CAPABLE = 2,
	NSPROXY_STEP_FGET = 3,
	NSPROXY_STEP_TYPE = 4,
	NSPROXY_STEP_CREATE = 5,
	NSPROXY_STEP_CRED = 6,
	NSPROXY_STEP_FS = 7,
	NSPROXY_STEP_TARGET = 8,
	NSPROXY_STEP_INSTALL = 9,
	NSPROXY_STEP_TARGET_PUT = 10,
	NSPROXY_STEP_COMMIT_CREDS = 11,
	NSPROXY_STEP_SET_FS = 12,
	NSPROXY_STEP_EXIT_SEM = 13,
	NSPROXY_STEP_TIMENS = 14,
	NSPROXY_STEP_ACTIVATE = 15,
	NSPROXY_STEP_SWITCH = 16,
	NSPROXY_STEP_PUT_NSPROXY = 17,
	NSPROXY_STEP_PERF = 18,
	NSPROXY_STEP_RETURN = 19,
	NSPROXY_STEP_FLAGS = 20,
	NSPROXY_STEP_FILES = 21,
	NSPROXY_STEP_NEW_NS = 22,
	NSPROXY_STEP_UCOUNTS = 23,
	NSPROXY_STEP_EXIT_SHM = 24,
	NSPROXY_STEP_SWITCH_FS = 25,
	NSPROXY_STEP_SWITCH_FILES = 26,
};

#define NSPROXY_STEP_F_ABOUT		0x1	/* the step is about this namespace */
#define NSPROXY_STEP_F_CONSTANT		0x2	/* initial namespace: its counts are constant */

/**
 * struct nsproxy_ns - a namespace of a task
 * @ns_id:    id, as returned by NS_GET_ID
 * @owner_id: id of the owning user namespace; 0 for the initial user namespace, or
 *            if the caller may not know the id
 * @parent_id: id of the parent, for user and pid; 0 if there is none, or if the
 *            caller may not know the id
 * @inum:     inode number, as in /proc/PID/ns
 * @kind:     CLONE_NEW*
 * @ns_ref:   __ns_ref: references that keep the namespace in memory; 0 if the caller
 *            may not know counts
 * @active:   __ns_ref_active: references that keep the namespace visible; 0 if the
 *            caller may not know counts
 * @flags:    0 or NSPROXY_STEP_F_CONSTANT
 * @reserved: zero
 */
struct nsproxy_ns {
	__u64 ns_id;
	__u64 owner_id;
	__u64 parent_id;
	__u32 inum;
	__u32 kind;
	__u32 ns_ref;
	__u32 active;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct nsproxy_show - the namespaces of a task and their counts; grows
 * @pidfd: in: pidfd of the process; -1 for the caller
 * @flags: in: zero
 * @count: out: nsproxy->count: tasks that share the nsproxy, and other references; 0
 *         if the caller may not know counts
 * @reserved: in: zero
 * @ns:    out: namespaces, indexed by NSPROXY_MEMBER_*
 *
 * EBADF, EINVAL: not a pidfd. ESRCH: the process has exited. EACCES: the caller cannot
 * read /proc/PID/ns of the process either.
 */
struct nsproxy_show {
	__s32 pidfd;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	struct nsproxy_ns ns[NSPROXY_NR_MEMBERS];
};

#define NSPROXY_SHOW_SIZE_VER0		496	/* ABI 4 */

#define NSPROXY_SHOW		_IOWR(NSPROXY_IOC_MAGIC, 0x05, struct nsproxy_show)

/**
 * struct nsproxy_unshare - the argument of unshare(2)
 * @flags: CLONE_NEW*, CLONE_FS, CLONE_FILES, CLONE_SYSVSEM, CLONE_THREAD,
 *         CLONE_SIGHAND, CLONE_VM, UNSHARE_EMPTY_MNTNS
 */
struct nsproxy_unshare {
	__u64 flags;
};

/* Acts like unshare(2) of the running kernel: same result, same errno, same effects. */
#define NSPROXY_UNSHARE		_IOW(NSPROXY_IOC_MAGIC, 0x06, struct nsproxy_unshare)

#endif /* _UAPI_NSPROXY_RS_H */
