// SPDX-License-Identifier: GPL-2.0-only

//! What the picture shows of a step.

use crate::{
    InTab,
    browser::Tab,
    stored::Page::{AllKinds, Hostile, Several},
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

pub(crate) const TRIALS: &[(&str, InTab)] = &[
    ("picture::frames", frames),
    ("picture::frames_of_2011", frames_of_2011),
    ("picture::what_decided_is_marked", what_decided_is_marked),
    ("picture::counts_of_a_step", counts_of_a_step),
    ("picture::counts_are_kept", counts_are_kept),
    ("picture::balance", balance),
    ("picture::pointers", pointers),
    ("picture::whose", whose),
    ("picture::words", words),
    ("picture::text_is_text", text_is_text),
];

/// The path, as names in lists.
const PATH: &str = "(() => {
    const look = (list) => [...list.children].map((item) => {
        const inner = item.querySelector(':scope > .frame');
        const name = item.querySelector('.caller code, .function').textContent;
        return inner === null ? name : { [name]: look(inner) };
    });
    return look(document.querySelector('#path > .frame'));
})()";

fn frames(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "")?;
    let shown = tab.eval(PATH)?;
    let wanted = json!([
        "what the caller has before the call",
        { "setns()": [
            "fget",
            "check_setns_flags",
            { "prepare_nsset()": ["create_new_namespaces", "copy_fs_struct"] },
            { "validate_nsset()": [
                "get_nsproxy",
                "mntns_install",
                "utsns_install",
                "netns_install",
                "put_nsproxy",
            ] },
            { "commit_nsset()": [
                "set_fs_pwd",
                { "switch_task_namespaces()": [
                    "nsproxy_ns_active_get",
                    "task_lock",
                    "put_nsproxy",
                ] },
            ] },
            "perf_event_namespaces",
            "put_nsset",
        ] },
    ]);
    ensure!(shown == wanted, "{shown:#}");
    Ok(())
}

fn frames_of_2011(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=3&step=0")?;
    let shown = tab.eval(PATH)?;
    let wanted = json!([
        "what the caller has before the call",
        { "setns()": [
            "capable",
            "fget",
            "proc_ns_file",
            "create_new_namespaces",
            { "ipcns_install()": ["exit_sem"] },
            "ipcns_install",
            { "switch_task_namespaces()": [
                "nsproxy_ns_active_get",
                "task_lock",
                "put_nsproxy",
            ] },
            "put_nsset",
        ] },
    ]);
    ensure!(shown == wanted, "{shown:#}");
    Ok(())
}

fn what_decided_is_marked(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=1&step=0")?;
    // Whichever step is shown.
    for step in [0, 8, 9] {
        tab.eval(&format!("show(1, {step})"))?;
        let marked = tab.eval(
            "[...document.querySelectorAll('#path .refused')].map((box) => [
                box.querySelector('.function').textContent,
                box.querySelector('.decided').textContent,
            ])",
        )?;
        let wanted = json!([["mntns_install", "✕ EPERM: decided here"]]);
        ensure!(marked == wanted, "{marked} at step {step}");
        let said = tab.eval("document.querySelector('#now .refused')?.textContent ?? null")?;
        let wanted = "✕ EPERM: decided here: missing capability in the user namespace that owns \
                      the namespace. Hint: run as root, or with CAP_SYS_ADMIN.";
        let wanted = if step == 8 {
            json!(wanted)
        } else {
            Value::Null
        };
        ensure!(said == wanted, "{said} at step {step}");
    }
    for call in [0, 2, 3] {
        tab.eval(&format!("show({call}, 0)"))?;
        let marked = tab.eval("document.querySelectorAll('#stage .refused').length")?;
        ensure!(marked == 0, "{marked} boxes marked in call {call}");
    }
    Ok(())
}

/// The rows of the table: who points at it, its name and counts, who of the new ones points at it.
fn rows(tab: &mut Tab<'_>, half: &str) -> Result<Value> {
    tab.eval(&format!(
        "[...document.querySelectorAll('.half.{half} tbody tr')].map((row) =>
            [...row.cells].map((cell) => [...cell.childNodes].map(
                (part) => part.textContent).join(' ').trim()))"
    ))
}

fn counts_of_a_step(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=0&step=8")?;
    let shown = rows(tab, "nsproxy")?;
    let wanted = json!([
        ["mnt", "mnt 21", "3", "3", ""],
        ["", "mnt 41", "3", "2", "mnt"],
        ["uts", "uts 22", "3", "3", ""],
        ["", "uts 42", "3", "2", "uts"],
        ["ipc", "ipc 1 initial: constant", "1", "1", "ipc"],
        [
            "pid_for_children",
            "pid 4 initial: constant",
            "1",
            "1",
            "pid_for_children"
        ],
        ["cgroup", "cgroup 5 initial: constant", "1", "1", "cgroup"],
        ["net", "net 26", "4 → 3 ▼−1", "3", ""],
        ["", "net 46", "2 → 3 ▲+1", "2", "net"],
        [
            "time time_for_children",
            "time 6 initial: constant",
            "1",
            "1",
            "time time_for_children",
        ],
    ]);
    ensure!(shown == wanted, "{shown:#}");
    let touched = tab
        .eval("[...document.querySelectorAll('.touched .name')].map((name) => name.textContent)")?;
    ensure!(touched == json!(["net 26", "net 46"]), "{touched}");
    Ok(())
}

/// A count stays what it became, and is not known before it was told.
fn counts_are_kept(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=0&step=5")?;
    let net = |rows: &Value| rows[8].clone();
    let before = net(&rows(tab, "nsproxy")?);
    ensure!(
        before == json!(["", "net 46 not seen yet", "–", "–", ""]),
        "{before}"
    );
    tab.eval("show(0, 9)")?;
    let after = net(&rows(tab, "nsproxy")?);
    ensure!(after == json!(["", "net 46", "3", "2", "net"]), "{after}");
    Ok(())
}

/// What a box says of the references: the sum, by its sign.
fn balance(tab: &mut Tab<'_>) -> Result<()> {
    AllKinds.open(tab, "")?;
    let shown = tab.eval(
        "Object.fromEntries([...document.querySelectorAll('#path .box')].map((box) => [
            box.querySelector('.function').textContent,
            box.querySelector('.balance')?.textContent ?? '']))",
    )?;
    for (function, wanted) in [
        ("fget", ""),
        ("get_nsproxy", ""),
        ("create_new_namespaces", "▲+9"),
        ("netns_install", "▲+1▼−1"),
        ("timens_install", "▲+2▼−2"),
        ("nsproxy_ns_active_get", "▲+8"),
        ("put_nsproxy", "▼−17"),
    ] {
        ensure!(shown[function] == wanted, "{function}: {}", shown[function]);
    }
    let colours = tab.eval(
        "['.up', '.down'].map((sign) => getComputedStyle(document.querySelector(sign)).color)",
    )?;
    ensure!(colours[0] != colours[1], "both are {}", colours[0]);
    Ok(())
}

/// Which namespaces the two nsproxys and creds point at.
fn pointers(tab: &mut Tab<'_>) -> Result<()> {
    AllKinds.open(tab, "")?;
    let net = json!(["net 26", "net 46"]);
    let user = json!(["user 20", "user 40"]);
    for (step, half, names, old, new) in [
        (0, "nsproxy", &net, json!(["net", ""]), json!(["", ""])),
        // The new one is made, and shares everything.
        (3, "nsproxy", &net, json!(["net", ""]), json!(["net", ""])),
        (3, "cred", &user, json!(["user", ""]), json!(["", ""])),
        (4, "cred", &user, json!(["user", ""]), json!(["user", ""])),
        (7, "cred", &user, json!(["user", ""]), json!(["", "user"])),
        (12, "nsproxy", &net, json!(["net", ""]), json!(["net", ""])),
        (13, "nsproxy", &net, json!(["net", ""]), json!(["", "net"])),
        (16, "cred", &user, json!(["", ""]), json!(["", "user"])),
        (21, "nsproxy", &net, json!(["net", ""]), json!(["", "net"])),
        // The old one is freed.
        (22, "nsproxy", &net, json!(["", ""]), json!(["", "net"])),
        (24, "nsproxy", &net, json!(["", ""]), json!(["", "net"])),
        (24, "cred", &user, json!(["", ""]), json!(["", "user"])),
    ] {
        tab.eval(&format!("show(0, {step})"))?;
        let rows = rows(tab, half)?;
        let shown: Vec<_> = rows
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| {
                names.as_array().is_some_and(|names| {
                    let name = row[1].as_str().unwrap_or_default();
                    names
                        .iter()
                        .any(|wanted| name.starts_with(wanted.as_str().unwrap_or("?")))
                })
            })
            .collect();
        let side = |at: usize| Value::from_iter(shown.iter().map(|row| row[at].clone()));
        ensure!(side(0) == old, "step {step}: the old {half}: {rows:#}");
        ensure!(side(4) == new, "step {step}: the new {half}: {rows:#}");
    }
    // Refused, the new one is released, and what was put into it is not.
    Several.open(tab, "call=1&step=9")?;
    let rows = rows(tab, "nsproxy")?;
    let new = rows
        .as_array()
        .into_iter()
        .flatten()
        .any(|row| row[4] != "");
    ensure!(!new, "{rows:#}");
    Ok(())
}

/// What the two nsproxys and creds are at a step: whose, and with which count.
fn whose(tab: &mut Tab<'_>) -> Result<()> {
    let heads = "[...document.querySelectorAll('.half thead .rail')].map((head) =>
        [...head.children].slice(1).map((part) => part.textContent).join(', '))";
    Several.open(tab, "")?;
    for (call, step, wanted) in [
        (
            0,
            0,
            [
                "the caller’s, count 3",
                "none, ",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            0,
            3,
            [
                "the caller’s, count 3",
                "being made, count 0 → 1 ▲+1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            0,
            9,
            [
                "the caller’s, count 3",
                "being made, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            0,
            12,
            [
                "to be given back, count 3",
                "the caller’s, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            0,
            13,
            [
                "of others, count 3 → 2 ▼−1",
                "the caller’s, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            0,
            15,
            [
                "of others, count 2",
                "the caller’s, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            1,
            8,
            [
                "the caller’s, count 1",
                "being made, count 1",
                "the caller’s, ",
                "being made, ",
            ],
        ),
        (
            1,
            9,
            [
                "the caller’s, count 1",
                "released, ",
                "the caller’s, ",
                "released, ",
            ],
        ),
        (
            2,
            4,
            [
                "the caller’s, count 1",
                "being made, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            2,
            5,
            [
                "the caller’s, count 1",
                "released, ",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            3,
            8,
            [
                "to be given back, count 1",
                "the caller’s, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            3,
            9,
            [
                "freed, count 1 → 0 ▼−1",
                "the caller’s, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
        (
            3,
            10,
            [
                "freed, ",
                "the caller’s, count 1",
                "the caller’s, ",
                "none, ",
            ],
        ),
    ] {
        tab.eval(&format!("show({call}, {step})"))?;
        let shown = tab.eval(heads)?;
        ensure!(
            shown == json!(wanted),
            "call {call}, step {step}: {shown:#}"
        );
    }
    AllKinds.open(tab, "call=0&step=16")?;
    let shown = tab.eval(heads)?;
    ensure!(
        shown[2] == "given back, " && shown[3] == "the caller’s, ",
        "{shown:#}"
    );
    Ok(())
}

/// The step in words: the function, what it does, when, and what moved.
fn words(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "")?;
    for (step, wanted) in [
        (
            1,
            "fget: the file behind the descriptor: 737 ns (+737 ns): no count moved",
        ),
        (
            3,
            "create_new_namespaces: a new nsproxy, with a reference to each namespace of the \
             old one: 2.6 µs (+1.0 µs): 4 counts moved",
        ),
        (
            5,
            "get_nsproxy: the process may be looked into, and its namespaces are taken hold \
             of: 5.0 µs (+1.2 µs): nsproxy of the process: count 2",
        ),
        (
            8,
            "netns_install: its checks; then the namespace is put into the set (net 46): \
             9.7 µs (+1.6 µs): net 26 ns_ref 4 → 3, net 46 ns_ref 2 → 3",
        ),
        (
            9,
            "put_nsproxy: the namespaces of the process are let go: 11.5 µs (+1.8 µs): nsproxy \
             of the process 2 → 1",
        ),
        (
            13,
            "put_nsproxy: the old nsproxy has other users, and stays: 20.2 µs (+2.3 µs): old \
              nsproxy 3 → 2",
        ),
    ] {
        tab.eval(&format!("show(0, {step})"))?;
        let said = tab.eval(
            "[...document.querySelectorAll('#now .what > :not(.spoken), #now .sum')]
                .map((part) => part.textContent.trim()).join(': ')",
        )?;
        ensure!(said == wanted, "{said}");
    }
    Ok(())
}

/// Text of the document is shown as it is.
fn text_is_text(tab: &mut Tab<'_>) -> Result<()> {
    Hostile.open(tab, "")?;
    let shown = tab.eval("document.querySelector('.call h2 .what').textContent")?;
    ensure!(shown == crate::samples::HOSTILE, "{shown}");
    let title = tab.eval("document.title")?;
    let title = title.as_str().unwrap_or_default();
    ensure!(title.contains("</script>"), "{title}");
    // Among several, it is the picture that names it.
    let shown = tab.eval(
        "(() => {
            calls.push(calls[0]);
            start();
            return document.querySelector('#calls .result + span').textContent;
        })()",
    )?;
    ensure!(shown == crate::samples::HOSTILE, "{shown}");
    Ok(())
}
