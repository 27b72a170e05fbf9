// SPDX-License-Identifier: GPL-2.0-only

//! Adds the lines to the document of a page.

use crate::{
    sources::{Language, Sources},
    table::Table,
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Returns the page with the lines of each step.
///
/// # Errors
///
/// The page has no document of a trace, or lines of a step are not in the sources.
pub(crate) fn page(
    html: &str,
    table: &Table,
    sources: &mut Sources,
    version: &str,
) -> Result<String> {
    let document = nsproxy::page_document(html).context("no page of nsproxy trace")?;
    let mut document: Value = serde_json::from_str(document)?;
    let mut has_lines = false;
    for call in document["calls"].as_array_mut().context("no calls")? {
        // The patch of 2011 is not in this tree, and the module mirrors it in other files.
        if call["as_of_2011"] == true {
            continue;
        }
        let system_call = call["system_call"].as_str().unwrap_or_default().to_owned();
        for step in call["steps"].as_array_mut().context("no steps")? {
            let text = |name: &str| step[name].as_str().unwrap_or_default();
            let entry = table.find(&system_call, text("step"), text("function"))?;
            let lines = json!({
                "c": sources.excerpt(Language::C, &entry.c)?,
                "rust": sources.excerpt(Language::Rust, &entry.rust)?,
            });
            step["lines"] = lines;
            has_lines = true;
        }
    }
    if has_lines {
        document["sources"] = json!({ "kernel": format!("Linux {version}") });
    }
    Ok(nsproxy::page(&document.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Returns the page of a call that gets the file behind its descriptor, with its lines.
    fn filled(as_of_2011: bool) -> Result<String> {
        let place = json!({ "file": "fs/file.c", "name": "fdget" });
        let step = json!({
            "step": "fget", "function": "fget", "within": [], "depth": 1, "says": "gets the file",
            "time": 0, "errno": null, "about": null, "nsproxy": null, "counts": [],
            "kernel": place, "module": place,
        });
        let call = json!({
            "system_call": "setns", "call": "the net namespace of /n", "dry_run": false,
            "as_of_2011": as_of_2011, "timed": true, "refusal": null, "before": {}, "after": {},
            "steps": [step],
        });
        let html = nsproxy::page(&json!({ "calls": [call] }).to_string());
        let mut sources = Sources::new(Path::new("."), None);
        page(&html, &Table::read()?, &mut sources, "7.3.4")
    }

    #[test]
    fn a_call_as_of_2011_has_no_lines() {
        let html = filled(true).unwrap();
        assert!(!html.contains("C from Linux") && !html.contains("<figure>"));
    }

    #[test]
    fn a_step_without_its_source_is_an_error() {
        let error = filled(false).unwrap_err().to_string();
        assert_eq!(error, "no source of the kernel");
    }
}
