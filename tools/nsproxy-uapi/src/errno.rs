// SPDX-License-Identifier: GPL-2.0-only

//! Names of error numbers, as in errno(3).

macro_rules! names {
    ($($name:ident)*) => {
        const NAMES: &[(i32, &str)] = &[$((libc::$name, stringify!($name)),)*];
    };
}

names! {
    E2BIG EACCES EAGAIN EBADF EBUSY ECHILD EEXIST EFAULT EINTR EINVAL EIO ELOOP EMFILE ENAMETOOLONG
    ENFILE ENODEV ENOENT ENOMEM ENOSPC ENOSYS ENOTDIR ENOTTY ENXIO EOPNOTSUPP EPERM ESPIPE ESRCH
    ESTALE EUSERS
}

/// Returns the name of an error number, such as `EINVAL`. [`None`] if the table does not have it.
pub fn name(errno: i32) -> Option<&'static str> {
    let mut names = NAMES.iter();
    names
        .find(|(number, _)| *number == errno)
        .map(|(_, name)| *name)
}

/// Returns the error number with this name. [`None`] if the table does not have it.
pub fn of_name(name: &str) -> Option<i32> {
    let mut names = NAMES.iter();
    names
        .find(|(_, known)| *known == name)
        .map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_name() {
        for (number, known) in NAMES {
            assert_eq!(name(*number), Some(*known));
            assert_eq!(of_name(known), Some(*number));
        }
        for number in [0, -1, libc::EXDEV] {
            assert_eq!(name(number), None);
        }
        assert_eq!(of_name("EXDEV"), None);
    }
}
