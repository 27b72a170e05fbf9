// SPDX-License-Identifier: GPL-2.0-only

//! `docs/performance.md`: what calls cost.

use super::{head, heading, results::Record, row, title, words};

/// What is compared with what: the part of a fact's name, what it says, and the two sides.
const PARTS: &[(&str, &str, [&str; 2])] = &[
    (
        "device",
        "The ioctl. To the cost of a setns(2) that fails is added what an ioctl costs: `ENOTTY` of \
         the same device less `getppid()`.",
        ["setns(2)", "`NSPROXY_SETNS`"],
    ),
    (
        "dry-run",
        "A dry run, which ends before the point of no return.",
        ["`NSPROXY_SETNS`", "`DRY_RUN`"],
    ),
    (
        "dry-run-journal",
        "A dry run with a journal of each step.",
        ["`NSPROXY_SETNS`", "`DRY_RUN`"],
    ),
    (
        "explain",
        "The call, explained.",
        ["`NSPROXY_SETNS`", "`NSPROXY_EXPLAIN`"],
    ),
    (
        "journal",
        "The call, with a journal of each step.",
        ["`NSPROXY_SETNS`", "`NSPROXY_EXPLAIN`"],
    ),
    (
        "served",
        "setns(2) by the module, with the redirect, which costs those who are not served as well.",
        ["not served", "served"],
    ),
];

/// The page; [`None`] if nothing was measured.
pub(super) fn page(records: &[Record]) -> Option<String> {
    let measured: Vec<_> = records
        .iter()
        .filter(|record| record.facts("bench.").next().is_some())
        .collect();
    let mut page = title(measured.first()?.summary.as_deref().unwrap_or("nothing"));
    page += "\nInstructions a call, in kernel and user space, in a guest whose clock counts them \
             (`-icount shift=0,sleep=off`, one CPU). They repeat. `make bench` writes this page.\n";
    for record in measured {
        for (part, what, [reference, subject]) in PARTS {
            let prefix = format!("bench.{part}.");
            let mut facts = record.facts(&prefix).peekable();
            if facts.peek().is_none() {
                continue;
            }
            heading(&mut page, &format!("{}, {part}", record.kernel));
            page += &format!("{what}\n\n");
            head(&mut page, &["", reference, subject, "ratio"]);
            for (work, figures) in facts {
                let mut cells = vec![words(work)];
                cells.extend(figures.split(' ').map(str::to_owned));
                row(
                    &mut page,
                    &cells.iter().map(String::as_str).collect::<Vec<_>>(),
                );
            }
        }
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::{super::record, *};

    #[test]
    fn what_was_not_measured_has_no_page() {
        assert_eq!(page(&[record("kinds", &[("matrix.cases", "7")])]), None);
    }

    #[test]
    fn parts_are_apart() {
        let facts = [
            ("bench.dry-run.net,_nsfs", "10.0 20.0 2.000"),
            ("bench.dry-run-journal.net,_nsfs", "10.0 30.0 3.000"),
        ];
        let mut bench = record("bench@1", &facts);
        bench.summary = Some("worst ratio: 1.04".to_owned());
        let page = page(&[bench]).unwrap();
        assert!(page.starts_with("worst ratio: 1.04\n"), "{page}");
        assert_eq!(
            page.matches("| net, nsfs | 10.0 | 20.0 | 2.000 |").count(),
            1
        );
        assert_eq!(page.matches("| net, nsfs |").count(), 2);
        assert!(!page.contains("served"));
    }
}
