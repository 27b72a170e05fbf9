// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parameters of the module, and its taint.
 */

#include <linux/module.h>
#include <linux/moduleparam.h>

#include "shim.h"

bool nsproxy_rs_allow_seccomp __ro_after_init;
module_param_named(allow_seccomp, nsproxy_rs_allow_seccomp, bool, 0);
MODULE_PARM_DESC(allow_seccomp,
		 "Serve callers under a seccomp filter, which cannot see what they call");

/* Taints the kernel (TAINT_TEST), since the module replaces a system call. */
MODULE_INFO(test, "Y");
