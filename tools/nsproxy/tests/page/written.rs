// SPDX-License-Identifier: GPL-2.0-only

//! The page as it is written: no browser is needed for these.

use crate::{page::page, samples};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

type Written = fn() -> Result<()>;

pub(crate) const TRIALS: &[(&str, Written)] = &[
    ("written::every_step", every_step),
    ("written::refusal", refusal),
    ("written::outcomes", outcomes),
    ("written::the_document_is_whole", the_document_is_whole),
    ("written::text_is_no_markup", text_is_no_markup),
];

/// The document that a page carries.
fn carried(html: &str) -> Result<&str> {
    let mark = "<script type=\"application/json\" id=\"trace\">";
    let (_, after) = html.split_once(mark).context("no document")?;
    let (document, _) = after.split_once("</script>").context("no end of it")?;
    Ok(document)
}

/// Each step has its line, its address, and the counts that it moved.
fn every_step() -> Result<()> {
    let html = page(&samples::all_kinds());
    let document: Value = serde_json::from_str(&samples::all_kinds())?;
    let steps = document["calls"][0]["steps"].as_array().context("steps")?;
    ensure!(html.matches("<li id=").count() == steps.len(), "{html}");
    for (at, step) in steps.iter().enumerate() {
        let line = format!("<li id=\"call=0&amp;step={at}\"");
        let (_, rest) = html.split_once(&line).with_context(|| line.clone())?;
        let (line, _) = rest.split_once("</li>").context("an end of the line")?;
        let function = step["function"].as_str().context("a function")?;
        ensure!(line.contains(&format!("<code>{function}</code>")), "{line}");
        let has_moved = step["counts"].as_array().context("counts")?.iter();
        let has_moved = has_moved.flat_map(|counts| [&counts["ns_ref"], &counts["active"]]);
        let has_moved = has_moved.filter(|pair| pair[0] != pair[1]).count();
        let written = line.matches(" → ").count();
        let nsproxy = &step["nsproxy"];
        let is_told = nsproxy["before"] != nsproxy["after"] && step["step"] != "target";
        let has_moved = has_moved + usize::from(is_told);
        ensure!(written == has_moved, "{written}, not {has_moved}: {line}");
    }
    for words in [
        "in <code>commit_nsset › switch_task_namespaces</code>",
        "net 46 ns_ref 2 → 3 (+1)",
        "time 27 ns_ref 5 → 3 (−2)",
        "new nsproxy 0 → 1 (+1)",
        "nsproxy of the process: count 2",
        "nsproxy of the process 2 → 1 (−1)",
        "nsproxy 1 → 0 (−1)",
    ] {
        ensure!(html.contains(words), "no {words} in {html}");
    }
    Ok(())
}

fn refusal() -> Result<()> {
    let html = page(&samples::several());
    for words in [
        "It was refused: EPERM",
        "missing capability in the user namespace that owns the namespace",
        "CAP_SYS_ADMIN in user namespace 3",
        "mnt namespace 41",
        "run as root, or with CAP_SYS_ADMIN",
        "<a href=\"#call=1&amp;step=8\">the step that decided</a>",
    ] {
        ensure!(html.contains(words), "no {words:?} in {html}");
    }
    let decided = html.matches("decided here</strong>").count();
    ensure!(decided == 1, "decided {decided} times");
    Ok(())
}

fn outcomes() -> Result<()> {
    let html = page(&samples::several());
    let verdict = |call: usize| {
        let (_, after) = html.split_once(&format!("id=\"call-{call}\""))?;
        Some(after.split_once("<ol")?.0)
    };
    for (call, words) in [
        (0, "The caller moved: "),
        (0, "<code>net</code> 26 → 46"),
        (2, "dry run"),
        (2, "It would succeed.</strong> Nothing was changed."),
        (3, "as of 2011"),
        (3, "<code>ipc</code> 1 → 43"),
    ] {
        let verdict = verdict(call).context("no verdict")?;
        ensure!(verdict.contains(words), "no {words:?} in {verdict}");
    }
    ensure!(
        !verdict(0)
            .context("no verdict")?
            .contains("pid_for_children")
    );
    Ok(())
}

fn the_document_is_whole() -> Result<()> {
    for json in [samples::several(), samples::hostile()] {
        let html = page(&json);
        let carried: Value = serde_json::from_str(carried(&html)?)?;
        ensure!(
            carried == serde_json::from_str::<Value>(&json)?,
            "{carried}"
        );
    }
    Ok(())
}

/// Text of the document ends no element and begins none, where it is written out and in the JSON.
fn text_is_no_markup() -> Result<()> {
    let harmless = page(&samples::several());
    let html = page(&samples::hostile());
    ensure!(
        html.contains("&lt;/script&gt;&lt;script&gt;"),
        "not written"
    );
    for tag in ["<script", "</script", "<!--"] {
        let count = html.matches(tag).count();
        ensure!(count == harmless.matches(tag).count(), "{count} of {tag}");
    }
    Ok(())
}
