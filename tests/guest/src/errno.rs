// SPDX-License-Identifier: GPL-2.0-only

//! Error numbers that processes send to one another, shown by their names.

use nsproxy_uapi::errno;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The result of a call: success, or an error number.
pub(crate) type Outcome = Result<(), Code>;

/// More than any error number of Linux: the highest is `EHWPOISON`, 133.
pub(crate) const ERRNOS: usize = 134;

/// An error number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Code(pub(crate) i32);

impl From<Errno> for Code {
    fn from(errno: Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

macro_rules! codes {
    ($($name:ident)*) => {
        impl Code {
            $(pub(crate) const $name: Self = Self(libc::$name);)*
        }
    };
}

codes! {
    E2BIG EACCES EAGAIN EBADF EFAULT EINVAL ENODEV ENOENT ENOMEM ENOTDIR ENOTTY EPERM ESRCH EUSERS
}

impl Code {
    /// Returns the error with this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        errno::of_name(name).map(Self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match errno::name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Fails unless the outcome is the expected one.
pub(crate) fn expect(outcome: Outcome, expected: Outcome) -> anyhow::Result<()> {
    anyhow::ensure!(
        outcome == expected,
        "returned {}, expected {}",
        outcome_name(outcome),
        outcome_name(expected)
    );
    Ok(())
}

/// An outcome in a word: `0` or the name of the error.
pub(crate) fn outcome_name(outcome: Outcome) -> String {
    match outcome {
        Ok(()) => "0".to_owned(),
        Err(code) => code.to_string(),
    }
}
