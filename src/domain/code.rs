//! Enums with a fixed number per value, which is stored in the database and in the tally's cells.

/// An enum whose values are stored as numbers.
pub trait Coded: Copy + 'static {
    /// The name of the enum, for errors.
    const NAME: &'static str;

    /// The stored number.
    fn code(self) -> i16;

    /// The value of a stored number; `None` if no value has it.
    fn from_code(code: i16) -> Option<Self>;
}

/// Declares an enum whose values each have a stored code and a name in the API.
///
/// Codes never change, since stored rows contain them; new values are added at the end.
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

            /// The name in the API.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::domain::code::Coded for $name {
            const NAME: &'static str = stringify!($name);

            fn code(self) -> i16 {
                self as i16
            }

            fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use coded;
