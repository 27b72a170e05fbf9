// SPDX-License-Identifier: GPL-2.0-only

//! Pages as files, which is what they are for.

use crate::{browser::Tab, page::page, samples};
use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page that is opened in trials.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    Several,
    AllKinds,
    Hostile,
}

impl Page {
    pub(crate) const ALL: [Self; 3] = [Self::Several, Self::AllKinds, Self::Hostile];

    /// Opens it, at a step if one is named: `call=0&step=1`.
    pub(crate) fn open(self, tab: &mut Tab<'_>, step: &str) -> Result<()> {
        let json = match self {
            Self::Several => samples::several(),
            Self::AllKinds => samples::all_kinds(),
            Self::Hostile => samples::hostile(),
        };
        let file = dir().join(format!("{self:?}.html").to_lowercase());
        fs::create_dir_all(dir())?;
        fs::write(&file, page(&json))?;
        let file = file.to_str().context("a path in UTF-8")?;
        tab.open(&format!("file://{file}#{step}"))
    }
}

/// Leaves a picture of what the tab shows.
pub(crate) fn picture(tab: &mut Tab<'_>, name: &str) -> Result<Vec<u8>> {
    let png = BASE64_STANDARD.decode(tab.screenshot()?)?;
    fs::write(dir().join(name), &png)?;
    Ok(png)
}

/// Where pages and pictures of them are left.
pub(crate) fn dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("page")
}
