// SPDX-License-Identifier: GPL-2.0-only

//! Whom the page reaches: with a keyboard, with a screen reader, without scripts, on paper.

use crate::{
    InTab,
    browser::Tab,
    samples,
    steps::{is_at, lengths},
    stored::Page::{AllKinds, Several},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

pub(crate) const TRIALS: &[(&str, InTab)] = &[
    ("reach::every_control_by_tab", every_control_by_tab),
    ("reach::everything_has_a_name", everything_has_a_name),
    ("reach::the_step_is_spoken", the_step_is_spoken),
    ("reach::without_scripts", without_scripts),
    ("reach::on_paper", on_paper),
];

/// Each in its turn, with something around it that shows it, and nothing over it.
fn every_control_by_tab(tab: &mut Tab<'_>) -> Result<()> {
    for (width, height) in [(1200, 700), (360, 640)] {
        tab.size(width, height)?;
        Several.open(tab, "")?;
        tab.key("ArrowDown")?;
        let controls = tab.eval(
            "(() => {
                window.controls = [...document.querySelectorAll('a, button, input')].filter(
                    (each) => each.checkVisibility());
                return controls.length;
            })()",
        )?;
        let controls = controls.as_u64().context("controls")?;
        ensure!(controls >= 20, "{controls} controls");
        // There, and back again.
        let there = (0..controls).map(|wanted| (wanted, false));
        let back = (0..controls - 1).rev().map(|wanted| (wanted, true));
        for (wanted, back) in there.chain(back) {
            if back {
                // The one before it is where the controls stay.
                tab.eval("scrollBy(0, document.activeElement.getBoundingClientRect().top - 60)")?;
            }
            tab.key_with("Tab", back)?;
            let focus = tab.eval(FOCUS)?;
            ensure!(focus["at"] == wanted, "{focus}, not control {wanted}");
            ensure!(focus["line"].as_f64() >= Some(2.0), "not shown: {focus}");
            ensure!(
                focus["hidden"] == json!([]),
                "behind something at {width}: {focus}"
            );
        }
    }
    // By key alone: the box that has the focus is gone to, and keeps it.
    AllKinds.open(tab, "")?;
    tab.eval("document.querySelectorAll('#path .box')[3].focus()")?;
    tab.key("Enter")?;
    is_at(tab, 0, 3)?;
    for (key, wanted) in [("Tab", 4), ("Enter", 4), ("Tab", 5)] {
        tab.key(key)?;
        let focus = tab
            .eval("[...document.querySelectorAll('#path .box')].indexOf(document.activeElement)")?;
        ensure!(focus == wanted, "{focus}, not {wanted}");
    }
    is_at(tab, 0, 4)
}

/// What has the focus: which control, the width of the line around it, and which of its corners
/// are out of sight.
const FOCUS: &str = "(() => {
    const it = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(it);
    const { left, top, right, bottom } = it.getBoundingClientRect();
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]];
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const isSeen = (corner) => {
        // A little inwards: it may be round.
        const over = document.elementFromPoint(
            corner[0] + Math.sign(x - corner[0]) * 4, corner[1] + Math.sign(y - corner[1]) * 4);
        return over !== null && (it.contains(over) || over.contains(it));
    };
    return {
        at: window.controls.indexOf(it),
        line: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth),
        hidden: corners.filter((corner) => !isSeen(corner)),
        what: it.outerHTML,
    };
})()";

fn everything_has_a_name(tab: &mut Tab<'_>) -> Result<()> {
    Several.open(tab, "call=0&step=4")?;
    let tree = tab.command("Accessibility.getFullAXTree", json!({}))?;
    let nodes = tree["nodes"].as_array().context("a tree")?;
    let with_role = |role: &str| {
        let of_role = nodes
            .iter()
            .filter(move |node| node["role"]["value"] == role);
        of_role
            .filter(|node| node["ignored"] != true)
            .collect::<Vec<_>>()
    };
    for (role, least) in [("button", 4), ("slider", 1), ("link", 20), ("table", 2)] {
        let found = with_role(role);
        ensure!(found.len() >= least, "{} of {role}", found.len());
        for node in found {
            let name = node["name"]["value"].as_str().unwrap_or_default();
            ensure!(!name.trim().is_empty(), "a {role} without a name: {node}");
        }
    }
    let names = |role: &str| {
        let named = with_role(role)
            .into_iter()
            .map(|node| node["name"]["value"].clone());
        Value::from_iter(named)
    };
    for wanted in ["First step", "One step back", "One step on", "Last step"] {
        let buttons = names("button");
        let has = buttons
            .as_array()
            .is_some_and(|all| all.contains(&json!(wanted)));
        ensure!(has, "no {wanted} among {buttons}");
    }
    let slider = tab.eval("document.getElementById('slider').ariaValueText")?;
    ensure!(slider == "4 of 15", "{slider}");
    Ok(())
}

/// A polite live region that is there from the start, and changes with the step.
fn the_step_is_spoken(tab: &mut Tab<'_>) -> Result<()> {
    AllKinds.open(tab, "")?;
    tab.eval("window.region = document.querySelector('[aria-live=polite][aria-atomic=true]')")?;
    for step in ["Step 1: fget", "Step 2: check_setns_flags"] {
        tab.key("ArrowRight")?;
        let said = tab.eval("region.isConnected && region.textContent")?;
        let said = said.as_str().context("no live region")?;
        ensure!(said.starts_with(step), "{said}");
    }
    Ok(())
}

/// Each call and its steps are there in writing, and an address leads to its step.
fn without_scripts(tab: &mut Tab<'_>) -> Result<()> {
    tab.command(
        "Emulation.setScriptExecutionDisabled",
        json!({ "value": true }),
    )?;
    Several.open(tab, "call=1&step=8")?;
    let seen = tab.eval(
        "({
            picture: [...document.querySelectorAll('#stage, #calls')].some(
                (each) => each.checkVisibility()),
            calls: [...document.querySelectorAll('.call h2')].filter(
                (each) => each.checkVisibility()
                    && getComputedStyle(each).clipPath === 'none').length,
            steps: [...document.querySelectorAll('.written')].map(
                (list) => list.checkVisibility() ? list.children.length : 0),
            target: document.querySelector(':target').textContent,
            top: document.querySelector(':target').getBoundingClientRect().top,
            height: innerHeight,
            wide: document.documentElement.scrollWidth > innerWidth,
        })",
    )?;
    ensure!(seen["picture"] == false && seen["wide"] == false, "{seen}");
    ensure!(seen["calls"] == 4, "{seen}");
    let lengths = lengths(&samples::several())?;
    ensure!(seen["steps"] == json!(lengths), "{seen}, not {lengths:?}");
    let target = seen["target"].as_str().unwrap_or_default();
    ensure!(target.contains("✕ EPERM: decided here"), "{seen}");
    let top = seen["top"].as_f64();
    ensure!(top >= Some(0.0) && top < seen["height"].as_f64(), "{seen}");
    Ok(())
}

fn on_paper(tab: &mut Tab<'_>) -> Result<()> {
    tab.media("print", &[])?;
    Several.open(tab, "")?;
    let seen = tab.eval(
        "['#stage', '#calls', '#call-0 .written', '#call-3 .written', '#call-3 h2'].map((each) => {
            const element = document.querySelector(each);
            return element.checkVisibility() && getComputedStyle(element).clipPath === 'none';
        })",
    )?;
    ensure!(seen == json!([false, false, true, true, true]), "{seen}");
    Ok(())
}
