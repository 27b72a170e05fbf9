// SPDX-License-Identifier: GPL-2.0-only

//! A trace as a page: one HTML file that needs nothing else, neither network nor server.
//!
//! What the page says without its scripts, the calls and their steps as lists, is written here, by
//! [`static_html`]. The scripts make a picture of it, from the JSON document that the page carries:
//!
//! - `replay.js`: what the caller, the sets and the namespaces were after a step;
//! - `call_tree.js` and `namespaces.js`: the two halves of the picture;
//! - `current_step.js`: a step in words;
//! - `page.js`: the controls, and which step is shown.

mod static_html;

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = concat!(
    include_str!("replay.js"),
    include_str!("element.js"),
    include_str!("call_tree.js"),
    include_str!("namespaces.js"),
    include_str!("current_step.js"),
    include_str!("page.js"),
);

/// The page of a trace, from the document that `nsproxy trace --json` prints.
///
/// # Panics
///
/// If `json` is no such document.
pub fn page(json: &str) -> String {
    let document = serde_json::from_str(json).expect("a document of nsproxy trace");
    fill(
        HTML,
        &[
            ("<!--title-->", &static_html::title(&document)),
            ("/*style*/", CSS),
            ("<!--calls-->", &static_html::calls(&document)),
            ("/*trace*/", &inside_script(json)),
            ("/*script*/", JS),
        ],
    )
}

/// `template` with each mark replaced, in the order in which they stand there. What was put in is
/// not looked at again.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).expect("the template has each mark");
        filled += before;
        filled += part;
        rest = after;
    }
    filled + rest
}

/// JSON that can stand in a `<script>`, and nothing in it can end that: `<` is always in a string,
/// where it can be written as an escape.
fn inside_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}
