// SPDX-License-Identifier: GPL-2.0-only

//! Formats error numbers for messages.

use rustix::io::Errno;

/// Returns the name of `errno`; [`None`] if the table of names does not have it.
fn name(errno: Errno) -> Option<&'static str> {
    nsproxy_uapi::errno::name(errno.raw_os_error())
}

/// Formats `errno` as its name, or as its number if it has none.
pub(crate) fn word(errno: Errno) -> String {
    name(errno).map_or_else(|| errno.raw_os_error().to_string(), str::to_owned)
}

/// Formats `errno` as its name and its description.
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
    fn name_and_description() {
        let text = show(Errno::TOOBIG);
        assert!(text.starts_with("E2BIG: Argument list too long"), "{text}");
        assert!(show(Errno::XDEV).starts_with("Invalid cross-device link"));
    }
}
