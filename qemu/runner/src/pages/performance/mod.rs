// SPDX-License-Identifier: GPL-2.0-only

//! `performance.md`: the cost of calls.

mod plot;

use super::{Page, head, heading, origin, row, title, words};
use anyhow::Result;
use nsproxy_results::SuiteResult;
use plot::Plot;

/// The comparisons: the part of a fact's name, a description, and the two columns.
const PARTS: &[(&str, &str, [&str; 2])] = &[
    (
        "device",
        "The ioctl. The cost of an ioctl is added to that of a failing setns(2): an `ENOTTY` of \
         the same device, minus the cheapest system call.",
        ["setns(2)", "`NSPROXY_SETNS`"],
    ),
    (
        "unshare",
        "The ioctl, in a process that makes the call once and exits. Its exit releases the namespaces \
         and is not counted, except in the row with the release.",
        ["unshare(2)", "`NSPROXY_UNSHARE`"],
    ),
    (
        "dry-run",
        "A dry run, which returns before the point of no return.",
        ["`NSPROXY_SETNS`", "`DRY_RUN`"],
    ),
    (
        "dry-run-journal",
        "A dry run with a journal of each step.",
        ["`NSPROXY_SETNS`", "`DRY_RUN`"],
    ),
    (
        "explain",
        "The call with an explanation of its errno.",
        ["`NSPROXY_SETNS`", "`NSPROXY_EXPLAIN`"],
    ),
    (
        "journal",
        "The call with a journal of each step.",
        ["`NSPROXY_SETNS`", "`NSPROXY_EXPLAIN`"],
    ),
    (
        "served",
        "A process that is served. The entry of the redirect is counted: a served `unshare(0)` is \
         little else. For a process, the work of the module is the row less the fork; the other rows \
         of processes show that entry, and the list of served processes.",
        ["not served", "served"],
    ),
    (
        "not-served",
        "A process that is not served, while another process is.",
        ["no redirect", "redirect"],
    ),
];

/// Returns the page and its pictures, or nothing if nothing was measured.
pub(super) fn pages(records: &[SuiteResult]) -> Result<Vec<Page>> {
    let measured: Vec<_> = records
        .iter()
        .filter(|record| record.facts("bench.").next().is_some())
        .collect();
    let Some(first) = measured.first() else {
        return Ok(Vec::new());
    };
    let mut text = title(first.summary.as_deref().unwrap_or("no summary"));
    text += "\nInstructions per call, in kernel and user space, in a guest whose clock counts them \
             (`-icount shift=0,sleep=off`, one CPU). The counts are reproducible. The kernel copies \
             by words, because each byte of `rep movsb` counts as an instruction. The kernel \
             `speed` has `qemu/config/speed.config` on top of `qemu/config/lab.config`. \
             `make results` writes this page; `make profile` prints the instructions of a call \
             by function.\n";
    origin(&mut text, records);
    let mut pictures = Vec::new();
    for record in measured {
        compared(&mut text, record);
        module(&mut text, record);
        growth(&mut text, &mut pictures, record)?;
        scale(&mut text, &mut pictures, records, &record.kernel)?;
    }
    let mut pages = vec![Page::new("performance.md", text)];
    pages.append(&mut pictures);
    Ok(pages)
}

/// Writes the cost of the same work by two implementations or entries.
fn compared(text: &mut String, record: &SuiteResult) {
    for (part, what, [reference, subject]) in PARTS {
        let prefix = format!("bench.{part}.");
        let mut facts = record.facts(&prefix).peekable();
        if facts.peek().is_none() {
            continue;
        }
        heading(text, &format!("{}, {part}", record.kernel));
        *text += &format!("{what}\n\n");
        head(text, &["", reference, subject, "ratio"]);
        for (work, figures) in facts {
            let mut cells = vec![words(work)];
            cells.extend(figures.split(' ').map(str::to_owned));
            row(text, &cells.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}

/// Writes the cost of the module itself.
fn module(text: &mut String, record: &SuiteResult) {
    let fact = |name| record.number(name) as f64;
    if fact("module.memory") == 0.0 {
        return;
    }
    heading(text, &format!("{}, the module", record.kernel));
    *text += &format!(
        "Loads in {:.1} ms and unloads in {:.1} ms of the guest's clock, in which an instruction \
         takes a nanosecond. Uses {:.0} KiB of memory.\n",
        fact("module.load") / 1e6,
        fact("module.unload") / 1e6,
        fact("module.memory") / 1024.0,
    );
}

/// Writes the cost of a call by the number of namespaces and tasks.
fn growth(text: &mut String, pictures: &mut Vec<Page>, record: &SuiteResult) -> Result<()> {
    let mut lines = Vec::new();
    for what in ["namespaces", "tasks"] {
        let points = points(record, &format!("growth.{what}."));
        if points.is_empty() {
            continue;
        }
        if lines.is_empty() {
            heading(text, &format!("{}, growth", record.kernel));
            *text += "A call for a uts namespace by its nsfs file, with that many objects.\n";
        }
        *text += "\n";
        table(text, &[what, "setns(2)", "`NSPROXY_SETNS`"], &points);
        lines.extend(two_lines(&points, &format!("{what}, ")));
    }
    let plot = Plot {
        title: "Cost of a call by number of objects",
        x: "namespaces or tasks",
        y: "instructions per call",
        base: 10.0,
        lines,
    };
    show(text, pictures, &plot, &record.kernel, "growth")
}

/// Writes the throughput of concurrent callers, in the guests of a kernel.
fn scale(
    text: &mut String,
    pictures: &mut Vec<Page>,
    records: &[SuiteResult],
    kernel: &str,
) -> Result<()> {
    let mut lines = Vec::new();
    let guests = records.iter().filter(|record| record.kernel == kernel);
    // The picture is of the last guest, which has the most CPUs.
    for record in guests.filter(|record| record.facts("scale.").next().is_some()) {
        if lines.is_empty() {
            heading(text, &format!("{kernel}, concurrent callers"));
            *text += "Calls per second of all callers together. Each caller switches between two \
                      uts namespaces by nsfs files: two of its own, or two that all callers \
                      share. The time is wall-clock time of a host that was not idle.\n";
        }
        lines.clear();
        let cpus = record.suite.split_once('@').map_or("1", |(_, cpus)| cpus);
        for namespaces in ["separate", "shared"] {
            let points = points(record, &format!("scale.{namespaces}."));
            let callers = format!("{cpus} CPUs, callers in {namespaces} namespaces");
            *text += "\n";
            table(text, &[&callers, "setns(2)", "`NSPROXY_SETNS`"], &points);
            lines.extend(two_lines(&points, &format!("{namespaces}, ")));
        }
    }
    let plot = Plot {
        title: "Concurrent callers",
        x: "callers",
        y: "calls per second",
        base: 2.0,
        lines,
    };
    show(text, pictures, &plot, kernel, "scale")
}

/// A measurement: the number of objects or callers, and the values of setns(2) and the device.
type Point = (f64, [f64; 2]);

/// Returns the facts whose names are a prefix and a number, in the order of the numbers.
fn points(record: &SuiteResult, prefix: &str) -> Vec<Point> {
    let mut points: Vec<Point> = record
        .facts(prefix)
        .filter_map(|(n, figures)| {
            let (syscall, device) = figures.split_once(' ')?;
            let figures = [syscall.parse().ok()?, device.parse().ok()?];
            Some((n.parse().ok()?, figures))
        })
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

fn table(text: &mut String, of: &[&str], points: &[Point]) {
    head(text, of);
    for (n, [syscall, device]) in points {
        row(
            text,
            &[n, syscall, device]
                .map(f64::to_string)
                .each_ref()
                .map(String::as_str),
        );
    }
}

fn two_lines(points: &[Point], prefix: &str) -> [(String, Vec<(f64, f64)>); 2] {
    [(0, "setns(2)"), (1, "ioctl")].map(|(side, name)| {
        let points = points.iter().map(|(n, figures)| (*n, figures[side]));
        (format!("{prefix}{name}"), points.collect())
    })
}

/// Adds a picture to the page, unless it would be empty.
fn show(
    text: &mut String,
    pictures: &mut Vec<Page>,
    plot: &Plot<'_>,
    kernel: &str,
    name: &str,
) -> Result<()> {
    if plot.lines.is_empty() {
        return Ok(());
    }
    let file = format!("performance-{kernel}-{name}.svg");
    *text += &format!("\n![{}]({file})\n", plot.title);
    pictures.push(Page::new(file, plot.svg()?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::record, *};

    #[test]
    fn without_measurements_there_is_no_page() {
        let records = [record("kinds", &[("matrix.cases", "7")])];
        assert!(pages(&records).unwrap().is_empty());
    }

    #[test]
    fn prefixes_are_not_mixed_up() {
        let facts = [
            ("bench.dry-run.net,_nsfs", "10.0 20.0 2.000"),
            ("bench.dry-run-journal.net,_nsfs", "10.0 30.0 3.000"),
        ];
        let mut bench = record("bench@1", &facts);
        bench.summary = Some("worst ratio: 1.04".to_owned());
        let pages = pages(&[bench]).unwrap();
        let [
            Page {
                name,
                content: page,
            },
        ] = &pages[..]
        else {
            panic!("{} pages", pages.len());
        };
        assert_eq!(name, "performance.md");
        assert!(page.starts_with("worst ratio: 1.04\n"), "{page}");
        assert_eq!(
            page.matches("| net, nsfs | 10.0 | 20.0 | 2.000 |").count(),
            1
        );
        assert_eq!(page.matches("| net, nsfs |").count(), 2);
        assert!(!page.contains("served"));
    }
    #[test]
    fn figures_are_in_order_and_drawn() {
        let facts = [
            ("bench.device.net,_nsfs", "10.0 20.0 2.000"),
            ("growth.tasks.1000", "30.0 40.0"),
            ("growth.tasks.1", "10.0 20.0"),
            ("growth.tasks.50", "20.0 30.0"),
        ];
        let scale = [("scale.shared.1", "5 6"), ("scale.shared.2", "7 8")];
        let records = [record("bench@1", &facts), record("scale@2", &scale)];
        let pages = pages(&records).unwrap();
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "performance.md",
                "performance-lab-growth.svg",
                "performance-lab-scale.svg"
            ]
        );
        let page = &pages[0].content;
        let rows = "| 1 | 10 | 20 |\n| 50 | 20 | 30 |\n| 1000 | 30 | 40 |\n";
        assert!(page.contains(rows), "{page}");
        assert!(page.contains("](performance-lab-scale.svg)"), "{page}");
        let picture = &pages[1].content;
        assert_eq!(picture.matches("<circle").count(), 6, "{picture}");
        assert!(picture.contains("tasks, ioctl"), "{picture}");
    }
}
