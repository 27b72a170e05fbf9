// SPDX-License-Identifier: GPL-2.0-only

//! The JSON document of `nsproxy explain` and `nsproxy check`.

use crate::{Other, can_unshare, nsproxy};
use serde_json::{Value, json};

fn document(words: &str, status: i32) -> Value {
    let output = nsproxy(&[], words);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_refused_call() {
    let words = "--json --via user-space -U=/proc/self/ns/user";
    let document_of_explain = document(&format!("explain {words}"), 1);
    assert_eq!(document_of_explain, document(&format!("check {words}"), 4));
    let id = &document_of_explain["calls"][0]["causes"][0]["namespace"]["id"];
    assert!(id.as_u64().unwrap() > 0);
    let cause = json!({
        "reason": "same-user",
        "says": "the caller is already in that user namespace",
        "cap": null,
        "user_ns": null,
        "count": null,
        "namespace": { "kind": "user", "id": id },
        "hints": ["omit -U"],
    });
    let expected = json!({
        "version": 1,
        "via": "user-space",
        "from": null,
        "assumptions": [],
        "result": "fails",
        "calls": [{
            "call": "setns",
            "text": "the user namespace of /proc/self/ns/user",
            "namespaces": ["user"],
            "flags": 0x1000_0000,
            "result": "fails",
            "predicted": false,
            "errno": "EINVAL",
            "number": 22,
            "causes": [cause],
        }],
    });
    assert_eq!(document_of_explain, expected);
}

#[test]
fn flags_that_exclude_each_other() {
    let words = "explain --json --via user-space --clone=CLONE_FS -m";
    let document = document(words, 1);
    let call = &document["calls"][0];
    let [name, reason] = [&call["call"], &call["causes"][0]["reason"]];
    assert_eq!([name, reason], ["clone3", "clone-fs"]);
    assert_eq!(call["flags"], 0x2_0200);
}

#[test]
fn a_file_that_cannot_be_opened() {
    let document = document("check --json --via user-space -n=/nowhere", 5);
    let call = &document["calls"][0];
    assert_eq!([&call["call"], &call["errno"]], ["open", "ENOENT"]);
    assert_eq!(call["causes"][0]["reason"], "open");
    assert_eq!(document["result"], "fails");
}

#[test]
fn several_calls_of_another_process() {
    if !can_unshare() {
        return;
    }
    let (from, other) = (Other::sleep(), Other::unshared());
    let (from, other) = (from.pid(), other.pid());
    let files = format!("-U=/proc/{other}/ns/user -n=/proc/{other}/ns/net");
    let document = document(&format!("explain --json --from {from} {files}"), 1);
    let expected = json!({ "pid": from, "program": "sleep", "denied": null });
    assert_eq!(document["from"], expected);
    let assumptions = document["assumptions"].as_array().unwrap();
    assert!(assumptions.len() >= 3, "{document:#}");
    assert_eq!(document["result"], "unknown");
    let calls = document["calls"].as_array().unwrap();
    let results: Vec<_> = calls.iter().map(|call| &call["result"]).collect();
    assert_eq!(results, ["retried", "succeeds", "unknown"]);
    assert!(calls.iter().all(|call| call["predicted"] == true));
    assert_eq!(calls[2]["causes"][0]["reason"], "user-ns-entered");
}
