// SPDX-License-Identifier: GPL-2.0-only

//! Going through the steps: keys, buttons, the slider, the boxes and the address.

use crate::{
    InTab,
    browser::Tab,
    samples,
    stored::Page::{AllKinds, Several},
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) const TRIALS: &[(&str, InTab)] = &[
    ("steps::by_key", by_key),
    (
        "steps::keys_with_others_are_left_alone",
        keys_with_others_are_left_alone,
    ),
    ("steps::calls_by_key", calls_by_key),
    ("steps::by_button", by_button),
    ("steps::by_slider", by_slider),
    ("steps::by_box", by_box),
    ("steps::to_what_decided", to_what_decided),
    ("steps::by_address", by_address),
];

/// How many steps the calls of a document have.
pub(crate) fn lengths(json: &str) -> Result<Vec<usize>> {
    let document: Value = serde_json::from_str(json)?;
    let calls = document["calls"].as_array().into_iter().flatten();
    Ok(calls
        .filter_map(|call| Some(call["steps"].as_array()?.len()))
        .collect())
}

/// Everything that says which step is shown says this one, soon.
pub(crate) fn is_at(tab: &mut Tab<'_>, call: usize, step: usize) -> Result<()> {
    let wanted = json!({
        "address": format!("#call={call}&step={step}"),
        "words": format!("step {step}"),
        "slider": step,
        "box": [step],
        "said": format!("Step {step}: "),
        "call": [call],
    });
    // A link is followed when the click on it has long been done.
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let shown = tab.eval(SHOWN)?;
        if shown == wanted {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{shown}, not {wanted}");
    }
}

/// Which step is shown, by everything that says it.
const SHOWN: &str = "(() => {
    const box = [...document.querySelectorAll('#path .box')];
    return {
        address: location.hash,
        words: document.getElementById('where').textContent.replace(/ of .*/, ''),
        slider: Number(document.getElementById('slider').value),
        box: box.flatMap((each, at) => each.getAttribute('aria-current') ? [at] : []),
        said: document.querySelector('#now .spoken').textContent,
        call: [...document.querySelectorAll('.call')].flatMap(
            (each, at) => getComputedStyle(each).display === 'none' ? [] : [at]),
    };
})()";

fn by_key(tab: &mut Tab<'_>) -> Result<()> {
    let last = lengths(&samples::all_kinds())?[0] - 1;
    AllKinds.open(tab, "")?;
    is_at(tab, 0, 0)?;
    for (key, step) in [
        ("ArrowLeft", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", last),
        ("ArrowRight", last),
        ("ArrowLeft", last - 1),
        // There is one call, and nowhere to go.
        ("ArrowDown", last - 1),
        ("Home", 0),
    ] {
        tab.key(key)?;
        is_at(tab, 0, step)?;
    }
    // Once and not twice, also where the slider has the focus and has keys of its own.
    tab.eval("document.getElementById('slider').focus()")?;
    for (key, step) in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("End", last),
        ("Home", 0),
    ] {
        tab.key(key)?;
        is_at(tab, 0, step)?;
    }
    Ok(())
}

/// Alt and left is the browser's way back.
fn keys_with_others_are_left_alone(tab: &mut Tab<'_>) -> Result<()> {
    AllKinds.open(tab, "call=0&step=3")?;
    for with in ["altKey", "ctrlKey", "metaKey", "shiftKey"] {
        let event =
            format!("{{ key: 'ArrowRight', bubbles: true, cancelable: true, {with}: true }}");
        let is_left = tab.eval(&format!(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {event}))"
        ))?;
        ensure!(is_left == true, "{with} is taken");
        is_at(tab, 0, 3)?;
    }
    Ok(())
}

fn calls_by_key(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=0&step=4")?;
    for (key, call, step) in [
        ("ArrowUp", 0, 4),
        ("ArrowDown", 1, 0),
        ("ArrowRight", 1, 1),
        ("ArrowDown", 2, 0),
        ("ArrowDown", 3, 0),
        ("ArrowDown", 3, 0),
        ("ArrowUp", 2, 0),
    ] {
        tab.key(key)?;
        is_at(tab, call, step)?;
    }
    tab.click("#calls li:nth-child(2) a")?;
    is_at(tab, 1, 0)
}

fn by_button(tab: &mut Tab<'_>) -> Result<()> {
    let last = lengths(&samples::all_kinds())?[0] - 1;
    AllKinds.open(tab, "")?;
    for (button, step) in [
        ("#next", 1),
        ("#next", 2),
        ("#back", 1),
        ("#last", last),
        ("#next", last),
        ("#first", 0),
        ("#back", 0),
    ] {
        tab.click(button)?;
        is_at(tab, 0, step)?;
        let dead: Vec<_> = [("first", 0), ("back", 0), ("next", last), ("last", last)]
            .into_iter()
            .filter_map(|(id, end)| (end == step).then_some(id))
            .collect();
        let shown = tab.eval(
            "[...document.querySelectorAll('button[aria-disabled=true]')].map(({ id }) => id)",
        )?;
        ensure!(shown == json!(dead), "{shown} lead nowhere, not {dead:?}");
    }
    Ok(())
}

fn by_slider(tab: &mut Tab<'_>) -> Result<()> {
    let last = lengths(&samples::all_kinds())?[0] - 1;
    AllKinds.open(tab, "")?;
    tab.click_at("#slider", 0.999)?;
    is_at(tab, 0, last)?;
    tab.click_at("#slider", 0.001)?;
    is_at(tab, 0, 0)?;
    // It is as long as the call, whichever call it is.
    for (call, length) in lengths(&samples::several())?.into_iter().enumerate() {
        Several.open(tab, &format!("call={call}&step=0"))?;
        let last = length - 1;
        let middle = last / 2;
        tab.click_at("#slider", middle as f64 / last as f64)?;
        is_at(tab, call, middle)?;
        tab.click_at("#slider", 0.999)?;
        is_at(tab, call, last)?;
    }
    Ok(())
}

fn by_box(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=1&step=0")?;
    tab.eval("document.querySelectorAll('#path .box')[5].classList.add('wanted')")?;
    tab.click(".wanted")?;
    is_at(tab, 1, 5)
}

fn to_what_decided(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=1&step=0")?;
    tab.click("#call-1 .verdict a")?;
    is_at(tab, 1, 8)
}

/// An address names a step, also one that is given while the page is open; one that names none
/// that there is leads to the nearest.
fn by_address(tab: &mut Tab<'_>) -> Result<()> {
    let lengths = lengths(&samples::several())?;
    for (address, call, step) in [
        ("", 0, 0),
        ("call=1&step=8", 1, 8),
        ("call=2", 2, 0),
        ("call=3&step=999", 3, lengths[3] - 1),
        ("call=99&step=1", 3, 1),
        ("nonsense", 0, 0),
    ] {
        Several.open(tab, address)?;
        is_at(tab, call, step)?;
    }
    tab.eval(
        "new Promise((done) => {
            addEventListener('hashchange', done, { once: true });
            location.hash = 'call=1&step=2';
        }).then(() => true)",
    )?;
    is_at(tab, 1, 2)
}
