// SPDX-License-Identifier: GPL-2.0-only

//! Tests the page of a trace: its HTML, and what it shows in a browser.
//!
//! The tests in a browser are ignored by default, since they need Chromium: run
//! `cargo test --test page -- --ignored`.

mod browser;
mod generated;

use anyhow::{Context as _, Result, ensure};
use browser::Browser;
use nsproxy::{page, page_document};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// The screens of a desktop, a small laptop and a phone.
const SIZES: [(u32, u32); 3] = [(1400, 1000), (1024, 768), (390, 844)];

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

/// Returns whether there are such rows or heads, and all of them are visible.
const ARE_VISIBLE: &str = "(() => {
    const moved = [...document.querySelectorAll('#sets .moved')];
    return moved.length > 0 && moved.every((each) => {
        const { left, top } = each.getBoundingClientRect();
        return each.contains(document.elementFromPoint(left + 2, top + 2));
    });
})()";

/// Returns the source lines that the page shows: of each language the text, and whether the first
/// line is visible.
const LINES: &str = "[...document.querySelectorAll('#lines figure')].map((figure) => {
    const [line] = figure.querySelectorAll('pre code');
    const { left, top } = line.getBoundingClientRect();
    const codes = [...figure.querySelectorAll('pre code')];
    return {
        text: codes.map((code) => code.textContent).join('\\n'),
        visible: line.contains(document.elementFromPoint(left + 2, top + 2)),
    };
})";

/// Returns the number of steps whose source lines are not printed, or are cut off.
const UNPRINTED: &str = "[...document.querySelectorAll('.step .lines')].filter((lines) => {
    const path = lines.closest('.path');
    return lines.offsetHeight === 0 || path.scrollHeight > path.offsetHeight;
}).length";

/// The pages of real traces.
const PAGES: [&str; 3] = ["trace-setns", "trace-refused", "trace-unshare"];

/// Returns the path of a page, from the directory of this crate.
fn path_of(page: &str) -> String {
    format!("../../docs/results/{page}.html")
}

fn read(page: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path_of(page));
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

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

/// Returns the steps of the first call of a document.
fn steps_of(document: &Value) -> Result<&[Value]> {
    let steps = document["calls"][0]["steps"].as_array();
    let steps = steps.context("no steps")?;
    ensure!(steps.len() > 5, "the page has {} steps", steps.len());
    Ok(steps)
}

#[test]
#[ignore = "needs Chromium"]
fn each_step_shows_what_moves_and_its_source() -> Result<()> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    let mut browser = Browser::start(&dir.join("profile"))?;
    for page in PAGES {
        let html = read(page)?;
        let document = document_of(&html)?;
        let file = dir.join("page.html");
        fs::write(&file, html)?;
        for (width, height) in SIZES {
            browser.size(width, height)?;
            browser.open(&format!("file://{}", file.display()))?;
            for (at, step) in steps_of(&document)?.iter().enumerate() {
                check_step(&mut browser, &document, at, step)
                    .with_context(|| format!("{page}, {width}×{height}, step {at}"))?;
                let wide = browser.eval("document.documentElement.scrollWidth")?;
                ensure!(
                    wide.as_u64() <= Some(width.into()),
                    "{page}: step {at} is {wide} px wide"
                );
                browser.key("ArrowRight")?;
            }
        }
        let [(width, height), ..] = SIZES;
        browser.size(width, height)?;
        browser.print(true)?;
        let unprinted = browser.eval(UNPRINTED)?;
        ensure!(
            unprinted == 0,
            "{page}: {unprinted} steps have no lines in print"
        );
        browser.print(false)?;
    }
    let errors = browser.errors();
    ensure!(errors.is_empty(), "the page reports {errors:?}");
    Ok(())
}

/// Checks what the page shows at a step.
fn check_step(browser: &mut Browser, document: &Value, at: usize, step: &Value) -> Result<()> {
    let last = steps_of(document)?.len() - 1;
    let shown = browser.eval(SHOWN)?;
    let wanted = json!({
        "address": format!("#call=0&step={at}"),
        "slider": at,
        "where": format!("step {at} of {last}"),
        "current": [at],
    });
    ensure!(shown == wanted, "{shown} instead of {wanted}");

    let marked = browser.eval(MOVED)?;
    let marked = marked.as_array().map_or(&[][..], Vec::as_slice);
    for name in moved(step) {
        let text = |row: &Value| row["text"].as_str().unwrap_or_default().to_owned();
        let has_row = marked.iter().any(|row| text(row).contains(&name));
        ensure!(has_row, "{name} is not marked: {marked:?}");
    }
    let hidden = marked.iter().find(|row| row["visible"] != true);
    ensure!(hidden.is_none(), "not visible: {hidden:?}");

    let lines = browser.eval(LINES)?;
    for (number, language) in ["c", "rust"].into_iter().enumerate() {
        let shown = &lines[number];
        let text = &step["lines"][language]["text"];
        ensure!(
            text.is_string() && shown["text"] == *text,
            "{shown} instead of {text}"
        );
    }
    // On a phone, Rust is below C, and may have to be scrolled to.
    ensure!(lines[0]["visible"] == true, "C is not visible");
    let is_beside = browser.eval("innerWidth")?.as_u64() > Some(900);
    ensure!(
        !is_beside || lines[1]["visible"] == true,
        "Rust is not visible"
    );
    Ok(())
}

#[test]
#[ignore = "needs Chromium"]
fn controls_keys_and_links_select_a_step() -> Result<()> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page-controls");
    let mut browser = Browser::start(&dir.join("profile"))?;
    let mut document = document_of(&read(PAGES[0])?)?;
    let last = steps_of(&document)?.len() - 1;
    let calls = document["calls"].as_array_mut().context("no calls")?;
    calls.push(calls[0].clone());
    let file = dir.join("page.html");
    fs::write(&file, page(&document.to_string()))?;
    for (width, height) in SIZES {
        browser.size(width, height)?;
        browser.open(&format!("file://{}", file.display()))?;
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

    let [(width, height), .., (phone_width, phone_height)] = SIZES;
    browser.size(width, height)?;
    let is_install = |step: &Value| step["step"] == "install";
    let at = steps_of(&document)?.iter().rposition(is_install);
    let at = at.context("no step installs a namespace")?;
    browser.open(&format!("file://{}#call=0&step={at}", file.display()))?;
    browser.size(phone_width, phone_height)?;
    let visible = browser.eval_until(ARE_VISIBLE, &json!(true))?;
    ensure!(
        visible == true,
        "step {at} is not visible in a smaller window"
    );

    browser.open(&format!("file://{}#call=1&step=4", file.display()))?;
    for (key, call, step) in [
        ("Shift", 1, 4),
        ("End", 1, last),
        ("ArrowUp", 0, 0),
        ("ArrowDown", 1, 0),
    ] {
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
