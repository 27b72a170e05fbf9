/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The input of bindgen. It cannot evaluate the ioctl numbers as macros, since they
 * contain sizeof, but it can as enumerators.
 */
#include "../../src/uapi/nsproxy_rs.h"

enum nsproxy_ioctl {
	NSPROXY_IOCTL_SETNS = NSPROXY_SETNS,
	NSPROXY_IOCTL_SETNS_2011 = NSPROXY_SETNS_2011,
	NSPROXY_IOCTL_VERSION = NSPROXY_VERSION,
	NSPROXY_IOCTL_SERVE = NSPROXY_SERVE,
	NSPROXY_IOCTL_EXPLAIN = NSPROXY_EXPLAIN,
	NSPROXY_IOCTL_SHOW = NSPROXY_SHOW,
	NSPROXY_IOCTL_UNSHARE = NSPROXY_UNSHARE,
};
