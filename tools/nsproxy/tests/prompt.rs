// SPDX-License-Identifier: GPL-2.0-only

//! The environment of the shell that nsproxy runs without a command. `env` takes the place of the shell.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::PathBuf,
    process::{self, Command, Output},
};

/// A directory with `env` under the name of a shell.
struct Shell(PathBuf);

impl Shell {
    /// Creates the directory, for the test of that name.
    fn new(test: &str, name: &str) -> Self {
        let directory = env::temp_dir().join(format!("nsproxy-prompt-{}-{test}", process::id()));
        fs::create_dir(&directory).unwrap();
        let program = directory.join(name);
        symlink("/usr/bin/env", &program).unwrap();
        Self(program)
    }

    /// Runs it in a new user namespace, with these words after the options.
    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_nsproxy"))
            .args(["unshare", "--via", "syscall", "-r"])
            .args(words)
            .env_remove("NSPROXY_NAMESPACES")
            .env("PS1", "> ")
            .env("SHELL", &self.0)
            .output()
            .unwrap()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

/// Returns the variables about the prompt in the output; [`None`] if this user may not create user
/// namespaces.
fn variables(output: &Output) -> Option<Vec<String>> {
    if !output.status.success() {
        eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let is_about = |line: &&str| line.starts_with("PS1=") || line.starts_with("NSPROXY_");
    let mut lines: Vec<_> = text.lines().filter(is_about).map(str::to_owned).collect();
    lines.sort();
    Some(lines)
}

#[test]
fn the_prompt_of_a_shell_names_its_namespaces() {
    let shell = Shell::new("names", "sh");
    if let Some(variables) = variables(&shell.run(&["-u"])) {
        assert_eq!(
            variables,
            ["NSPROXY_NAMESPACES=user uts", "PS1=[user uts] > "]
        );
    }
}

#[test]
fn other_shells_keep_their_prompt() {
    let shell = Shell::new("other", "fish");
    if let Some(variables) = variables(&shell.run(&[])) {
        assert_eq!(variables, ["NSPROXY_NAMESPACES=user", "PS1=> "]);
    }
}

#[test]
fn the_environment_of_a_command_is_that_of_the_caller() {
    let shell = Shell::new("command", "sh");
    if let Some(variables) = variables(&shell.run(&["env"])) {
        assert_eq!(variables, ["PS1=> "]);
    }
}
