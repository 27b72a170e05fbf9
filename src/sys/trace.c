// SPDX-License-Identifier: GPL-2.0-only
/*
 * Defines the tracepoint of trace.h for callers in Rust. Rust has the static branch,
 * C the function that it calls if the tracepoint is enabled.
 */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "shim.h"
