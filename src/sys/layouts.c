// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks the layouts that Rust uses with the compiler of the kernel: see Kbuild.
 */

#include "bindings_helper.h"

#include "layouts_checked.h"
