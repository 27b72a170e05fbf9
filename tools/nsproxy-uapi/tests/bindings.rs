// SPDX-License-Identifier: GPL-2.0-only

//! Compares `src/sys/bindings.rs` with the bindings that bindgen generates from the ABI's header.
//!
//! The generated file is part of the source, so that a build of user space does not need libclang.
//! This test does. With `WRITE=1` it writes the file instead.

use bindgen::{Builder, Formatter, RustEdition, RustTarget};
use std::{env, fs, path::Path};

const BEGIN: &str = "\
// SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note

// Generated from src/uapi/nsproxy_rs.h by tests/bindings.rs; do not edit.
";

#[test]
fn bindings_match_the_header() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = package.join("src/sys/bindings.rs");
    let generated = generate(&package.join("uapi.h"));
    if env::var_os("WRITE").is_some_and(|write| !write.is_empty()) {
        fs::write(&path, generated).expect("src/sys/bindings.rs is writable");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "src/sys/bindings.rs is out of date:\n{}{}hint: make check CHECKS=tools-unit WRITE=1",
        lines_only_in(&committed, &generated, '-'),
        lines_only_in(&generated, &committed, '+'),
    );
}

/// Returns the bindings of a header. They are the same for every installed version of Rust.
fn generate(header: &Path) -> String {
    let bindings = Builder::default()
        .header(header.to_str().expect("the path is UTF-8"))
        .allowlist_item("(nsproxy|NSPROXY)_.*")
        .generate_comments(false)
        .derive_default(true)
        .prepend_enum_name(false)
        .rust_target(RustTarget::stable(88, 0).expect("bindgen knows Rust 1.88"))
        .rust_edition(RustEdition::Edition2024)
        .formatter(Formatter::Prettyplease)
        .disable_header_comment()
        .generate()
        .expect("bindgen could not read src/uapi/nsproxy_rs.h; the lines above say why");
    format!("{BEGIN}\n{bindings}")
}

/// Returns the lines of `text` that `other` does not have, each after `mark`.
fn lines_only_in(text: &str, other: &str, mark: char) -> String {
    text.lines()
        .filter(|line| !other.lines().any(|old| old == *line))
        .map(|line| format!("    {mark} {line}\n"))
        .collect()
}
