// SPDX-License-Identifier: GPL-2.0-only

//! The environment of a shell, so that its prompt names the namespaces that nsproxy entered or created.

use crate::exec::c_string;
use nsproxy_uapi::Kind;
use rustix::process::geteuid;
use std::{
    env,
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
};

/// The variable with the names of the kinds, for start-up files that set the prompt themselves.
const NAMESPACES: &str = "NSPROXY_NAMESPACES";
const PROMPT: &str = "PS1";

/// The shells whose prompt is `PS1` of the environment, unless a start-up file sets it.
const SHELLS: [&str; 6] = ["sh", "ash", "bash", "dash", "ksh", "mksh"];

/// Returns the environment of a shell in namespaces of these kinds.
pub(crate) fn environment(shell: &[u8], kinds: &[Kind]) -> Vec<CString> {
    let added = variables(shell, kinds, |name| env::var_os(name), geteuid().is_root());
    let is_replaced = |name: &OsStr| added.iter().any(|(added, _)| name == *added);
    let inherited = env::vars_os().filter(|(name, _)| !is_replaced(name));
    let added = added
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()));
    let assignment = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        c_string(name)
    };
    inherited.chain(added).map(assignment).collect()
}

/// Returns the variables to set. `get` returns variables of the present environment.
fn variables(
    shell: &[u8],
    kinds: &[Kind],
    get: impl Fn(&str) -> Option<OsString>,
    is_root: bool,
) -> Vec<(&'static str, OsString)> {
    if kinds.is_empty() {
        return Vec::new();
    }
    // The shell may be started by one that nsproxy started.
    let before = get(NAMESPACES).unwrap_or_default();
    let before = before.to_string_lossy();
    let is_named =
        |kind: &Kind| kinds.contains(kind) || before.split(' ').any(|name| name == kind.name());
    let names: Vec<_> = Kind::ALL
        .into_iter()
        .filter(is_named)
        .map(Kind::name)
        .collect();
    let names = names.join(" ");
    let mut variables = vec![(NAMESPACES, names.clone().into())];
    let shell = Path::new(OsStr::from_bytes(shell)).file_name();
    if SHELLS.iter().any(|known| shell == Some(known.as_ref())) {
        let prompt = get(PROMPT).filter(|prompt| !prompt.is_empty());
        let prompt = prompt.unwrap_or_else(|| if is_root { "# " } else { "$ " }.into());
        let old = bracketed(&before);
        let prompt = prompt.as_bytes();
        let prompt = prompt.strip_prefix(old.as_bytes()).unwrap_or(prompt);
        let prompt = [bracketed(&names).as_bytes(), prompt].concat();
        variables.push((PROMPT, OsString::from_vec(prompt)));
    }
    variables
}

/// Returns the part of the prompt that names the namespaces.
fn bracketed(names: &str) -> String {
    format!("[{names}] ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the variables that are set in an environment with the given ones.
    fn set(shell: &str, kinds: &[Kind], given: &[(&str, &str)], is_root: bool) -> Vec<String> {
        let get = |name: &str| {
            let (_, value) = given.iter().find(|(given, _)| *given == name)?;
            Some(OsString::from(value))
        };
        variables(shell.as_bytes(), kinds, get, is_root)
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.display()))
            .collect()
    }

    #[test]
    fn the_prompt_names_the_kinds_in_the_order_of_install() {
        let kinds = [Kind::Net, Kind::Uts];
        let expected = |prompt: &str| {
            let namespaces = "NSPROXY_NAMESPACES=uts net";
            vec![namespaces.to_owned(), format!("PS1=[uts net] {prompt}")]
        };
        assert_eq!(set("/bin/sh", &kinds, &[], true), expected("# "));
        assert_eq!(set("dash", &kinds, &[], false), expected("$ "));
        let given = [("PS1", r"\w \$ ")];
        assert_eq!(set("/bin/bash", &kinds, &given, true), expected(r"\w \$ "));
    }

    #[test]
    fn other_shells_only_get_the_names() {
        let variables = set("/usr/bin/fish", &[Kind::Net], &[("PS1", "> ")], false);
        assert_eq!(variables, ["NSPROXY_NAMESPACES=net"]);
    }

    #[test]
    fn a_shell_in_a_shell_has_one_list() {
        let given = [("NSPROXY_NAMESPACES", "net"), ("PS1", "[net] % ")];
        let expected = ["NSPROXY_NAMESPACES=user net", "PS1=[user net] % "];
        assert_eq!(set("sh", &[Kind::User, Kind::Net], &given, true), expected);
    }

    #[test]
    fn nothing_changes_in_the_namespaces_of_the_caller() {
        assert!(set("sh", &[], &[], true).is_empty());
    }
}
