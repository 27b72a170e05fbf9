// SPDX-License-Identifier: GPL-2.0-only

//! The environment of the tests: the kernel and the module.

pub(crate) mod kernel;
pub(crate) mod module;
pub(crate) mod serve_status;
pub(crate) mod trace;
