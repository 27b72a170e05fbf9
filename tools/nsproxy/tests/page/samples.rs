// SPDX-License-Identifier: GPL-2.0-only

//! Traces as `nsproxy trace` writes them, made by going through the calls that they are of.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The kinds in the order of a call with a pidfd, and the ids of the initial namespaces.
const KINDS: [(&str, u64); 8] = [
    ("user", 3),
    ("mnt", 8),
    ("uts", 2),
    ("ipc", 1),
    ("pid", 4),
    ("cgroup", 5),
    ("net", 7),
    ("time", 6),
];

/// A call to go through.
struct Call {
    kinds: &'static [&'static str],
    /// By pidfd, not by a file of the one namespace.
    pidfd: bool,
    dry_run: bool,
    as_of_2011: bool,
    /// The kind whose install refuses.
    refused: Option<&'static str>,
    /// How many tasks share the nsproxy of the caller.
    sharers: u64,
    /// The kinds in which the caller is not in the initial namespace.
    away: &'static [&'static str],
}

const PLAIN: Call = Call {
    kinds: &["net"],
    pidfd: false,
    dry_run: false,
    as_of_2011: false,
    refused: None,
    sharers: 1,
    away: &["net", "uts", "mnt"],
};

/// One of each: three kinds of a process, a refusal, a dry run, and one of 2011.
pub(crate) fn several() -> String {
    document(&[
        Call {
            kinds: &["mnt", "uts", "net"],
            pidfd: true,
            sharers: 3,
            ..PLAIN
        },
        Call {
            kinds: &["user", "mnt", "net"],
            pidfd: true,
            refused: Some("mnt"),
            ..PLAIN
        },
        Call {
            dry_run: true,
            ..PLAIN
        },
        Call {
            kinds: &["ipc"],
            as_of_2011: true,
            ..PLAIN
        },
    ])
}

/// Every kind at once; the last task to leave its nsproxy.
pub(crate) fn all_kinds() -> String {
    document(&[Call {
        kinds: &["user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time"],
        pidfd: true,
        away: &["user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time"],
        ..PLAIN
    }])
}

/// A call on a file whose name would like to be a script.
pub(crate) fn hostile() -> String {
    let mut document: Value = serde_json::from_str(&document(&[PLAIN])).unwrap();
    document["calls"][0]["call"] = json!(HOSTILE);
    document.to_string()
}

/// What [`hostile`] calls itself.
pub(crate) const HOSTILE: &str = "the net namespace of /</script><script>console.error('out')</script><!--<script>&amp;\u{2028}\"'";

fn document(calls: &[Call]) -> String {
    let calls: Vec<_> = calls.iter().map(|call| Trace::new(call).go()).collect();
    json!({ "calls": calls }).to_string()
}

#[derive(Clone, Copy, PartialEq)]
struct Ns {
    kind: &'static str,
    constant: bool,
    ns_ref: i64,
    active: i64,
}

/// What a step does, besides being there.
struct Does {
    /// By how much the two counts of a namespace move.
    moves: Vec<(u64, i64, i64)>,
    nsproxy: Option<(u64, u64)>,
    about: Option<&'static str>,
    errno: Option<&'static str>,
}

const NOTHING: Does = Does {
    moves: Vec::new(),
    nsproxy: None,
    about: None,
    errno: None,
};

/// A call on its way.
struct Trace<'a> {
    call: &'a Call,
    known: BTreeMap<u64, Ns>,
    old: BTreeMap<&'static str, u64>,
    target: BTreeMap<&'static str, u64>,
    /// What the new nsproxy and cred point at.
    new: BTreeMap<&'static str, u64>,
    steps: Vec<Value>,
    time: u64,
}

fn members(kind: &str) -> Vec<&str> {
    match kind {
        "pid" => vec!["pid_for_children"],
        "time" => vec!["time", "time_for_children"],
        kind => vec![kind],
    }
}

impl<'a> Trace<'a> {
    fn new(call: &'a Call) -> Self {
        let mut known = BTreeMap::new();
        let mut old = BTreeMap::new();
        let mut target = BTreeMap::new();
        for (place, (kind, initial)) in KINDS.into_iter().enumerate() {
            let constant = !call.away.contains(&kind);
            let of_caller = if constant { initial } else { 20 + place as u64 };
            let of_target = 40 + place as u64;
            let ns = |constant, count| Ns {
                kind,
                constant,
                ns_ref: count,
                active: count,
            };
            known.insert(of_caller, ns(constant, if constant { 1 } else { 3 }));
            known.insert(of_target, ns(false, 2));
            old.insert(kind, of_caller);
            target.insert(kind, of_target);
        }
        Self {
            call,
            known,
            new: old.clone(),
            old,
            target,
            steps: Vec::new(),
            time: 0,
        }
    }

    /// A step: the functions that it is in, from the system call inwards, and what it does.
    fn step(&mut self, step: &str, within: &[&str], function: &str, says: &str, does: Does) {
        let about = does.about.map(|kind| (kind, self.target[kind]));
        let mut counts = Vec::new();
        for (id, ns_ref, active) in does.moves {
            let ns = self.known.get_mut(&id).unwrap();
            let was = *ns;
            if !ns.constant {
                ns.ns_ref += ns_ref;
                ns.active += active;
            }
            // The first step tells all, another one what it changed or is about.
            let is_about = about.is_some_and(|(_, about)| about == id);
            if step == "caller" || is_about || was != *ns {
                counts.push(json!({
                    "id": id,
                    "kind": ns.kind,
                    "members": if step == "caller" { members(ns.kind) } else { Vec::new() },
                    "constant": ns.constant,
                    "ns_ref": [was.ns_ref, ns.ns_ref],
                    "active": [was.active, ns.active],
                }));
            }
        }
        self.steps.push(json!({
            "step": step,
            "function": function,
            "within": within,
            "depth": if step == "caller" { 0 } else { within.len() + 1 },
            "says": says,
            "time": self.time,
            "errno": does.errno,
            "about": about.map(|(kind, id)| json!({ "kind": kind, "id": id })),
            "nsproxy": does.nsproxy.map(|(before, after)| json!({ "before": before, "after": after })),
            "counts": counts,
        }));
        self.time += 600 + 137 * self.steps.len() as u64;
    }

    /// Each namespace of an nsproxy, and by how much its counts move if each member counts.
    fn each(set: &BTreeMap<&'static str, u64>, ns_ref: i64, active: i64) -> Vec<(u64, i64, i64)> {
        let in_nsproxy = set.iter().filter(|(kind, _)| **kind != "user");
        in_nsproxy
            .map(|(kind, id)| {
                let members = members(kind).len() as i64;
                (*id, ns_ref * members, active * members)
            })
            .collect()
    }

    fn has(&self, kind: &str) -> bool {
        self.call.kinds.contains(&kind)
    }

    fn go(mut self) -> Value {
        let Call {
            pidfd,
            dry_run,
            as_of_2011,
            refused,
            sharers,
            ..
        } = *self.call;
        let does = Does {
            moves: self.old.values().map(|id| (*id, 0, 0)).collect(),
            nsproxy: Some((sharers, sharers)),
            ..NOTHING
        };
        self.step(
            "caller",
            &[],
            "setns",
            "what the caller has before the call",
            does,
        );
        if as_of_2011 {
            let says = "CAP_SYS_ADMIN in the initial user namespace, before all else";
            self.step("capable", &[], "capable", says, NOTHING);
        }
        self.step(
            "fget",
            &[],
            "fget",
            "the file behind the descriptor",
            NOTHING,
        );
        if pidfd {
            let says = "it is a process, and the flags are kinds that this kernel has";
            self.step("type", &[], "check_setns_flags", says, NOTHING);
        } else {
            let kind = self.call.kinds[0];
            let does = Does {
                moves: vec![(self.target[kind], 0, 0)],
                about: Some(kind),
                ..NOTHING
            };
            let says = "it is a namespace, and of the kind that was asked for";
            self.step("type", &[], "proc_ns_file", says, does);
        }
        self.prepare();
        if !as_of_2011 || !dry_run {
            self.validate();
        }
        let is_done = refused.is_none() && !dry_run;
        if is_done {
            self.commit();
        }
        let mut moves = Vec::new();
        if !is_done {
            moves = Self::each(&self.new, -1, 0);
            if self.has("user") {
                moves.push((self.new["user"], -1, 0));
            }
        }
        let says = "what is still held for the call is released";
        self.step("return", &[], "put_nsset", says, Does { moves, ..NOTHING });
        self.finish()
    }

    /// The functions between the system call and a step, of which there was one in 2011.
    fn within(&self, functions: &'static [&'static str]) -> &'static [&'static str] {
        if self.call.as_of_2011 {
            &functions[1..]
        } else {
            functions
        }
    }

    fn prepare(&mut self) {
        let within = self.within(&["prepare_nsset"]);
        let does = Does {
            moves: Self::each(&self.old, 1, 0),
            nsproxy: Some((0, 1)),
            ..NOTHING
        };
        let says = "a new nsproxy, with a reference to each namespace of the old one";
        self.step(
            "create-new-namespaces",
            within,
            "create_new_namespaces",
            says,
            does,
        );
        if self.has("user") {
            let does = Does {
                moves: vec![(self.old["user"], 1, 0)],
                ..NOTHING
            };
            let says = "a copy of the credentials, for another user namespace";
            self.step("prepare-creds", within, "prepare_creds", says, does);
        }
        if self.has("mnt") && (self.call.kinds.len() > 1 || self.call.dry_run) {
            let says = "a copy of root and working directory";
            self.step("copy-fs-struct", within, "copy_fs_struct", says, NOTHING);
        }
    }

    fn validate(&mut self) {
        let of_process = &["validate_nsset"];
        let within: &[_] = if self.call.pidfd {
            of_process
        } else {
            self.within(&["validate_ns"])
        };
        if self.call.pidfd {
            let does = Does {
                nsproxy: Some((0, 2)),
                ..NOTHING
            };
            let says = "the process may be looked into, and its namespaces are taken hold of";
            self.step("target", of_process, "get_nsproxy", says, does);
        }
        for (kind, _) in KINDS
            .into_iter()
            .filter(|(kind, _)| self.call.kinds.contains(kind))
        {
            if kind == "ipc" && self.call.as_of_2011 {
                self.exit_sem(&["ipcns_install"]);
            }
            let refused = self.call.refused == Some(kind);
            let mut does = Does {
                about: Some(kind),
                ..NOTHING
            };
            if refused {
                does.moves = vec![(self.target[kind], 0, 0)];
                does.errno = Some("EPERM");
            } else {
                let by = members(kind).len() as i64;
                let was = self.new.insert(kind, self.target[kind]).unwrap();
                does.moves = vec![(was, -by, 0), (self.target[kind], by, 0)];
            }
            let function = match kind {
                "user" => "userns_install",
                "mnt" => "mntns_install",
                "uts" => "utsns_install",
                "ipc" => "ipcns_install",
                "pid" => "pidns_install",
                "cgroup" => "cgroupns_install",
                "net" => "netns_install",
                _ => "timens_install",
            };
            let says = "its checks; then the namespace is put into the set";
            self.step("install", within, function, says, does);
            if refused {
                return;
            }
        }
        if self.call.pidfd {
            let does = Does {
                nsproxy: Some((2, 1)),
                ..NOTHING
            };
            let says = "the namespaces of the process are let go";
            self.step("target-put", of_process, "put_nsproxy", says, does);
        }
    }

    fn exit_sem(&mut self, within: &[&str]) {
        let says = "semaphore undo is applied in the old ipc namespace, which it belongs to";
        self.step("exit-sem", within, "exit_sem", says, NOTHING);
    }

    fn commit(&mut self) {
        let commit = &["commit_nsset"];
        if self.has("user") {
            let does = Does {
                moves: vec![(self.old["user"], -1, -1), (self.target["user"], 0, 1)],
                ..NOTHING
            };
            let says = "the point of no return: the task has the new credentials";
            self.step("commit-creds", commit, "commit_creds", says, does);
        }
        if self.has("mnt") && self.call.kinds.len() > 1 {
            let says = "root and working directory are those of the mount namespace";
            self.step("set-fs", commit, "set_fs_pwd", says, NOTHING);
        }
        if self.has("ipc") && !self.call.as_of_2011 {
            self.exit_sem(commit);
        }
        if self.has("time") {
            let says = "the vDSO reads the clocks of the new time namespace";
            self.step("timens-commit", commit, "timens_commit", says, NOTHING);
        }
        let within = self.within(&["commit_nsset", "switch_task_namespaces"]);
        let does = Does {
            moves: Self::each(&self.new, 0, 1),
            ..NOTHING
        };
        let says = "the namespaces of the new nsproxy are active: a task uses them";
        self.step(
            "nsproxy-ns-active-get",
            within,
            "nsproxy_ns_active_get",
            says,
            does,
        );
        let says = "under the lock, the task points at the new nsproxy";
        self.step("switch", within, "task_lock", says, NOTHING);
        let sharers = self.call.sharers;
        let (says, moves) = if sharers == 1 {
            let says =
                "the old nsproxy had no other user: it is freed, and lets go of what it held";
            (says, Self::each(&self.old, -1, -1))
        } else {
            ("the old nsproxy has other users, and stays", Vec::new())
        };
        let does = Does {
            moves,
            nsproxy: Some((sharers, sharers - 1)),
            ..NOTHING
        };
        self.step("put-nsproxy", within, "put_nsproxy", says, does);
        if !self.call.as_of_2011 {
            self.step(
                "perf-event-namespaces",
                &[],
                "perf_event_namespaces",
                "perf is told",
                NOTHING,
            );
        }
    }

    fn finish(self) -> Value {
        let Self { call, old, new, .. } = &self;
        let plural = if call.kinds.len() == 1 { "" } else { "s" };
        let of = if call.pidfd {
            "process 1234".to_owned()
        } else {
            format!("/proc/1234/ns/{}", call.kinds[0])
        };
        let what = format!("the {} namespace{plural} of {of}", call.kinds.join(", "));
        let done = call.refused.is_none() && !call.dry_run;
        let pointed = |set: &BTreeMap<&str, u64>| {
            let mut all = json!({});
            for (kind, id) in set {
                for member in members(kind) {
                    all[member] = json!(id);
                }
            }
            all
        };
        let refusal = call.refused.map(|kind| {
            json!({
                "errno": "EPERM",
                "number": 1,
                "reason": "cap-owner",
                "says": "missing capability in the user namespace that owns the namespace",
                "hints": ["run as root, or with CAP_SYS_ADMIN"],
                "cap": "CAP_SYS_ADMIN",
                "user_ns": 3,
                "count": null,
                "namespace": { "kind": kind, "id": self.target[kind] },
            })
        });
        json!({
            "call": what,
            "dry_run": call.dry_run,
            "as_of_2011": call.as_of_2011,
            "refusal": refusal,
            "before": pointed(old),
            "after": pointed(if done { new } else { old }),
            "steps": self.steps,
        })
    }
}
