// SPDX-License-Identifier: GPL-2.0-only

//! Error numbers by the names that manual pages use.

use rustix::io::Errno;

macro_rules! names {
    ($($name:ident)*) => {
        /// `EINVAL` and the like; [`None`] for one that no step of ours is known to give.
        fn name(errno: Errno) -> Option<&'static str> {
            match errno.raw_os_error() {
                $(libc::$name => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

names! {
    E2BIG EACCES EAGAIN EBADF EBUSY EFAULT EINVAL EIO ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV
    ENOENT ENOMEM ENOSPC ENOSYS ENOTDIR ENOTTY ENXIO EOPNOTSUPP EPERM ESRCH EUSERS
}

/// `errno` by its name, or by its number.
pub(crate) fn word(errno: Errno) -> String {
    name(errno).map_or_else(|| errno.raw_os_error().to_string(), str::to_owned)
}

/// `errno` by its name and in words.
pub(crate) fn show(errno: Errno) -> String {
    match name(errno) {
        Some(name) => format!("{name}: {errno}"),
        None => errno.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_words() {
        let text = show(Errno::TOOBIG);
        assert!(text.starts_with("E2BIG: Argument list too long"), "{text}");
        assert!(show(Errno::XDEV).starts_with("Invalid cross-device link"));
    }
}
