/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of /dev/nsproxy. This file is its one source: what the module and
 * the tools know of it is generated from here by bindgen.
 *
 * Rules that hold for every command:
 *  - an unknown command gets ENOTTY, a command of ours with a size it cannot
 *    have, a reserved field that is not zero or an unknown flag EINVAL, a bad
 *    pointer EFAULT;
 *  - a struct that says it grows may be larger or smaller than here, as with
 *    openat2(2): its size is the one encoded in the ioctl number, fields are
 *    only ever added at the end, what one side does not know is zero, and
 *    E2BIG means that the kernel was asked for something it does not know;
 *  - the credentials that count are the caller's at the time of the call, not
 *    those of the opener of the device;
 *  - the commands that make the call, NSPROXY_SETNS, NSPROXY_SETNS_2011 and
 *    NSPROXY_EXPLAIN (a dry run, too), give EPERM to a caller under a seccomp
 *    filter, before any other check: a filter that denies setns(2) does not see
 *    it in an ioctl. allow_seccomp=1, a parameter of the module, lifts that. The
 *    other commands do not change namespaces: NSPROXY_SHOW and NSPROXY_VERSION
 *    only report, and a setns(2) that is served after NSPROXY_SERVE has passed
 *    the filter first;
 *  - a caller learns no more about namespaces than from the kernel itself. The
 *    id of a user or pid namespace that another one refers to (its owner, its
 *    parent) is 0 where NS_GET_USERNS and NS_GET_PARENT give EPERM: it is neither
 *    the caller's own nor a descendant of that. Counts of an nsproxy, and of
 *    namespaces other than the initial ones, require what listns(2) requires to
 *    list all namespaces: CAP_SYS_ADMIN in the initial user namespace, and the
 *    initial pid namespace, when the call begins. For other callers they are 0.
 *    The real __ns_ref and the real count of an nsproxy are never 0 while a
 *    reference is held.
 */
#ifndef _UAPI_NSPROXY_RS_H
#define _UAPI_NSPROXY_RS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Raised when a command is added, a struct grows or the meaning of a field
 * changes. A program and a module of different versions still work together.
 */
#define NSPROXY_ABI_VERSION	5

#define NSPROXY_IOC_MAGIC	0xB9

/**
 * struct nsproxy_setns - the two arguments of setns(2)
 * @fd:     an nsfs file or a pidfd
 * @nstype: 0 or a CLONE_NEW* flag; for a pidfd, one or more of them
 */
struct nsproxy_setns {
	__s32 fd;
	__s32 nstype;
};

/* Long enough for the release of any kernel, with its NUL (__NEW_UTS_LEN + 1). */
#define NSPROXY_RELEASE_LEN	72

/**
 * struct nsproxy_version - what the loaded module is; grows
 * @abi:      out: NSPROXY_ABI_VERSION of the module
 * @kinds:    out: CLONE_NEW* of every kind that the module serves; the kernel has
 *            all of them
 * @symbols:  out: how many symbols that modules cannot link to were resolved
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

/* What setns(2) of the running kernel does: same result, same errno, same effects. */
#define NSPROXY_SETNS		_IOW(NSPROXY_IOC_MAGIC, 0x00, struct nsproxy_setns)

/* What setns(2) did in the patch that introduced it, in 2011: net, uts and ipc. */
#define NSPROXY_SETNS_2011	_IOW(NSPROXY_IOC_MAGIC, 0x01, struct nsproxy_setns)

#define NSPROXY_VERSION		_IOWR(NSPROXY_IOC_MAGIC, 0x02, struct nsproxy_version)

/*
 * Who serves the caller's setns(2), the system call itself: the kernel, as for
 * everybody, or the module. That holds for the whole process, and for whom it
 * forks and what it executes from then on. The argument is one of these; returned
 * is 1 if the module did until now, else 0.
 *
 * EOPNOTSUPP means that the kernel was built without what it takes to redirect a
 * system call (CONFIG_FUNCTION_TRACER), EBUSY that somebody else did (livepatch).
 */
#define NSPROXY_SERVE		_IO(NSPROXY_IOC_MAGIC, 0x03)
#define NSPROXY_SERVE_OFF	0
#define NSPROXY_SERVE_ON	1
#define NSPROXY_SERVE_QUERY	2

/**
 * struct nsproxy_explain - setns(2), and which check decided; grows
 * @fd:         in: as in struct nsproxy_setns
 * @nstype:     in: as in struct nsproxy_setns
 * @flags:      in: NSPROXY_EXPLAIN_*
 * @error:      out: 0, or the errno that setns(2) gives
 * @reason:     out: NSPROXY_REASON_* of the check that was failed, 0 if none was
 * @kind:       out: CLONE_NEW* of the namespace that it was about, 0 if about none
 * @cap:        out: CAP_* that the caller lacks; 0 (CAP_CHOWN) if it is not about one
 * @count:      out: how many share what may not be shared, the caller among them
 * @ns_id:      out: id of that namespace, as NS_GET_ID gives it
 * @user_ns_id: out: id of the user namespace in which @cap is missing; 0 if the
 *              caller may not know it
 * @journal:    in: where to write the journal, an array of struct nsproxy_step
 * @room:       in: how many lines of it there is room for; 0 for no journal
 * @lines:      out: how many lines the journal has; what is more than @room, or
 *              than NSPROXY_JOURNAL_MAX, was not written
 *
 * The result is in the struct: the ioctl itself fails for none of the reasons
 * below. When it fails, the call was not made and neither struct nor journal has
 * changed, with one exception. Memory that was writable when the call began and
 * is not when it ends gives EFAULT: then the call was made. The struct is written
 * before the journal. A caller can set @lines to 0 before the call: if @lines is
 * not 0 after EFAULT, the struct has the result, and the journal is invalid.
 *
 * Whether both can be written is tried before the call, by writing back what was
 * read. Other threads must not write to them during the call: a store between
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
};

#define NSPROXY_EXPLAIN_SIZE_VER0	48	/* ABI 3 */

/* Everything up to the point of no return, and then it is released: nothing changes. */
#define NSPROXY_EXPLAIN_DRY_RUN		0x1
/* The path of NSPROXY_SETNS_2011 instead of the one of NSPROXY_SETNS. */
#define NSPROXY_EXPLAIN_2011		0x2

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
 * @NSPROXY_REASON_UNEXPLAINED: the kernel refused, and no check above fails when
 *	it is repeated: a bug of this module
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
	NSPROXY_REASON_UNEXPLAINED = 28,
};

#define NSPROXY_EXPLAIN		_IOWR(NSPROXY_IOC_MAGIC, 0x04, struct nsproxy_explain)

/*
 * What a struct nsproxy points at, and the two that a task is in by other ways.
 * A set of them has the bit 1 << NSPROXY_MEMBER_* for each.
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
 * @time:    when the step had been taken, in ns since the call began; before ABI 5
 *           CLOCK_MONOTONIC
 * @ns_id:   id of the namespace that the line is about, 0 for none
 * @seq:     number of the step, from 0; the lines of a step stand together
 * @step:    NSPROXY_STEP_*
 * @error:   0, or the errno with which the step refused
 * @kind:    CLONE_NEW* of that namespace
 * @members: in NSPROXY_STEP_CALLER: what of the caller's it is; else 0
 * @flags:   NSPROXY_STEP_F_*
 * @nsproxy: count of the nsproxy that the step is about, before and after it;
 *           0 and 0 if about none, 0 before for one that is new or, in
 *           NSPROXY_STEP_TARGET, was not seen before
 * @ns_ref:  __ns_ref of the namespace, before and after the step
 * @active:  __ns_ref_active, likewise
 *
 * A step has a line for the namespace that it is about, and for each other one
 * of which it changed a count; if there is neither, one without a namespace.
 * For a caller that may not know counts (see above), only the lines about a
 * namespace exist. In them @nsproxy is 0, and so are @ns_ref and @active unless
 * the namespace is an initial one. "Before" is when the previous step had been
 * taken: nothing is left out between two lines of a namespace, and changes by
 * other tasks show, too. The references that the journal itself holds are not
 * counted.
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
};

#define NSPROXY_STEP_F_ABOUT		0x1	/* the step is about this namespace */
#define NSPROXY_STEP_F_CONSTANT		0x2	/* an initial namespace: its counts never move */

/**
 * struct nsproxy_ns - a namespace of a task
 * @ns_id:    its id, as NS_GET_ID gives it
 * @owner_id: id of the user namespace that owns it; 0 if none does (the initial
 *            one), or if the caller may not know it
 * @parent_id: id of its parent, for user and pid; 0 if it has none, or if the
 *            caller may not know it
 * @inum:     inode number, as in /proc/PID/ns
 * @kind:     CLONE_NEW*
 * @ns_ref:   __ns_ref: references that keep it in memory; 0 if the caller may not
 *            know counts
 * @active:   __ns_ref_active: references that keep it visible; likewise
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
 * struct nsproxy_show - the namespaces of a task, and who holds them; grows
 * @pidfd: in: of the process; -1 for the caller
 * @flags: in: zero
 * @count: out: nsproxy->count: tasks that share it, and other references; 0 if the
 *         caller may not know counts
 * @reserved: in: zero
 * @ns:    out: by NSPROXY_MEMBER_*
 *
 * EBADF and EINVAL for what is no pidfd, ESRCH for a process that has exited,
 * EACCES for one of which /proc/PID/ns cannot be read either.
 */
struct nsproxy_show {
	__s32 pidfd;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	struct nsproxy_ns ns[NSPROXY_NR_MEMBERS];
};

#define NSPROXY_SHOW		_IOWR(NSPROXY_IOC_MAGIC, 0x05, struct nsproxy_show)

#endif /* _UAPI_NSPROXY_RS_H */
