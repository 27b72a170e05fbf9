// SPDX-License-Identifier: GPL-2.0-only

//! `--from`: predictions of the calls of another process.

use crate::{Other, assert_says, can_unshare, is_root, nsproxy, text};
use std::process::{self, Command};

#[test]
fn a_process_in_another_user_namespace() {
    if !can_unshare() {
        return;
    }
    let other = Other::unshared();
    let pid = other.pid();
    let output = nsproxy(&[], &format!("explain --from {pid} -n=/proc/self/ns/net"));
    assert_says(
        &output,
        1,
        &[
            "EPERM: ",
            "reason: missing capability in the user namespace that owns the namespace",
            "hint: run outside of the caller's user namespace: in ",
            &format!("predicted from user space for process {pid} (sleep), not tried"),
            "assumed: the process makes the call in its present state",
        ],
    );
    let output = nsproxy(&[], &format!("explain --from {pid} -n=/proc/{pid}/ns/net"));
    assert_says(&output, 0, &["ns/net: can be entered"]);
    // The pid namespace is owned by a user namespace above that of the process.
    let output = nsproxy(&[], &format!("check --from {pid} --unshare -p -m"));
    assert_says(&output, 0, &[]);
    // Without `--from`, this process has no right in its own user namespace.
    let output = nsproxy(
        &[],
        &format!("check --via user-space -n=/proc/{pid}/ns/net"),
    );
    assert_eq!(text(&output), "EPERM cap-set\n");
    let output = nsproxy(&[], &format!("check --from {pid} -t {pid} -U"));
    assert_eq!(text(&output), "EINVAL same-user\n");
    assert_eq!(output.status.code(), Some(4));
}

/// Compares the prediction for a process with the answer for nsproxy in the same state.
#[test]
fn a_process_in_the_same_state_has_the_same_answers() {
    if !can_unshare() {
        return;
    }
    let calls = [
        "-n=/proc/1/ns/net",
        "-n=/proc/self/ns/net",
        "-u=/proc/self/ns/uts",
        "-U=/proc/self/ns/user",
        "-n=/dev/null",
        "-u=/proc/self/ns/net",
        "-t $other -U -n",
        "-t $other -n",
        "--unshare -U",
        "--unshare -m",
        "--unshare=CLONE_VM",
        "--clone=CLONE_FS -U",
        "--clone=CLONE_THREAD -p",
        "--clone -n",
    ];
    let script = "echo 0 >/proc/sys/user/max_net_namespaces; exec 2>/dev/null
        sleep 60 & same=$!; unshare -U sleep 60 & other=$!
        until grep -q sleep /proc/$other/comm; do :; done
        ";
    let ask = |call: &str| {
        let check = |from| format!("\"$1\" check --via user-space {from} {call}; echo $?\n");
        format!("echo; {}echo; {}", check(""), check("--from $same"))
    };
    let script = format!("{script}{}kill $same $other", calls.map(ask).concat());
    let before = ["unshare", "-Ur", "sh", "-c", &script, "sh"];
    let output = nsproxy(&before, "");
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<_> = text.split("\n\n").map(str::trim).collect();
    assert_eq!(answers.len(), 2 * calls.len(), "{text}");
    for (call, answers) in calls.iter().zip(answers.chunks(2)) {
        assert_eq!(answers[0], answers[1], "{call}");
    }
    // The calls are not all of one sort.
    let succeed = answers.iter().filter(|answer| **answer == "0").count();
    assert!(succeed >= 4 && succeed <= answers.len() / 2, "{text}");
    assert!(text.contains("ENOSPC limit\n6"), "{text}");
}

#[test]
fn a_limit_of_zero_of_another_process() {
    if !can_unshare() {
        return;
    }
    let script = "echo 0 >/proc/sys/user/max_net_namespaces; sleep 60 & \
                  \"$1\" explain --from $! --unshare -n; status=$?; kill $!; exit $status";
    let before = ["unshare", "-Ur", "sh", "-c", script, "sh"];
    let output = nsproxy(&before, "");
    assert_says(
        &output,
        1,
        &[
            "ENOSPC: No space left on device",
            "user.max_net_namespaces is 0 in user namespace ",
        ],
    );
}

/// This process has a thread for each test.
#[test]
fn a_process_with_two_threads() {
    if !can_unshare() {
        return;
    }
    let other = Other::unshared();
    let (own, pid) = (process::id(), other.pid());
    let explain = |files: String| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsproxy"));
        let words = format!("explain --from {own} {files}");
        command.args(words.split(' ')).output().unwrap()
    };
    let output = explain(format!("-U=/proc/{pid}/ns/user"));
    assert_says(
        &output,
        1,
        &[
            "EINVAL: Invalid argument",
            "reason: the caller is one of ",
            "hint: make the call before a second thread starts",
            &format!("assumed: thread {own} of its "),
        ],
    );
    if is_root() {
        let output = explain(format!("-m=/proc/{pid}/ns/mnt"));
        let hint = "hint: the threads of a process share them";
        let reason = "tasks share root and working directory (CLONE_FS), including the caller";
        assert_says(&output, 1, &["EINVAL: ", reason, hint]);
    }
}

#[test]
fn a_process_without_access() {
    // That of root that runs this test, or else init.
    let pid = if is_root() { process::id() } else { 1 };
    let output = nsproxy(&[], &format!("explain --from {pid} -n=/proc/self/ns/net"));
    let denied = "reason: ptrace(2) denies access to the process: it runs as another user or group";
    assert_says(
        &output,
        1,
        &[
            "ns/net: cannot be predicted",
            "may refuse: missing capability in the user namespace that owns the namespace",
            "not visible: its namespaces",
            denied,
            "hint: run as root, or with CAP_SYS_PTRACE",
        ],
    );
    let output = nsproxy(&[], &format!("check --from {pid} -n=/proc/self/ns/net"));
    assert_eq!(text(&output), "unknown cap-owner\n");
    assert_eq!(output.status.code(), Some(1));
    let output = nsproxy(&[], &format!("explain --from {pid} -n=/proc/{pid}/ns/net"));
    let opens = format!("note: nsproxy opens it, not process {pid} (");
    assert_says(&output, 1, &["EACCES: Permission denied", denied, &opens]);
    let output = nsproxy(&[], &format!("check --from {pid} -n=/proc/{pid}/ns/net"));
    assert_says(&output, 3, &["EACCES open"]);
}

#[test]
fn after_a_user_namespace_nothing_is_predicted() {
    if !can_unshare() {
        return;
    }
    let (from, other) = (Other::sleep(), Other::unshared());
    let (from, other) = (from.pid(), other.pid());
    let files = format!("-U=/proc/{other}/ns/user -n=/proc/{other}/ns/net");
    let output = nsproxy(&[], &format!("explain --from {from} {files}"));
    assert_says(
        &output,
        1,
        &[
            "ns/net: EPERM cap-set, made again after the user namespace is entered",
            "ns/user: can be entered",
            "ns/net: cannot be predicted\nmay refuse: a call before it enters a user namespace",
        ],
    );
    let output = nsproxy(&[], &format!("check --from {from} {files}"));
    assert_eq!(text(&output), "unknown user-ns-entered\n");
    // One call enters both.
    let output = nsproxy(&[], &format!("check --from {from} -t {other} -U -n"));
    assert_says(&output, 0, &[]);
}

#[test]
fn a_process_that_is_gone() {
    let output = nsproxy(&[], "explain --from 2147483647 --unshare -U");
    let hint = "hint: name a process that /proc shows";
    assert_says(&output, 1, &["cannot read process 2147483647: ESRCH", hint]);
    let output = nsproxy(&[], "check --from 2147483647 --unshare -U");
    assert_says(&output, 5, &["ESRCH open"]);
}

#[test]
fn only_user_space_asks_from_another_process() {
    let output = nsproxy(&[], "explain --from 1 --via kernel-module --unshare -U");
    assert_says(&output, 2, &["--from needs --via user-space"]);
    for words in ["-t 1 --all", "--2011 -n=/proc/self/ns/net", "-- true"] {
        let output = nsproxy(&[], &format!("explain --from 1 {words}"));
        assert_says(&output, 2, &["cannot be used with"]);
    }
}
