// SPDX-License-Identifier: GPL-2.0-only

//! The user's terminal: keys for the guest, and the size of the window.

use rustix::termios::{
    OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::{
    io::{self, Read, Write},
    thread,
    time::Duration,
};

/// Ctrl-A: the next key is for the runner.
const ESCAPE: u8 = 0x01;
/// Ctrl-D: the end of input on a terminal.
const END: u8 = 0x04;

/// The terminal in raw mode, so that every key reaches the guest at once, including Ctrl-C.
/// Dropping this value restores the previous mode.
pub(crate) struct RawTerminal {
    before: Option<Termios>,
}

impl RawTerminal {
    /// Does nothing if standard input is not a terminal.
    pub(crate) fn new() -> io::Result<Self> {
        let stdin = io::stdin();
        if !isatty(&stdin) {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        // Messages of the runner and of QEMU end in a line feed only.
        raw.output_modes |= OutputModes::OPOST;
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Self {
            before: Some(before),
        })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // If the terminal has been closed, there is no place for an error message.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Forwards keys until Ctrl-A X, as in QEMU, or until the guest closes its end. Ctrl-A twice sends
/// one Ctrl-A.
///
/// At the end of the input, sends a Ctrl-D each second: a Ctrl-D that arrives before a program
/// reads from its terminal has no effect.
///
/// # Errors
///
/// The input cannot be read.
pub(crate) fn forward_keys(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let mut escaped = false;
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        for &byte in &buffer[..n] {
            match (escaped, byte) {
                (true, b'x' | b'X') => return Ok(()),
                (false, ESCAPE) => escaped = true,
                _ => {
                    escaped = false;
                    if to.write_all(&[byte]).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
    while to.write_all(&[END]).is_ok() {
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Sends the size of the terminal, as rows and columns, initially and whenever it changes. Returns
/// when the guest closes the port, or if standard input is not a terminal.
pub(crate) fn send_size(mut to: impl Write) {
    let mut sent = (0, 0);
    while let Ok(size) = tcgetwinsize(io::stdin()) {
        let size = (size.ws_row, size.ws_col);
        if size != sent && size.1 > 0 {
            if writeln!(to, "{} {}", size.0, size.1).is_err() {
                return;
            }
            sent = size;
        }
        // Polling is fast enough, and a handler of SIGWINCH would need unsafe code.
        thread::sleep(Duration::from_millis(200));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes that reach a guest that reads 16 bytes.
    fn typed(keys: &str) -> String {
        let mut guest = [0; 16];
        let mut room = &mut guest[..];
        forward_keys(keys.as_bytes(), &mut room).unwrap();
        let n = 16 - room.len();
        String::from_utf8_lossy(&guest[..n]).into_owned()
    }

    #[test]
    fn ctrl_a_x_leaves() {
        assert_eq!(typed("ls\n\x01x..."), "ls\n");
        assert_eq!(typed("\x01Xls\n"), "");
    }

    #[test]
    fn other_keys_are_for_the_guest() {
        for (keys, guest) in [
            ("exit\n", "exit\n"),
            ("\x01\x01x", "\x01x"),
            ("\x01cx", "cx"),
            ("\x03\x04", "\x03\x04"),
        ] {
            let arrived = typed(&format!("{keys:.<20}"));
            assert_eq!(arrived, format!("{guest:.<16}"));
        }
    }

    #[test]
    fn the_end_of_input_is_sent() {
        assert_eq!(typed("0123456789abcde"), "0123456789abcde\x04");
    }
}
