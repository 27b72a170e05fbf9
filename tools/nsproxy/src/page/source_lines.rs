// SPDX-License-Identifier: GPL-2.0-only

//! The source lines of a step: those of the kernel beside those of the module.
//!
//! A trace has none, since the sources are not in the guest. `nsproxy-trace-page` adds them to the
//! document on the host.

use super::static_html::escape;
use serde::Deserialize;
use std::fmt::Write as _;

/// The source lines of a step.
#[derive(Deserialize)]
pub(super) struct Lines {
    c: Excerpt,
    rust: Excerpt,
}

/// Lines of a file.
#[derive(Deserialize)]
struct Excerpt {
    file: String,
    /// The function or struct that they are in.
    item: String,
    /// The number of the first line.
    first: usize,
    text: String,
}

/// The origin of all lines in a document.
#[derive(Deserialize)]
pub(super) struct Origin {
    /// The traced kernel: "Linux 7.3.4".
    kernel: String,
}

impl Lines {
    pub(super) fn html(&self) -> String {
        let c = self.c.html("C", "()");
        let rust = self.rust.html("Rust", "");
        format!("<div class=\"lines\">\n{c}{rust}</div>\n")
    }
}

impl Excerpt {
    /// Returns the lines with their place. `parentheses` follow the name of the item.
    fn html(&self, language: &str, parentheses: &str) -> String {
        let Self { file, item, .. } = self;
        let mut html = format!(
            "<figure><figcaption>{language}: <code>{}</code>, \
             <code>{}{parentheses}</code></figcaption>\n\
             <pre style=\"counter-reset: line {}\">",
            escape(file),
            escape(item),
            self.first.saturating_sub(1)
        );
        for line in self.text.lines() {
            let _ = writeln!(html, "<code>{}</code>", escape(line));
        }
        html + "</pre></figure>\n"
    }
}

impl Origin {
    /// Returns a sentence about the origin and its licence.
    pub(super) fn html(&self) -> String {
        format!(
            " C from {}, Rust from nsproxy_rs, both GPL-2.0-only.",
            escape(&self.kernel)
        )
    }
}
