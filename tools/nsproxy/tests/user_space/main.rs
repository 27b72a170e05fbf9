// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain`, `check` and `show` on this machine, without the module and as an ordinary user.

mod from;
mod json;

use std::{
    os::unix::process::CommandExt as _,
    process::{self, Child, Command, Output},
};

/// An ordinary user.
const USER: u32 = 65534;

/// Returns a command of an ordinary user: of this one, or if that is root, of [`USER`].
fn as_user(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    if is_root() {
        command.uid(USER).gid(USER);
    }
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs `nsproxy` as an ordinary user, after the words of `before`.
fn nsproxy(before: &[&str], words: &str) -> Output {
    let all: Vec<_> = before
        .iter()
        .copied()
        .chain([env!("CARGO_BIN_EXE_nsproxy")])
        .chain(words.split(' '))
        .collect();
    as_user(&all).output().unwrap()
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

#[track_caller]
fn assert_says(output: &Output, status: i32, lines: &[&str]) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for line in lines {
        assert!(text.contains(line), "{line:?} is missing in: {text}");
    }
}

/// A process that ends with the test.
struct Other(Child);

impl Other {
    /// Starts a process of an ordinary user that sleeps.
    fn sleep() -> Self {
        Self(as_user(&["sleep", "60"]).spawn().unwrap())
    }

    /// Starts one in new user and net namespaces.
    fn unshared() -> Self {
        let sleep = as_user(&["unshare", "-Urn", "sleep", "60"]).spawn();
        let other = Self(sleep.unwrap());
        // The maps are written before unshare(1) executes it.
        let path = format!("/proc/{}/comm", other.pid());
        while std::fs::read(&path).unwrap() != b"sleep\n" {
            std::thread::yield_now();
        }
        other
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns whether an ordinary user can create user namespaces here, as these tests do.
fn can_unshare() -> bool {
    let unshare = as_user(&["unshare", "-Ur", "true"]).status();
    unshare.is_ok_and(|status| status.success())
}

#[test]
fn the_own_user_namespace_cannot_be_entered() {
    let output = nsproxy(&[], "explain --via user-space -U=/proc/self/ns/user");
    assert_says(
        &output,
        1,
        &[
            "EINVAL: Invalid argument",
            "reason: the caller is already in that user namespace",
            "hint: omit -U",
            "explained from user space",
        ],
    );
    let output = nsproxy(&[], "check --via user-space -U=/proc/self/ns/user");
    assert_eq!(text(&output), "EINVAL same-user\n");
}

#[test]
fn a_process_of_another_user() {
    // That of root that runs this test, or else init.
    let pid = if is_root() { process::id() } else { 1 };
    let output = nsproxy(&[], &format!("explain --via user-space -t {pid} -n"));
    let reason = "reason: ptrace(2) denies access to the process";
    assert_says(&output, 1, &["EPERM: ", reason, "CAP_SYS_PTRACE"]);
    let output = nsproxy(&[], &format!("check --via user-space -t {pid} -n"));
    assert_says(&output, 3, &["EPERM ptrace"]);
}

#[test]
fn a_namespace_that_another_user_namespace_owns() {
    let output = nsproxy(&[], "explain --via user-space -n=/proc/self/ns/net");
    assert_says(
        &output,
        1,
        &[
            "EPERM: ",
            "reason: missing capability in the user namespace that owns the namespace",
            "missing: CAP_SYS_ADMIN in user namespace ",
        ],
    );
}

#[test]
fn a_limit_of_zero() {
    if !can_unshare() {
        return;
    }
    let script = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$@\"";
    let before = ["unshare", "-Ur", "sh", "-c", script, "sh"];
    let output = nsproxy(&before, "explain --via user-space --unshare -U");
    assert_says(
        &output,
        1,
        &[
            "ENOSPC: No space left on device",
            "reason: the limit of namespaces of this kind is reached: \
             user.max_user_namespaces is 0 in user namespace ",
            "hint: raise the limit",
        ],
    );
}

#[test]
fn entering_the_user_namespace_first_changes_the_answer() {
    if !can_unshare() {
        return;
    }
    let other = Other::unshared();
    let pid = other.pid();
    let files = format!("-U=/proc/{pid}/ns/user -n=/proc/{pid}/ns/net");
    let output = nsproxy(&[], &format!("explain --via user-space {files}"));
    assert_says(
        &output,
        0,
        &["ns/net: can be entered", "ns/user: can be entered"],
    );
    let output = nsproxy(&[], &format!("check --via user-space -t {pid} -U -n"));
    assert_says(&output, 0, &[]);
}

#[test]
fn no_child_can_be_created() {
    let words = "explain --via user-space --unshare -n";
    let output = nsproxy(&["prlimit", "--nproc=0"], words);
    let message = "predicted, not tried: no child can be created: EAGAIN: ";
    assert_says(&output, 1, &[message, "EPERM: ", "CAP_SYS_ADMIN"]);
}

#[test]
fn namespaces_are_shown_without_counts() {
    let output = nsproxy(&[], "show --via user-space");
    assert_says(&output, 0, &["NAMESPACE", "user  ", "nsproxy: count -"]);
}

#[test]
fn the_path_of_2011_needs_the_module() {
    let output = nsproxy(&[], "explain --via user-space --2011 -n=/proc/self/ns/net");
    assert_says(&output, 2, &["--2011 needs the module"]);
}
