// SPDX-License-Identifier: GPL-2.0-only

//! Writes the archive of a guest's files from a list: the format "newc" of cpio(5), which the kernel
//! unpacks.
//!
//! The lists have the syntax of the kernel's `usr/gen_init_cpio`: a line for each file, with its type,
//! its path, its source if it has one, and its mode, user and group.

use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::{self, Write},
};

/// A file of the archive.
#[derive(Debug, PartialEq, Eq)]
enum Entry<'a> {
    /// With the permissions.
    Directory(u32),
    /// A regular file: the permissions, and the path of its content on this host.
    File(u32, String),
    /// A symbolic link to a path in the guest.
    Link(&'a str),
    /// A character device: the permissions, and the numbers of the device.
    CharDevice(u32, u32, u32),
}

/// Writes the archive of the files in a list. Root owns all of them, and their times are those of the
/// epoch. `${NAME}` in the path of a content is `value(NAME)`.
///
/// # Errors
///
/// A line is wrong, a file cannot be read, or the archive cannot be written.
pub(crate) fn write(
    list: &str,
    value: impl Fn(&str) -> Option<String>,
    to: impl Write,
) -> Result<()> {
    let mut archive = Archive { to, inode: 0 };
    for line in list.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let add = || -> Result<_> {
            let (path, entry) = parse(line, &value)?;
            Ok((path, entry.attributes()?))
        };
        let (path, attributes) = add().with_context(|| format!("cannot add {line:?}"))?;
        archive.add(path, &attributes)?;
    }
    archive.end().context("cannot write the archive")
}

/// Parses a line of a list. Returns the path in the guest as well.
fn parse<'a>(
    line: &'a str,
    value: &impl Fn(&str) -> Option<String>,
) -> Result<(&'a str, Entry<'a>)> {
    let words: Vec<_> = line.split_whitespace().collect();
    let mode = |word| u32::from_str_radix(word, 8).with_context(|| format!("mode {word}"));
    let (path, entry) = match words[..] {
        ["dir", path, permissions, "0", "0"] => (path, Entry::Directory(mode(permissions)?)),
        ["file", path, source, permissions, "0", "0"] => (
            path,
            Entry::File(mode(permissions)?, expand(source, value)?),
        ),
        ["slink", path, target, _, "0", "0"] => (path, Entry::Link(target)),
        ["nod", path, permissions, "0", "0", "c", major, minor] => {
            let device = Entry::CharDevice(mode(permissions)?, major.parse()?, minor.parse()?);
            (path, device)
        }
        _ => bail!("unknown type, missing words, or an owner other than root"),
    };
    Ok((path.trim_start_matches('/'), entry))
}

/// Replaces each `${NAME}`.
fn expand(text: &str, value: &impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, (name, after))) = rest
        .split_once("${")
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        expanded += before;
        expanded += &value(name).with_context(|| format!("${{{name}}} is not set"))?;
        rest = after;
    }
    Ok(expanded + rest)
}

/// The part of a header that depends on the type of the file, and its content.
#[derive(Default)]
struct Attributes {
    /// `st_mode`
    mode: u32,
    links: u32,
    device: (u32, u32),
    content: Vec<u8>,
}

impl Entry<'_> {
    fn attributes(self) -> Result<Attributes> {
        let of = |file_type, permissions, links| Attributes {
            mode: file_type | permissions,
            links,
            ..Attributes::default()
        };
        Ok(match self {
            Self::Directory(permissions) => of(0o040_000, permissions, 2),
            Self::File(permissions, source) => Attributes {
                content: fs::read(&source).with_context(|| format!("cannot read {source}"))?,
                ..of(0o100_000, permissions, 1)
            },
            Self::Link(target) => Attributes {
                content: target.into(),
                ..of(0o120_000, 0o777, 1)
            },
            Self::CharDevice(permissions, major, minor) => Attributes {
                device: (major, minor),
                ..of(0o020_000, permissions, 1)
            },
        })
    }
}

struct Archive<W> {
    to: W,
    /// The number of the last file. Files with the same number would be links of one file.
    inode: u32,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, path: &str, attributes: &Attributes) -> Result<()> {
        let Attributes {
            mode,
            links,
            device: (major, minor),
            content,
        } = attributes;
        self.inode += 1;
        let size = u32::try_from(content.len()).with_context(|| format!("{path} is too large"))?;
        let (inode, name_size) = (self.inode, path.len() + 1);
        // Numbers of user and group, the time, the device of the file, and a checksum are 0.
        let header = format!(
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{links:08x}{0:08x}{size:08x}{0:08x}{0:08x}\
             {major:08x}{minor:08x}{name_size:08x}{0:08x}{path}\0",
            0
        );
        self.padded(header.as_bytes())?;
        self.padded(content)?;
        Ok(())
    }

    /// Writes bytes, and zeroes up to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.to.write_all(&[0; 3][..padding])
    }

    fn end(mut self) -> Result<()> {
        let end = Attributes {
            links: 1,
            ..Attributes::default()
        };
        self.add("TRAILER!!!", &end)?;
        Ok(self.to.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, process};

    fn archive(list: &str) -> Result<Vec<u8>> {
        let value = |name: &str| (name == "HERE").then(|| "/nowhere".to_owned());
        let mut archive = Vec::new();
        write(list, value, &mut archive)?;
        Ok(archive)
    }

    #[test]
    fn an_archive_as_cpio_reads_it() {
        let source = env::temp_dir().join(format!("nsproxy-cpio-{}", process::id()));
        fs::write(&source, "12345").unwrap();
        let list = format!(
            "# comment\n\ndir /bin 755 0 0\nfile /bin/a {} 644 0 0\n\
             slink /bin/sh busybox 777 0 0\nnod /dev/null 666 0 0 c 1 3\n",
            source.display()
        );
        let archive = archive(&list);
        fs::remove_file(&source).unwrap();
        let archive = String::from_utf8(archive.unwrap()).unwrap();
        let zero = "00000000";
        let expected = [
            &format!("070701{:08x}{:08x}{zero}{zero}{:08x}", 1, 0o40755, 2),
            &format!(
                "{zero}{zero}{zero}{zero}{zero}{zero}{:08x}{zero}bin\0\0\0",
                4
            ),
            &format!("070701{:08x}{:08x}{zero}{zero}{:08x}", 2, 0o100_644, 1),
            &format!("{zero}{:08x}{zero}{zero}{zero}{zero}{:08x}{zero}", 5, 6),
            "bin/a\x0012345\0\0\0",
            &format!("070701{:08x}{:08x}{zero}{zero}{:08x}", 3, 0o120_777, 1),
            &format!("{zero}{:08x}{zero}{zero}{zero}{zero}{:08x}{zero}", 7, 7),
            "bin/sh\0\0\0\0busybox\0",
            &format!("070701{:08x}{:08x}{zero}{zero}{:08x}", 4, 0o20_666, 1),
            &format!("{zero}{zero}{zero}{zero}{:08x}{:08x}{:08x}{zero}", 1, 3, 9),
            "dev/null\0\0",
            &format!("070701{:08x}{zero}{zero}{zero}{:08x}", 5, 1),
            &format!("{zero}{zero}{zero}{zero}{zero}{zero}{:08x}{zero}", 11),
            "TRAILER!!!\0\0\0\0",
        ];
        assert_eq!(archive, expected.concat());
    }

    #[test]
    fn wrong_lines_are_named() {
        for (line, why) in [
            ("dir /bin", "unknown type"),
            ("pipe /a 644 0 0", "unknown type"),
            ("dir /bin 755 1000 0", "an owner other than root"),
            ("dir /bin 799 0 0", "mode 799"),
            ("file /a ${HERE}/b 644 0 0", "cannot read /nowhere/b"),
            ("file /a ${THERE}/b 644 0 0", "${THERE} is not set"),
        ] {
            let error = format!("{:#}", archive(line).unwrap_err());
            assert!(error.contains(line), "{error}");
            assert!(error.contains(why), "{error}");
        }
    }
}
