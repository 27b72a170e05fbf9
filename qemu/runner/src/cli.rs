// SPDX-License-Identifier: GPL-2.0-only

//! The command line. `make` types it.

use crate::suite::Suite;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use nsproxy_results::Shard;
use std::{
    fmt::{self, Display, Formatter},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

/// Boots guests with nsproxy_rs and judges what they did.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run suites, each in a guest of its own.
    ///
    /// The exit status is the worst of: 0 passed, 1 a test failed, 2 no such test, 3 something is
    /// missing on the host, 124 timed out or hung, 125 the guest panicked or warned, or a sanitizer
    /// reported, 128 the guest exited without a verdict.
    Run(RunArgs),
    /// Open a shell in a guest, with the module loaded.
    ///
    /// In the guest, `save FILE...` saves files on the host.
    Shell(ShellArgs),
    /// Print the accelerator for guests, kvm or tcg, and the kernel parameters for their clock
    Accel(GuestArgs),
    /// Say by function where the instructions of calls go.
    Profile(ProfileArgs),
    /// Write the pages that say what all runs came to.
    Pages(PagesArgs),
    /// Run suites on several kernels, and print a table.
    TestKernels(TestKernelsArgs),
    /// Run suites in this guest, one of virtme-ng.
    InGuest(InGuestArgs),
    /// Print the sum of the counts in the outputs of programs.
    ///
    /// The exit status is 1 if a test failed, or an output has no counts.
    Sum(SumArgs),
}

#[derive(ClapArgs)]
pub(crate) struct TestKernelsArgs {
    /// Read results from DIR/KERNEL/SUITE
    #[arg(long, value_name = "DIR", default_value = "build/results")]
    pub(crate) results: PathBuf,
    /// The script that builds a kernel and runs its guests
    #[arg(long, value_name = "FILE", default_value = "scripts/guest")]
    pub(crate) guest_script: PathBuf,
    /// The directory of nsproxy-tests
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: PathBuf,
    /// The kernels, separated by spaces
    #[arg(long, value_name = "NAMES", value_delimiter = ' ', required = true)]
    pub(crate) kernels: Vec<String>,
    /// The suites [default: all]
    #[arg(value_name = "SUITE")]
    pub(crate) suites: Vec<String>,
}

#[derive(ClapArgs)]
pub(crate) struct InGuestArgs {
    /// The file nsproxy_rs.ko for this kernel
    #[arg(long, value_name = "FILE")]
    pub(crate) module: PathBuf,
    /// The directory of nsproxy and nsproxy-tests
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: PathBuf,
    /// Run the test NAME, or else all tests with NAME in theirs
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) test: String,
    /// The suites
    #[arg(value_name = "SUITE", required = true)]
    pub(crate) suites: Vec<String>,
}

#[derive(ClapArgs)]
pub(crate) struct SumArgs {
    /// The outputs: the last line with counts of each is added
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct PagesArgs {
    /// Where logs and verdicts are kept, in KERNEL/SUITE
    #[arg(long, value_name = "DIR", default_value = "build/results")]
    pub(crate) results: PathBuf,
    /// Where the pages go
    #[arg(long, value_name = "DIR", default_value = "docs")]
    pub(crate) out: PathBuf,
}

/// What a guest is made of.
#[derive(ClapArgs)]
pub(crate) struct GuestArgs {
    /// What the kernel is called
    #[arg(long, value_name = "NAME", default_value = "lab", value_parser = file_name)]
    pub(crate) kernel_name: String,
    /// Where the kernel was built
    #[arg(long, value_name = "DIR")]
    pub(crate) kernel_dir: PathBuf,
    /// KERNEL= as `make` was called with it [default: the name]
    #[arg(long, value_name = "KERNEL")]
    pub(crate) make_kernel: Option<String>,
    /// nsproxy_rs.ko, built for that kernel
    #[arg(long, value_name = "FILE")]
    pub(crate) module: PathBuf,
    /// Where nsproxy and nsproxy-tests are
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: PathBuf,
    /// Where init and initramfs.list are
    #[arg(long, value_name = "DIR", default_value = "qemu")]
    pub(crate) qemu_dir: PathBuf,
    /// A busybox that is linked statically
    #[arg(long, value_name = "FILE", default_value = "/bin/busybox")]
    pub(crate) busybox: PathBuf,
    /// What the guests of some suites have besides, and a shell's: a list like initramfs.list
    #[arg(long, value_name = "SUITE,...=LIST", value_parser = extra)]
    pub(crate) extra: Option<Extra>,
    /// Where logs and verdicts are kept, in KERNEL/SUITE
    #[arg(long, value_name = "DIR", default_value = "build/results")]
    pub(crate) results: PathBuf,
    /// Virtual machine or emulation; auto finds out whether KVM works
    #[arg(long, env, value_enum, default_value_t = Accel::Auto, hide_env = true)]
    pub(crate) accel: Accel,
}

impl GuestArgs {
    /// Returns the arguments as words of a command line, except the directory of the results.
    pub(crate) fn words(&self) -> Vec<String> {
        let accel = self.accel.to_possible_value();
        let accel = accel.map(|value| value.get_name().to_owned());
        let extra = self.extra.as_ref();
        let path = |path: &PathBuf| Some(path.display().to_string());
        [
            ("--kernel-name", Some(self.kernel_name.clone())),
            ("--kernel-dir", path(&self.kernel_dir)),
            ("--make-kernel", self.make_kernel.clone()),
            ("--module", path(&self.module)),
            ("--bin-dir", path(&self.bin_dir)),
            ("--qemu-dir", path(&self.qemu_dir)),
            ("--busybox", path(&self.busybox)),
            ("--extra", extra.map(ToString::to_string)),
            ("--accel", accel),
        ]
        .into_iter()
        .filter_map(|(option, value)| Some([option.to_owned(), value?]))
        .flatten()
        .collect()
    }
}

#[derive(ClapArgs)]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Save the files of the guest in DIR
    #[arg(long, value_name = "DIR", default_value = "build/host")]
    pub(crate) save_dir: PathBuf,
    /// Run the shell command LINE instead of an interactive shell
    #[arg(long, value_name = "LINE", value_parser = shell_line)]
    pub(crate) command: Option<String>,
}

/// More than every guest has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) suites: Vec<String>,
    /// For `gen_init_cpio`.
    pub(crate) list: PathBuf,
}

impl Display for Extra {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.suites.join(","), self.list.display())
    }
}

#[derive(ClapArgs)]
pub(crate) struct ProfileArgs {
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Which calls are shown: those with this in their names, as `make bench` has them
    #[arg(
        long,
        value_name = "WORDS",
        env,
        hide_env = true,
        default_value = "device: net, nsfs"
    )]
    pub(crate) call: String,
}

#[derive(ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Guests at a time; as many as there are CPUs and memory for if it is not given
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// How many runners share the host, this one among them
    #[arg(
        long,
        value_name = "N",
        env = "NSPROXY_RUNNERS",
        hide_env = true,
        default_value = "1"
    )]
    pub(crate) runners: NonZeroUsize,
    /// How long a guest may take; depends on the kernel if it is not given
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// End a guest that shows no progress for this long [default: depends on the kernel]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) silence: Option<Duration>,
    /// Run the test NAME, or else all tests with NAME in theirs
    #[arg(
        long,
        value_name = "NAME",
        env,
        hide_env = true,
        default_value = "",
        value_parser = test_name
    )]
    pub(crate) test: String,
    /// Print the output of each suite while it runs
    #[arg(long)]
    pub(crate) show: bool,
    /// Run the tests of the runner after the suites
    #[arg(long)]
    pub(crate) self_test: bool,
    /// The long form of those suites that have one
    #[arg(long)]
    pub(crate) long: bool,
    /// Where what is random begins, to see again what an earlier run has seen
    #[arg(long, value_name = "N", env, hide_env = true)]
    pub(crate) seed: Option<u64>,
    /// Part I of N of the matrix, to run the others elsewhere
    #[arg(long, value_name = "I/N", env, hide_env = true, value_parser = shard)]
    pub(crate) shard: Option<Shard>,
    /// End each suite at the first test that fails
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// The suites, as `nsproxy-tests --list` names them; SUITE@N runs in a guest with N CPUs
    #[arg(value_name = "SUITE", required = true)]
    pub(crate) suites: Vec<Suite>,
}

/// How QEMU runs the guest's CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accel {
    /// KVM if a guest comes up with it; also if the environment says `ACCEL=`.
    #[value(alias = "")]
    Auto,
    /// The host's virtual machines.
    Kvm,
    /// Emulation, which works everywhere.
    Tcg,
    /// KVM if a guest comes up with it, or else emulation in which CPUs run beside each other,
    /// whatever the kernel: for a suite that has it change nothing about itself.
    Parallel,
    /// Emulation in which the guest's clock counts instructions, for guests with one CPU.
    Icount,
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

/// Parses a shard. An empty one, as in `SHARD=`, is the whole.
fn shard(text: &str) -> Result<Shard, &'static str> {
    match text {
        "" => Ok(Shard::default()),
        text => text.parse(),
    }
}

/// Parses the name of a test, or a part of one. It becomes a word of the guest's kernel command
/// line.
fn test_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c == ' ' || c.is_ascii_alphanumeric() || ":,./+-_=@%^".contains(c);
    if text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("the name of a test has letters, digits, spaces and any of `:,./+-_=@%^`")
    }
}

/// Names become directories below the results, and a suite's is emptied before it runs: so none may
/// lead elsewhere. A suite is also a word of the guest's kernel command line.
pub(crate) fn file_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a name is letters, digits and any of `-_.+`, a letter or digit first")
    }
}

/// Parses a command for the guest's shell. The guest reads it as one line.
fn shell_line(text: &str) -> Result<String, &'static str> {
    if text.contains('\n') {
        Err("a command is a single line")
    } else {
        Ok(text.to_owned())
    }
}

fn extra(text: &str) -> Result<Extra, &'static str> {
    let (suites, list) = text.split_once('=').ok_or("that is SUITE,...=LIST")?;
    Ok(Extra {
        suites: suites.split(',').map(file_name).collect::<Result<_, _>>()?,
        list: list.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(suite: &str, options: &[&str]) -> Result<Args, clap::Error> {
        let run = [
            "nsproxy-vm",
            "run",
            "--kernel-dir=k",
            "--module=m",
            "--bin-dir=b",
        ];
        Args::try_parse_from(run.iter().chain(options).chain([&suite]))
    }

    const GUEST_WORDS: &str = "--kernel-name lab --kernel-dir k --module m --bin-dir b \
        --qemu-dir qemu --busybox /bin/busybox --extra third-party,labs=/a=b --accel auto";

    #[test]
    fn no_name_leads_out_of_the_results() {
        for name in ["kinds", "setns-2011", "linux-7.3"] {
            assert!(parse(name, &[]).is_ok(), "{name}");
            assert!(parse("kinds", &["--kernel-name", name]).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "/etc", "../kinds", "a/b", "a b"] {
            assert!(parse(name, &[]).is_err(), "{name:?}");
            assert!(
                parse("kinds", &["--kernel-name", name]).is_err(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_shard_is_one_of_them() {
        for shard in ["", "1/1", "2/3", "3/3"] {
            assert!(parse("matrix", &["--shard", shard]).is_ok(), "{shard}");
        }
        for shard in ["0/3", "4/3", "1", "1/0", "/", "a/b"] {
            assert!(parse("matrix", &["--shard", shard]).is_err(), "{shard}");
        }
    }

    #[test]
    fn a_test_is_a_word_of_the_command_line() {
        for name in [
            "",
            "E4 pidfd, nstype -1: uts+net",
            "p0:unshare:net p1:setns",
        ] {
            assert!(parse("errno", &["--test", name]).is_ok(), "{name}");
        }
        for name in ["root's", "a~b", "a\tb", "\"a", "a;b", "é"] {
            assert!(parse("errno", &["--test", name]).is_err(), "{name}");
        }
    }

    #[test]
    fn an_extra_list_is_for_suites() {
        let options = ["--extra=third-party,labs=/a=b", "--accel=auto"];
        let args = parse("kinds", &options);
        let Ok(Command::Run(run)) = args.map(|args| args.command) else {
            panic!("--extra is refused");
        };
        let expected = Extra {
            suites: vec!["third-party".to_owned(), "labs".to_owned()],
            list: "/a=b".into(),
        };
        assert_eq!(run.guest.words().join(" "), GUEST_WORDS);
        assert_eq!(run.guest.extra, Some(expected));
        for extra in ["third-party", "=list", "../kinds=list", "labs,=list"] {
            assert!(parse("kinds", &["--extra", extra]).is_err(), "{extra}");
        }
    }

    #[test]
    fn no_accelerator_is_any() {
        let args = parse("kinds", &["--accel", ""]);
        let Ok(Command::Run(run)) = args.map(|args| args.command) else {
            panic!("an empty --accel is refused");
        };
        assert_eq!(run.guest.accel, Accel::Auto);
    }
}
