// SPDX-License-Identifier: GPL-2.0-only

//! Generates the bindings of the ABI from the header that the module is built with.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=uapi.h");
    println!("cargo::rerun-if-changed=../../src/uapi/nsproxy_rs.h");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    bindgen::Builder::default()
        .header("uapi.h")
        .allowlist_item("(nsproxy|NSPROXY)_.*")
        .derive_default(true)
        .prepend_enum_name(false)
        // rustfmt is optional. Without it, bindgen would print a long warning.
        .formatter(bindgen::Formatter::None)
        .generate()
        .expect("bindgen could not read src/uapi/nsproxy_rs.h; the lines above say why")
        .write_to_file(out.join("sys.rs"))
        .expect("OUT_DIR is writable");
}
