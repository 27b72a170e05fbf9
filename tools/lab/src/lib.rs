// SPDX-License-Identifier: GPL-2.0-only

//! The labs of `docs/labs`: their editions, their commands, and the grader of their puzzles. The binary
//! `lab` prints and grades them in the guest, and the suite `labs` tests them.

pub mod commands;
mod condition;
mod edition;
mod facts;
mod grade;
mod index;
mod lab;
mod process;
mod property;
mod puzzle;
mod question;
mod report;
mod summary;
mod value;

pub use facts::Facts;
pub use grade::{Grade, Missing, grade};
pub use index::table;
pub use lab::Lab;
pub use puzzle::Puzzle;
pub use question::Question;
pub use report::Report;
