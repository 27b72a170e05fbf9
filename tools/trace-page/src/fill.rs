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
        }
    }
    document["sources"] = json!({ "kernel": format!("Linux {version}") });
    Ok(nsproxy::page(&document.to_string()))
}
