//! The words that rules may use: variables, roles and functions, by the names of the domain tables.
//!
//! One place says what exists. `sight` gives bill-scope words their value, `judge` those of keyed rules. A word that a scope
//! does not know has no value there, so a rule that uses it is skipped; the test `rules_use_only_words_of_their_scope` in
//! `compile` finds such a slip.
//!
//! `values` has what stands for one value, `windows` the functions of windows, `past` those of a fact and its bill, `lookups` those of
//! reference data, other days and peers.

use crate::{
    fact::{FIELD_NAMES, FIELDS, Field},
    ids::Code,
};

use super::number::Number;

/// Words of one kind: an enumeration with the text of each, and how many arguments it takes.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal $(/ $arity:expr)?,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// As written in rules.
            pub const fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The word of a text.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.text() == text)
            }
        }

        words!(@arity $name $($variant $($arity)?,)*);
    };
    (@arity $name:ident $($variant:ident $arity:expr,)+) => {
        impl $name {
            /// How many arguments it takes (least, most), not counting a window's name or behaviours.
            pub const fn arity(self) -> (usize, usize) {
                match self { $($name::$variant => $arity,)* }
            }
        }
    };
    (@arity $name:ident $($variant:ident,)+) => {};
}

mod lookups;
mod past;
mod values;
mod windows;

pub use self::{
    lookups::{Lookup, Peer, Series, Step},
    past::History,
    values::{Derived, Pure, Role},
    windows::Window,
};

/// A name of an expression that stands for one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variable {
    /// A raw field of the fact.
    Field(Field),
    /// A derived value.
    Derived(Derived),
    /// A party.
    Party(Role),
    /// Master or financial data of a party: `drawer.reg_date`, `key.total_assets_fen`.
    Attribute(Role, Field),
}

impl Variable {
    /// The variable of a name; derived names win over raw fields of the same name.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(derived) = Derived::parse(text) {
            return Some(Variable::Derived(derived));
        }
        if let Some(role) = Role::parse(text) {
            return Some(Variable::Party(role));
        }
        if let Some((role, field)) = text.split_once('.') {
            return Some(Variable::Attribute(Role::parse(role)?, field_named(field)?));
        }
        field_named(text).map(Variable::Field)
    }
}

pub(super) fn field_named(name: &str) -> Option<Field> {
    FIELD_NAMES.iter().position(|known| *known == name).map(|at| FIELDS[at])
}

/// A code as a number of an expression: its bytes, which are ASCII and at most 16, so the number is never negative.
pub fn code_number(code: &Code) -> Number {
    Number::whole(code.number() as i128)
}

/// The code of a number: the inverse of [`code_number`].
pub fn code_of_number(number: Number) -> Option<Code> {
    let bytes = u128::try_from(number.as_whole()?).ok()?.to_be_bytes();
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    if length == 0 || bytes[length..].iter().any(|byte| *byte != 0) { None } else { Code::from_bytes(&bytes[..length]) }
}

/// A short text as a number, as [`code_number`]; what is not ASCII serves `mentions` only.
pub fn text_number(text: &str) -> Number {
    let mut bytes = [0u8; 16];
    let length = text.len().min(16);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    Number::whole(i128::from_be_bytes(bytes))
}

/// The text of a [`text_number`].
pub fn number_text(number: Number) -> Option<String> {
    let bytes = number.as_whole()?.to_be_bytes();
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8(bytes[..length].to_vec()).ok()
}
