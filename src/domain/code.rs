//! Enums with a fixed number per value, which is what the database and the tally's cells store.

/// A word that is stored as a number.
pub trait Coded: Copy + 'static {
    /// The stored number.
    fn to_code(self) -> i16;
    /// The word of a stored number; `None` for a number that no word has.
    fn of_code(code: i16) -> Option<Self>;
}

/// Declares a closed set of words, each with its stored code and its name in the API.
///
/// Codes are forever: a value may be added at the end, never moved, since stored rows carry the code.
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal / $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant = $code,)+
        }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored number.
            pub const fn code(self) -> i16 {
                self as i16
            }

            /// The value of a stored number; `None` for a number that no value has.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name in the API.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::domain::code::Coded for $name {
            fn to_code(self) -> i16 {
                self.code()
            }

            fn of_code(code: i16) -> Option<Self> {
                Self::from_code(code)
            }
        }
    };
}

pub(crate) use coded;
