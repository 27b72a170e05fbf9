// SPDX-License-Identifier: GPL-2.0-only

//! The file of a namespace on the command line: a path, or an id that stands for it.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
};

/// A file of nsfs, as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NsFile {
    Path(PathBuf),
    /// `id:N`: the id of a namespace, which `NS_GET_ID` and listns(2) report.
    Id(u64),
}

impl NsFile {
    /// Parses a path or `id:N`. A path that begins with `id:` needs `./` before it.
    ///
    /// # Errors
    ///
    /// The word begins with `id:`, and no number follows; with a hint.
    pub(crate) fn parse(word: &OsStr) -> Result<Self, String> {
        let Some(id) = word.to_str().and_then(|word| word.strip_prefix("id:")) else {
            return Ok(Self::Path(word.into()));
        };
        // from_str() accepts a sign.
        let digits = Some(id).filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        let id = digits.and_then(|id| id.parse().ok());
        id.map(Self::Id).ok_or_else(|| {
            let word = Path::new(word).display();
            format!("{word} is not the id of a namespace\n  hint: for a file, write ./{word}")
        })
    }

    /// Returns the word that [`parse`](Self::parse) accepts.
    pub(crate) fn display(&self) -> impl fmt::Display {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Id(id) => format!("id:{id}"),
        }
    }
}

impl From<&str> for NsFile {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for NsFile {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Result<NsFile, String> {
        NsFile::parse(OsStr::new(word))
    }

    #[test]
    fn ids_and_paths() {
        assert_eq!(parse("id:12"), Ok(NsFile::Id(12)));
        for path in ["/proc/1/ns/net", "./id:12", "id", "12"] {
            assert_eq!(parse(path), Ok(path.into()));
        }
        for word in ["id:12", "./id:12"] {
            assert_eq!(parse(word).unwrap().display().to_string(), word);
        }
    }

    #[test]
    fn other_words_after_the_prefix_are_refused() {
        for word in ["id:", "id:x", "id:-1", "id:+1", "id:18446744073709551616"] {
            let error = parse(word).unwrap_err();
            assert!(
                error.contains(&format!("hint: for a file, write ./{word}")),
                "{error}"
            );
        }
    }
}
