// SPDX-License-Identifier: GPL-2.0-only

//! The command line, which the scripts of `make` use.

use crate::suite::Suite;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use nsproxy_results::Shard;
use std::{
    fmt::{self, Display, Formatter},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

/// Boot guests with nsproxy_rs, and classify their results.
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
    /// The exit status is the highest of the suites:
    ///
    ///   0  all tests passed
    ///   1  a test failed
    ///   2  usage error, or no such test
    ///   3  something is missing on the host
    /// 124  a guest timed out or hung
    /// 125  a guest panicked or warned, or a sanitizer reported
    /// 128  a guest exited without a verdict
    ///
    /// Example: nsproxy-vm run --jobs 2 ... kinds races@4
    #[command(verbatim_doc_comment)]
    Run(RunArgs),
    /// Open a shell in a guest, with the module loaded.
    ///
    /// In the guest, `save FILE...` saves files on the host.
    Shell(ShellArgs),
    /// Print the accelerator (kvm or tcg) and clock parameters.
    Accel(GuestArgs),
    /// Count the instructions of calls by function.
    Profile(ProfileArgs),
    /// Write pages about the results of all runs.
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
    /// Run the test NAME, or else tests with NAME in theirs
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
    /// Read results from DIR/KERNEL/SUITE
    #[arg(long, value_name = "DIR", default_value = "build/results")]
    pub(crate) results: PathBuf,
    /// Write the pages to DIR
    #[arg(long, value_name = "DIR", default_value = "build/results")]
    pub(crate) out: PathBuf,
}

/// The parts of a guest.
#[derive(ClapArgs)]
pub(crate) struct GuestArgs {
    /// The kernel's name in results
    #[arg(long, value_name = "NAME", default_value = "lab", value_parser = file_name)]
    pub(crate) kernel_name: String,
    /// The build directory of the kernel
    #[arg(long, value_name = "DIR")]
    pub(crate) kernel_dir: PathBuf,
    /// The value of KERNEL= for make [default: the name]
    #[arg(long, value_name = "KERNEL")]
    pub(crate) make_kernel: Option<String>,
    /// Add kernel parameters
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) append: String,
    /// The file nsproxy_rs.ko for that kernel. Without it, only
    /// suites that need no module run
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,
    /// The directory of nsproxy and nsproxy-tests
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: PathBuf,
    /// The directory of the same programs for this host, if the
    /// guest has another architecture
    #[arg(long, value_name = "DIR")]
    pub(crate) host_bin_dir: Option<PathBuf>,
    /// The directory of init and initramfs.list
    #[arg(long, value_name = "DIR", default_value = "qemu")]
    pub(crate) qemu_dir: PathBuf,
    /// A statically linked busybox
    #[arg(long, value_name = "FILE", default_value = "/bin/busybox")]
    pub(crate) busybox: PathBuf,
    /// Add the files of LIST to guests of these suites
    #[arg(long, value_name = "SUITE,...=LIST", value_parser = extra)]
    pub(crate) extra: Option<Extra>,
    /// Write logs and results to DIR/KERNEL/SUITE
    #[arg(long, value_name = "DIR", default_value = "build/results")]
    pub(crate) results: PathBuf,
    /// Accelerator of QEMU; auto probes KVM
    #[arg(long, env, value_enum, default_value_t = Accel::Auto, hide_env = true)]
    pub(crate) accel: Accel,
}

impl GuestArgs {
    /// Returns the directory of the programs that run on this host.
    pub(crate) fn host_bin_dir(&self) -> &Path {
        self.host_bin_dir.as_ref().unwrap_or(&self.bin_dir)
    }

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
            (
                "--append",
                Some(self.append.clone()).filter(|words| !words.is_empty()),
            ),
            ("--module", self.module.as_ref().and_then(path)),
            ("--bin-dir", path(&self.bin_dir)),
            ("--host-bin-dir", self.host_bin_dir.as_ref().and_then(path)),
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
    /// Save files of the guest in DIR [default: host in results]
    #[arg(long, value_name = "DIR")]
    pub(crate) save_dir: Option<PathBuf>,
    /// Run the shell command LINE instead of an interactive shell
    #[arg(long, value_name = "LINE", value_parser = shell_line)]
    pub(crate) command: Option<String>,
}

/// Additional files of some guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) suites: Vec<String>,
    /// A list in the format of initramfs.list.
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
    /// Print the calls with WORDS in their names
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
    /// Run N guests in parallel [default: by CPUs and memory]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Share the host with N - 1 other runners
    #[arg(
        long,
        value_name = "N",
        env = "NSPROXY_RUNNERS",
        hide_env = true,
        default_value = "1"
    )]
    pub(crate) runners: NonZeroUsize,
    /// Kill a guest after SECONDS [default: by kernel]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Kill a guest without progress for SECONDS
    /// [default: by kernel]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) silence: Option<Duration>,
    /// Run the test NAME, or else tests with NAME in theirs
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
    /// Write pages about all results to DIR
    #[arg(long, value_name = "DIR")]
    pub(crate) pages: Option<PathBuf>,
    /// Run the tests of the runner after the suites
    #[arg(long)]
    pub(crate) self_test: bool,
    /// Run the long form of suites that have one
    #[arg(long)]
    pub(crate) long: bool,
    /// Seed of random choices, to repeat an earlier run
    #[arg(long, value_name = "N", env, hide_env = true)]
    pub(crate) seed: Option<u64>,
    /// Run part I of N of the matrix [default: all]
    #[arg(long, value_name = "I/N", env, hide_env = true, value_parser = shard)]
    pub(crate) shard: Option<Shard>,
    /// Write the behaviour of the kernel in each case to
    /// record.json in its results
    #[arg(long)]
    pub(crate) record: bool,
    /// Compare each case with the record of another kernel
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// The intended differences from that kernel
    #[arg(long, value_name = "FILE", requires = "against")]
    pub(crate) changes: Option<PathBuf>,
    /// Stop each suite at the first failed test
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// The suites; SUITE@N runs in a guest with N CPUs
    #[arg(value_name = "SUITE", required = true)]
    pub(crate) suites: Vec<Suite>,
}

/// The accelerator of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accel {
    /// KVM if a guest boots with it, else emulation [ACCEL=].
    #[value(alias = "")]
    Auto,
    /// Hardware virtualization.
    Kvm,
    /// Emulation, which works on all hosts.
    Tcg,
    /// Like auto, but emulates each CPU in its own thread.
    // Only for suites during which the kernel does not patch its code.
    Parallel,
    /// Emulation in which the clock counts instructions.
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

/// Parses a name that becomes a file or directory, and must not lead to another directory. The name
/// of a suite is also a word of the guest's kernel command line.
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
    let (suites, list) = text.split_once('=').ok_or("expected SUITE,...=LIST")?;
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
