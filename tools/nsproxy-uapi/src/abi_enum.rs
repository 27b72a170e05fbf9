// SPDX-License-Identifier: GPL-2.0-only

//! A macro for enums of the ABI: one table with the number and the name of each variant.

/// Defines an enum whose variants have a number in `src/uapi/nsproxy_rs.h` and a stable name.
macro_rules! abi_enum {
    (
        $(#[$enum_doc:meta])*
        $enum:ident;
        $($(#[$doc:meta])* $variant:ident = $number:ident, $name:literal;)*
    ) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum $enum {
            $($(#[$doc])* $variant = $crate::sys::$number,)*
        }

        impl $enum {
            /// All variants, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the number in the ABI.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// Returns the name for reports and JSON. Names are stable.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the variant with a number, if there is one.
            pub fn of(number: u32) -> Option<Self> {
                let mut all = Self::ALL.iter().copied();
                all.find(|variant| variant.number() == number)
            }
        }
    };
}
pub(crate) use abi_enum;

#[cfg(test)]
mod tests {
    use crate::{Reason, Step};

    macro_rules! test_numbers {
        ($enum:ident, $last:expr, without: $retired:expr) => {
            let retired: &[u32] = $retired;
            let numbers = $enum::ALL.iter().map(|variant| variant.number());
            let published = (1..=$last).filter(|number| !retired.contains(number));
            assert!(numbers.eq(published), "{:?}", $enum::ALL);
            for variant in $enum::ALL {
                assert_eq!($enum::of(variant.number()), Some(*variant));
            }
            assert_eq!(($enum::of(0), $enum::of($last + 1)), (None, None));
        };
    }

    #[test]
    fn reasons_have_their_published_numbers() {
        // 28 was `UNEXPLAINED`; it is not reused.
        test_numbers!(Reason, 49, without: &[28]);
    }

    #[test]
    fn steps_have_their_published_numbers() {
        test_numbers!(Step, 26, without: &[]);
    }
}
