// SPDX-License-Identifier: GPL-2.0-only

//! Enums whose variants have names.

/// Declares an enum with `ALL`, its variants in order, and `name()`, which `Display` prints as well.
macro_rules! named_enum {
    ($(#[$doc:meta])* enum $enum:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            pub(super) const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(super) use named_enum;
