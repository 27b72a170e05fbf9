// SPDX-License-Identifier: GPL-2.0-only

//! The addresses of functions.

use std::collections::BTreeMap;

/// Functions of the kernel and its modules, by their addresses.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    names: BTreeMap<u64, String>,
}

impl Symbols {
    /// Adds a symbol as the guest sends it: `ADDRESS NAME [MODULE]`. The first symbol at an address
    /// counts. Other lines are ignored.
    pub(super) fn add(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let (Some(address), Some(name)) = (words.next(), words.next()) else {
            return;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else {
            return;
        };
        self.names.entry(address).or_insert_with(|| {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            match words.next() {
                Some(module) => format!("{name} {module}"),
                None => name,
            }
        });
    }

    /// Returns the function of an instruction, and whether the instruction is its first one.
    pub(super) fn find(&self, pc: u64) -> (&str, bool) {
        self.names
            .range(..=pc)
            .next_back()
            .map_or(("?", false), |(at, name)| (name, *at == pc))
    }

    /// Returns the address of a function.
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        let mut all = self.names.iter();
        all.find_map(|(at, known)| (known == name).then_some(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_of_the_function_before_it() {
        let mut symbols = Symbols::default();
        symbols.add("ffffffff81000010 first");
        symbols.add("ffffffff81000010 alias");
        symbols.add("ffffffff81000020 second [module]");
        assert_eq!(symbols.find(0xffff_ffff_8100_0010), ("first", true));
        assert_eq!(symbols.find(0xffff_ffff_8100_001f), ("first", false));
        assert_eq!(
            symbols.find(0xffff_ffff_8100_0020),
            ("second [module]", true)
        );
        assert_eq!(symbols.find(0), ("?", false));
        assert_eq!(symbols.address("first"), Some(0xffff_ffff_8100_0010));
    }
}
