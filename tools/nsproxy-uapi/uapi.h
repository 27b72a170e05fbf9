/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bindgen reads. The ioctl numbers are macros with a sizeof inside, which
 * it cannot evaluate: as enumerators it can.
 */
#include "../../src/uapi/nsproxy_rs.h"

enum nsproxy_ioctl {
	NSPROXY_IOCTL_SETNS = NSPROXY_SETNS,
	NSPROXY_IOCTL_SETNS_2011 = NSPROXY_SETNS_2011,
	NSPROXY_IOCTL_VERSION = NSPROXY_VERSION,
	NSPROXY_IOCTL_SERVE = NSPROXY_SERVE,
	NSPROXY_IOCTL_EXPLAIN = NSPROXY_EXPLAIN,
	NSPROXY_IOCTL_SHOW = NSPROXY_SHOW,
};
