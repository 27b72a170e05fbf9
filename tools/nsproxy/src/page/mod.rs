// SPDX-License-Identifier: GPL-2.0-only

//! A trace as a page: one HTML file that needs neither network nor server.
//!
//! [`static_html`] writes the calls and their steps, which are readable without scripts. The
//! scripts step through them, and draw the namespaces from the JSON document in the page:
//!
//! - `replay.js` computes the state after a step;
//! - `namespaces.js` draws it as a table;
//! - `page.js` selects the step.

mod source_lines;
mod static_html;

use serde_json::Value;

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = concat!(
    include_str!("replay.js"),
    include_str!("namespaces.js"),
    include_str!("page.js"),
);

/// Returns the page of a trace, given the document that `nsproxy trace --json` prints.
///
/// # Panics
///
/// If `json` is another document.
pub fn page(json: &str) -> String {
    let value: Value = serde_json::from_str(json).expect("nsproxy trace prints JSON");
    let document = serde_json::from_str(json).expect("it is the document of a trace");
    fill(
        HTML,
        &[
            ("<!--title-->", &static_html::title(&document)),
            ("/*style*/", CSS),
            ("<!--origin-->", &static_html::origin(&document)),
            ("<!--calls-->", &static_html::calls(&document)),
            ("/*trace*/", &inside_script(&value.to_string())),
            ("/*script*/", JS),
        ],
    )
}

/// Returns the document in a page: the JSON of [`page`]. [`None`] if the page is another one.
pub fn page_document(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once(r#"<script type="application/json" id="trace">"#)?;
    let (json, _) = rest.split_once("</script>")?;
    Some(json)
}

/// Replaces each mark of `template`, in their order. Marks in the replacements have no effect.
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

/// Escapes JSON for a `<script>` element, which `</script>` in a string would end. In JSON, `<`
/// occurs only in strings.
fn inside_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}
