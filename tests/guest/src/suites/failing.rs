// SPDX-License-Identifier: GPL-2.0-only

//! Tests that fail on purpose, in all possible ways, for the tests of the runner's reports. The last
//! one hangs.

use crate::{
    case::fixtures::Fixtures,
    report::ktap::{Skip, Test},
};
use anyhow::{Error, Result, bail};
use std::{thread, time::Duration};

/// More than a report shows.
const MANY: usize = 200;

pub(super) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("passes", |_| Ok(())),
        Test::new("fails alone", |_| bail!("the reason of the lone one")),
        Test::new("passes, with words", |_| {
            println!("# words of one that passes");
            Ok(())
        }),
        Test::skipped("is skipped", "this cannot be tried"),
        Test::new("fails, with words", |_| {
            println!("# words of one that fails");
            bail!("the reason of the first in a row")
        }),
        Test::new("fails, with many lines", many_lines),
        Test::new("fails without a reason", |_| Err(Error::msg(""))),
    ];
    tests.extend((1..=MANY).map(|n| {
        let name = format!("fails as one of many: {n}");
        Test::new(name, move |_| bail!("the reason of {n}"))
    }));
    tests.push(Test::new("hangs", |_| {
        loop {
            thread::sleep(Duration::from_secs(1000));
        }
    }));
    tests.push(Test::new("comes after", |_| Err(Skip::because("nothing does"))).of_suite());
    tests
}

fn many_lines(_: &mut Fixtures) -> Result<()> {
    let lines: Vec<_> = (1..=39).map(|n| format!("line {n}")).collect();
    bail!(lines.join("\n"))
}
