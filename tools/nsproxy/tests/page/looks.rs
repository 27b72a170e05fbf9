// SPDX-License-Identifier: GPL-2.0-only

//! How the page looks: what can be measured of it, and pictures for those who look themselves.

use crate::{
    InTab,
    browser::Tab,
    stored::{
        Page::{self, AllKinds, Several},
        picture,
    },
};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

pub(crate) const TRIALS: &[(&str, InTab)] = &[
    ("looks::quiet", quiet),
    ("looks::narrow", narrow),
    ("looks::contrast_light", contrast_light),
    ("looks::contrast_dark", contrast_dark),
    ("looks::follows_the_scheme", follows_the_scheme),
    (
        "looks::does_not_move_for_who_minds",
        does_not_move_for_who_minds,
    ),
    ("looks::the_step_is_in_view", the_step_is_in_view),
    ("looks::pictures", pictures),
];

const STILL: (&str, &str) = ("prefers-reduced-motion", "reduce");
const LIGHT: (&str, &str) = ("prefers-color-scheme", "light");
const DARK: (&str, &str) = ("prefers-color-scheme", "dark");

/// What `look`, a function that returns a list, finds at each step of each call.
fn at_each_step(tab: &mut Tab<'_>, look: &str) -> Result<Vec<Value>> {
    let found = tab.eval(&format!(
        "(async () => {{
            const look = {look};
            const found = [];
            const {{ calls }} = JSON.parse(document.getElementById('trace').textContent);
            for (let call = 0; call < calls.length; call += 1) {{
                for (let step = 0; step < calls[call].steps.length; step += 1) {{
                    const hash = `#call=${{call}}&step=${{step}}`;
                    if (location.hash !== hash) {{
                        await new Promise((done) => {{
                            addEventListener('hashchange', done, {{ once: true }});
                            location.hash = hash;
                        }});
                    }}
                    found.push(...look().map((each) => `${{hash}}: ${{each}}`));
                }}
            }}
            return found;
        }})()"
    ))?;
    Ok(found.as_array().context("a list")?.clone())
}

/// Nothing on the console, and nothing asked for but the file itself.
fn quiet(tab: &mut Tab<'_>) -> Result<()> {
    for page in Page::ALL {
        page.open(tab, "")?;
        let steps = at_each_step(tab, "() => ['seen']")?;
        ensure!(steps.len() > 5, "{} steps seen", steps.len());
        for key in ["Home", "End", "ArrowUp", "ArrowDown", "ArrowLeft"] {
            tab.key(key)?;
        }
    }
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    let requests = tab.requests();
    let others = requests
        .iter()
        .filter(|url| !(url.starts_with("file://") && url.contains(".html")));
    let others: Vec<_> = others.collect();
    ensure!(others.is_empty(), "asked for {others:#?}");
    ensure!(requests.len() == Page::ALL.len(), "{requests:#?}");
    Ok(())
}

/// Where there is little room nothing is beside the page, at any step.
fn narrow(tab: &mut Tab<'_>) -> Result<()> {
    tab.size(360, 640)?;
    for page in Page::ALL {
        page.open(tab, "")?;
        let beside = at_each_step(
            tab,
            "() => {
                const root = document.documentElement;
                const all = [...document.body.querySelectorAll('*')].filter(
                    (each) => each.checkVisibility() && !each.closest('.spoken, .several h2'));
                return [root, document.body, document.getElementById('path'), ...all]
                    .filter((each) => each.getBoundingClientRect().right > 360
                        || ([root, document.body].includes(each) && each.scrollWidth > 360)
                        || (each.id === 'path' && each.scrollWidth > each.clientWidth))
                    .map((each) => each.outerHTML.slice(0, 200));
            }",
        )?;
        ensure!(beside.is_empty(), "{page:?}: {beside:#?}");
    }
    Ok(())
}

/// Every text that is seen, by the formula of WCAG 2, against the background that it is on.
const CONTRAST: &str = "() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
        for (let each = element; each !== null; each = each.parentElement) {
            const colour = parse(getComputedStyle(each).backgroundColor);
            if (colour[3] === undefined) {
                return colour;
            }
            if (colour[3] !== 0) {
                throw new Error('half a background');
            }
        }
        throw new Error('no background');
    };
    const texts = [...document.body.querySelectorAll('*')].filter((each) =>
        each.checkVisibility() && !each.closest('script') && [...each.childNodes].some(
            (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== ''));
    if (texts.length < 40) {
        return [`only ${texts.length} texts`];
    }
    return texts.flatMap((each) => {
        const text = luminance(parse(getComputedStyle(each).color));
        const ground = luminance(behind(each));
        const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
        return ratio < 4.5 ? [`${ratio.toFixed(2)}: ${each.outerHTML.slice(0, 200)}`] : [];
    });
}";

fn contrast(tab: &mut Tab<'_>, scheme: (&str, &str)) -> Result<()> {
    tab.media("screen", &[scheme, STILL])?;
    for page in [Several, AllKinds] {
        page.open(tab, "")?;
        let faint = at_each_step(tab, CONTRAST)?;
        ensure!(faint.is_empty(), "{} too faint: {faint:#?}", faint.len());
    }
    Ok(())
}

fn contrast_light(tab: &mut Tab<'_>) -> Result<()> {
    contrast(tab, LIGHT)
}

fn contrast_dark(tab: &mut Tab<'_>) -> Result<()> {
    contrast(tab, DARK)
}

fn follows_the_scheme(tab: &mut Tab<'_>) -> Result<()> {
    let mut grounds = Vec::new();
    for scheme in [LIGHT, DARK] {
        tab.media("screen", &[scheme])?;
        Several.open(tab, "")?;
        let ground = tab.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")?;
        let parts = ground.as_array().context("a colour")?.iter();
        let parts: Vec<u32> = parts
            .map(|part| Ok(part.as_str().context("a number")?.parse()?))
            .collect::<Result<_>>()?;
        grounds.push(parts.iter().sum::<u32>() / 3);
    }
    ensure!(grounds[0] > 200 && grounds[1] < 50, "{grounds:?}");
    Ok(())
}

/// What moved is lit up for a moment, unless that is not wanted.
fn does_not_move_for_who_minds(tab: &mut Tab<'_>) -> Result<()> {
    for (preference, wanted) in [("no-preference", true), ("reduce", false)] {
        tab.media("screen", &[("prefers-reduced-motion", preference)])?;
        Several.open(tab, "call=0&step=2")?;
        tab.key("ArrowRight")?;
        let moves = tab.eval("document.getAnimations().length > 0")?;
        ensure!(moves == wanted, "{preference}: {moves}");
    }
    Ok(())
}

/// Going through the steps, the box of each is where it can be seen.
fn the_step_is_in_view(tab: &mut Tab<'_>) -> Result<()> {
    for (width, height) in [(1280, 700), (360, 640)] {
        tab.size(width, height)?;
        AllKinds.open(tab, "")?;
        tab.eval("document.getElementById('stage').scrollIntoView()")?;
        let hidden = at_each_step(
            tab,
            "() => {
                const box = document.querySelector('#path [aria-current]');
                const { x, y, width, height } = box.getBoundingClientRect();
                const view = document.getElementById('path').getBoundingClientRect();
                const isWithin = y >= view.top && y + height <= view.bottom;
                const over = document.elementFromPoint(x + width / 2, y + height / 2);
                const isFree = innerWidth < 500 || box.contains(over);
                return isWithin && isFree ? [] : [box.outerHTML];
            }",
        )?;
        ensure!(hidden.is_empty(), "at {width}: {hidden:#?}");
    }
    Ok(())
}

/// For people; all that is checked of them is that no two are the same.
fn pictures(tab: &mut Tab<'_>) -> Result<()> {
    let mut all = Vec::new();
    for (name, scheme, width, height) in [
        ("light", LIGHT, 1280, 900),
        ("dark", DARK, 1280, 900),
        ("narrow", LIGHT, 360, 1800),
    ] {
        tab.size(width, height)?;
        tab.media("screen", &[scheme, STILL])?;
        for (page, what, step) in [
            (Several, "moves", "call=0&step=8"),
            (Several, "refused", "call=1&step=8"),
            (AllKinds, "all-kinds", "call=0&step=22"),
        ] {
            page.open(tab, step)?;
            all.push(picture(tab, &format!("{what}-{name}.png"))?);
        }
    }
    all.sort();
    let count = all.len();
    all.dedup();
    ensure!(
        all.len() == count,
        "{} of {count} are the same",
        count - all.len()
    );
    Ok(())
}
