// SPDX-License-Identifier: GPL-2.0-only

//! Tests the page of a trace: its HTML, and what it shows in a browser.
//!
//! The test in a browser is ignored by default, since it needs Chromium: run
//! `cargo test --test page -- --ignored`.

mod browser;
mod generated;

use anyhow::{Context as _, Result, ensure};
use browser::Browser;
use nsproxy::{page, page_document};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A screen of a desktop, and one of a phone.
const SIZES: [(u32, u32); 2] = [(1400, 1000), (390, 844)];

/// Returns the state of the page after a step, by everything that shows it.
const SHOWN: &str = "(() => {
    const steps = [...document.querySelectorAll('.call:not([hidden]) .step')];
    return {
        address: location.hash,
        slider: Number(document.getElementById('slider').value),
        where: document.getElementById('where').value,
        current: steps.flatMap((step, at) => step.ariaCurrent === 'step' ? [at] : []),
    };
})()";

/// Returns the rows and heads that the step changed, each with whether all of it is visible.
const MOVED: &str = "[...document.querySelectorAll('#sets .moved')].map((moved) => {
    const { left, top, right, bottom } = moved.getBoundingClientRect();
    const at = (x, y) => moved.contains(document.elementFromPoint(x, y));
    return {
        text: moved.textContent,
        visible: at(left + 2, top + 2) && at(right - 2, bottom - 2),
    };
})";

/// The page of a real trace.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/trace-example.html");

/// Returns the document that a page contains.
fn document_of(html: &str) -> Result<Value> {
    let json = page_document(html).context("no document in the page")?;
    Ok(serde_json::from_str(json)?)
}

/// Returns the ids of the namespaces whose counts a step changes.
fn moved(step: &Value) -> Vec<String> {
    let counts = step["counts"].as_array().into_iter().flatten();
    let moved = counts.filter(|entry| {
        let changes = |count: &str| entry[count][0] != entry[count][1];
        changes("ns_ref") || changes("active")
    });
    moved
        .map(|entry| format!("{} {}", entry["kind"].as_str().unwrap_or(""), entry["id"]))
        .collect()
}

#[test]
#[ignore = "needs Chromium"]
fn each_step_shows_what_moves() -> Result<()> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    let mut browser = Browser::start(&dir.join("profile"))?;
    let file = dir.join("page.html");
    fs::copy(EXAMPLE, &file)?;
    let mut document = document_of(&fs::read_to_string(EXAMPLE)?)?;
    let steps = document["calls"][0]["steps"].clone();
    let steps = steps.as_array().map_or(&[][..], Vec::as_slice);
    ensure!(steps.len() > 10, "the example has {} steps", steps.len());
    let last = steps.len() - 1;

    for (width, height) in SIZES {
        browser.size(width, height)?;
        browser.open(&format!("file://{}", file.display()))?;
        for (at, step) in steps.iter().enumerate() {
            let shown = browser.eval(SHOWN)?;
            let wanted = json!({
                "address": format!("#call=0&step={at}"),
                "slider": at,
                "where": format!("step {at} of {last}"),
                "current": [at],
            });
            ensure!(shown == wanted, "{shown} instead of {wanted}");

            let lit = browser.eval(MOVED)?;
            let lit = lit.as_array().map_or(&[][..], Vec::as_slice);
            for name in moved(step) {
                let row = lit.iter().find(|row| {
                    row["text"]
                        .as_str()
                        .is_some_and(|text| text.contains(&name))
                });
                ensure!(row.is_some(), "step {at} does not light up {name}: {lit:?}");
            }
            let is_visible = lit.first().is_none_or(|first| first["visible"] == true);
            ensure!(
                is_visible,
                "{width}×{height}, step {at}: not visible: {}",
                lit[0]
            );

            let wide = browser.eval("document.documentElement.scrollWidth")?;
            ensure!(
                wide.as_u64() <= Some(width.into()),
                "step {at} is {wide} px wide"
            );
            browser.key("ArrowRight")?;
        }
        for (action, at) in [
            ("document.getElementById('first').click()", 0),
            ("document.getElementById('next').click()", 1),
            ("document.getElementById('last').click()", last),
            ("document.getElementById('back').click()", last - 1),
            ("document.querySelectorAll('.step > a')[3].click()", 3),
        ] {
            browser.eval(&format!("{action} ?? true"))?;
            let address = json!(format!("#call=0&step={at}"));
            let shown = browser.eval_until("location.hash", &address)?;
            ensure!(shown == address, "{action}: {shown} instead of {address}");
        }
    }

    let calls = document["calls"].as_array_mut().context("no calls")?;
    calls.push(calls[0].clone());
    fs::write(&file, page(&document.to_string()))?;
    browser.open(&format!("file://{}#call=1&step=4", file.display()))?;
    for (key, call, step) in [("End", 1, last), ("ArrowUp", 0, 0), ("ArrowDown", 1, 0)] {
        browser.key(key)?;
        let shown =
            browser.eval("[location.hash, document.querySelector('.call:not([hidden])').id]")?;
        let wanted = json!([format!("#call={call}&step={step}"), format!("call-{call}")]);
        ensure!(shown == wanted, "{key}: {shown} instead of {wanted}");
    }
    let errors = browser.errors();
    ensure!(errors.is_empty(), "the page reports {errors:?}");
    Ok(())
}
