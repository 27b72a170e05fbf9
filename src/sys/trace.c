// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoint of trace.h, for a caller in Rust: the static branch is there,
 * what lies behind it is here.
 */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "shim.h"
