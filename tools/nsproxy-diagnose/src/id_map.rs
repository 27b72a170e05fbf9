// SPDX-License-Identifier: GPL-2.0-only

//! The map of the ids of a user namespace: `/proc/PID/uid_map` and `gid_map`.

/// A range of consecutive ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// The first id in the user namespace.
    inside: u32,
    /// The same id as seen by the process that has opened the file.
    outside: u32,
    count: u32,
}

/// A map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdMap(Vec<Range>);

impl IdMap {
    /// Parses the file. Rows that are not three numbers are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let range = |row: &str| {
            let numbers: Result<Vec<u32>, _> = row.split_whitespace().map(str::parse).collect();
            let &[inside, outside, count] = numbers.ok()?.as_slice() else {
                return None;
            };
            Some(Range {
                inside,
                outside,
                count,
            })
        };
        Self(text.lines().filter_map(range).collect())
    }

    /// Returns whether an id of the user namespace is mapped.
    pub(crate) fn has(&self, id: u32) -> bool {
        let mut ranges = self.0.iter();
        ranges.any(|range| {
            id.checked_sub(range.inside)
                .is_some_and(|at| at < range.count)
        })
    }

    /// Returns the id in the user namespace of an id that the reader of the file sees.
    pub(crate) fn inside(&self, id: u32) -> Option<u32> {
        self.0.iter().find_map(|range| {
            let at = id.checked_sub(range.outside)?;
            (at < range.count).then(|| range.inside.checked_add(at))?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_the_ids_of_its_ranges() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        let map = IdMap::parse(map);
        assert!(map.has(0) && map.has(65536) && !map.has(65537));
        assert_eq!(map.inside(1000), Some(0));
        assert_eq!(map.inside(100_005), Some(6));
        for other in [0, 999, 1001, 165_536] {
            assert_eq!(map.inside(other), None, "{other}");
        }
        for none in ["", "0 1\n", "a b c\n"] {
            assert!(!IdMap::parse(none).has(0), "{none}");
        }
        // That of the initial user namespace.
        assert!(IdMap::parse("0 0 4294967295\n").has(u32::MAX - 1));
    }
}
