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
 *    those of whoever opened the device.
 */
#ifndef _UAPI_NSPROXY_RS_H
#define _UAPI_NSPROXY_RS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Raised when a command is added or a struct grows; never means "incompatible". */
#define NSPROXY_ABI_VERSION	2

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
 * @kinds:    out: CLONE_NEW* of every kind that this kernel has
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

#endif /* _UAPI_NSPROXY_RS_H */
