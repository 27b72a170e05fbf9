// SPDX-License-Identifier: GPL-2.0-only

//! Compares generated pages with files of the repository.

use crate::{PAGES, document_of, path_of, read, steps_of};
use nsproxy::page;
use serde_json::{Value, json};
use std::{env, fs, path::Path};

/// Returns a document with a refusal and source lines of one step, a dry run of the call `name`, and a call as of 2011, whose
/// clock is too coarse.
fn document(name: &str) -> Value {
    let step = |step: &str, within: &[&str], function: &str| {
        json!({
            "step": step, "function": function, "within": within, "depth": within.len() + 1,
            "says": "does this", "time": 1500, "errno": null, "about": null, "nsproxy": null,
            "counts": [], "kernel": { "file": "kernel/nsproxy.c", "name": function },
            "module": { "file": "src/nsset.rs", "name": "NsSet" },
        })
    };
    let mut caller = step("caller", &[], "setns");
    caller["depth"] = json!(0);
    caller["time"] = json!(0);
    let mut target = step("target", &["validate_nsset"], "get_nsproxy");
    target["nsproxy"] = json!({ "before": 0, "after": 3 });
    target["lines"] = json!({
        "c": { "file": "kernel/nsproxy.c", "item": "validate_nsset", "first": 420, "text": "if (a < b)\n\n\tget(\"&\");" },
        "rust": { "file": "src/nsset.rs", "item": "NsSet::put", "first": 7, "text": "drop::<T>(a);" },
    });
    let mut install = step("install", &["validate_nsset"], "netns_install");
    install["about"] = json!({ "kind": "net", "id": 46 });
    let mut refused = install.clone();
    refused["errno"] = json!("EPERM");
    install["counts"] = json!([
        { "id": 7, "kind": "net", "ns_ref": [2, 1], "active": [1, 1] },
        { "id": 46, "kind": "net", "ns_ref": [2, 3], "active": [1, 2] },
    ]);
    let refusal = json!({
        "errno": "EPERM", "says": "missing capability", "hints": ["run as root", "leave -n out"],
        "cap": "CAP_SYS_ADMIN", "user_ns": 3, "namespace": { "kind": "net", "id": 46 },
    });
    let call = |call: &str, ids: [u64; 2], steps: &[&Value]| {
        json!({
            "system_call": "setns", "call": call, "dry_run": false, "as_of_2011": false, "timed": true, "refusal": null,
            "before": { "net": ids[0] }, "after": { "net": ids[1] }, "steps": steps,
        })
    };
    let mut first = call(
        "the net namespace of process 9",
        [7, 7],
        &[&caller, &target, &refused],
    );
    first["refusal"] = refusal;
    let mut second = call(name, [7, 7], &[&caller]);
    second["dry_run"] = json!(true);
    let mut third = call("the net namespace of /n", [7, 46], &[&caller, &install]);
    third["as_of_2011"] = json!(true);
    third["timed"] = json!(false);
    json!({ "calls": [first, second, third], "sources": { "kernel": "Linux 7.3.4" } })
}

/// A file name that tries to be a script.
const HOSTILE: &str = "</script><script>alert(1)</script><!--\"'&";

/// Compares `html` with a file of the repository. `OVERWRITE=1` writes the file instead.
fn assert_is_in(file: &str, html: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("OVERWRITE").is_some() {
        fs::write(&path, html).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let lines = expected.lines().zip(html.lines());
    let first = lines
        .enumerate()
        .find(|(_, (expected, html))| expected != html);
    assert_eq!(
        first, None,
        "{file} differs; OVERWRITE=1 accepts the change"
    );
    assert_eq!(expected.len(), html.len(), "{file} has another length");
}

#[test]
fn calls_are_readable_without_scripts() {
    let html = page(&document(HOSTILE).to_string());
    let calls = html.split_once("<main>\n").map(|(_, rest)| rest);
    let calls = calls.and_then(|rest| rest.split_once("\n<div id=\"bar\""));
    let (calls, _) = calls.expect("the calls are before the controls");
    assert_is_in(
        "tests/page/calls.html",
        &format!("<!-- SPDX-License-Identifier: GPL-2.0-only -->\n{calls}"),
    );
}

#[test]
fn the_origin_of_source_lines_is_named() {
    let mut document = document("harmless");
    assert!(page(&document.to_string()).contains("C from Linux 7.3.4"));
    document["sources"] = Value::Null;
    assert!(!page(&document.to_string()).contains("C from"));
}

#[test]
fn text_is_never_markup() {
    let html = page(&document(HOSTILE).to_string());
    let harmless = page(&document("harmless").to_string());
    for tag in ["<script", "</script", "<!--"] {
        let count = harmless.matches(tag).count();
        assert_eq!(html.matches(tag).count(), count, "{tag}");
    }
}

/// The pages are those of real traces, and contain their documents.
#[test]
fn the_pages_of_the_results_are_current() {
    for name in PAGES {
        let document = document_of(&read(name).unwrap()).unwrap();
        let steps = steps_of(&document).unwrap().iter();
        assert!(
            steps.clone().all(|step| step["lines"].is_object()),
            "{name}"
        );
        assert_is_in(&path_of(name), &page(&document.to_string()));
    }
}
