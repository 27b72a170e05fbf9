// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layouts that Rust uses, checked by the compiler of the kernel: see Kbuild.
 */

#include "bindings_helper.h"

#include "layouts_checked.h"
