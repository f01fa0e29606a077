//! IDs that are usually UUIDs.

use std::fmt::{Display, Formatter, Result};

/// An ID of an allocation or node. Others than UUIDs in Nomad's format are kept as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uuid {
    /// A UUID.
    Bytes([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

impl From<&str> for Uuid {
    fn from(text: &str) -> Self {
        let number = u128::from_str_radix(&text.replace('-', ""), 16);
        let uuid = number.ok().map(|number| Self::Bytes(number.to_be_bytes()));
        uuid.filter(|uuid| uuid.to_string() == text).unwrap_or_else(|| Self::Text(text.into()))
    }
}

impl Display for Uuid {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let number = match self {
            Self::Bytes(bytes) => u128::from_be_bytes(*bytes),
            Self::Text(text) => return f.write_str(text),
        };
        let [first, second, third, fourth] =
            [96, 80, 64, 48].map(|bits| (number >> bits) & if bits == 96 { 0xffff_ffff } else { 0xffff });
        let last = number & 0xffff_ffff_ffff;
        write!(f, "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{last:012x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_returned_as_it_was() {
        for text in ["116a7537-1175-47e5-2790-5a1d00000000", "00000000-0000-0000-0000-00000000000a"] {
            let uuid = Uuid::from(text);
            assert!(matches!(uuid, Uuid::Bytes(_)), "{text}");
            assert_eq!(uuid.to_string(), text);
        }
        for text in [
            "",
            "a1",
            "116A7537-1175-47e5-2790-5a1d00000000",
            "116a7537117547e527905a1d00000000",
            "+16a7537-1175-47e5-2790-5a1d00000000",
            "116a7537-1175-47e5-2790-5a1d000000000",
        ] {
            let uuid = Uuid::from(text);
            assert!(matches!(uuid, Uuid::Text(_)), "{text}");
            assert_eq!(uuid.to_string(), text);
        }
    }

    #[test]
    fn uuids_have_the_order_of_their_text() {
        let [small, large] = ["0a6a7537-1175-47e5-2790-5a1d00000000", "a06a7537-1175-47e5-2790-5a1d00000000"];
        assert!(Uuid::from(small) < Uuid::from(large));
    }
}
