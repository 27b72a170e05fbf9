// SPDX-License-Identifier: GPL-2.0-only

//! The table of two calls, by function.

use super::{
    trace::{Call, Part},
    tracer::Side,
};
use std::fmt::Write as _;

/// Formats the table. The largest difference comes first.
pub(super) fn table(name: &str, reference: &Side, subject: &Side) -> String {
    let part = |call: &Call, function: &str| {
        let part = call.parts.iter().find(|part| part.function == function);
        part.map_or((0, 0), |part: &Part| (part.calls, part.instructions))
    };
    let mut functions: Vec<&str> = Vec::new();
    for side in [reference, subject] {
        for Part { function, .. } in &side.call.parts {
            if !functions.contains(&function.as_str()) {
                functions.push(function);
            }
        }
    }
    functions.sort_by_key(|function| {
        let most = [reference, subject].map(|side| part(&side.call, function).1);
        std::cmp::Reverse(most.into_iter().max())
    });

    let mut table = format!(
        "{name}\n{:>6} {:>12} {:>6} {:>16} {:>7}\n",
        "calls", reference.who, "calls", subject.who, "more"
    );
    let mut line = |calls: [&str; 2], costs: [u64; 2], function: &str| {
        let [before, after] = costs;
        let more = after as i64 - before as i64;
        let more = match more {
            0 => String::new(),
            more => format!("{more:+}"),
        };
        let _ = writeln!(
            table,
            "{:>6} {before:>12} {:>6} {after:>16} {more:>7}  {function}",
            calls[0], calls[1]
        );
    };
    for function in functions {
        let [before, after] = [reference, subject].map(|side| part(&side.call, function));
        line(
            [&before.0.to_string(), &after.0.to_string()],
            [before.1, after.1],
            function,
        );
    }
    line(
        ["", ""],
        [reference, subject].map(|side| side.call.instructions()),
        "in all",
    );
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_of_them_has() {
        let side = |who: &str, parts: &[(&str, u64)]| Side {
            who: who.to_owned(),
            call: Call {
                parts: parts
                    .iter()
                    .map(|(function, instructions)| Part {
                        function: (*function).to_owned(),
                        calls: 1,
                        instructions: *instructions,
                    })
                    .collect(),
            },
        };
        let table = table(
            "net, nsfs",
            &side("setns(2)", &[("entry", 40), ("validate_ns", 7)]),
            &side("NSPROXY_SETNS", &[("entry", 40), ("ioctl", 50)]),
        );
        let expected = "net, nsfs
 calls     setns(2)  calls    NSPROXY_SETNS    more
     0            0      1               50     +50  ioctl
     1           40      1               40          entry
     1            7      0                0      -7  validate_ns
                 47                      90     +43  in all
";
        assert_eq!(table, expected);
    }
}
