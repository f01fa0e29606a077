//! Lists, one row at a time.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};

/// Hands every row of a JSON list to `row`, holding one at a time. A `null` list has no rows, and a `null` row is
/// passed over. Returns how many rows there were.
pub fn each_row<'de, T, D, F>(json: D, row: F) -> Result<u64, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
    F: FnMut(T),
{
    Rows { row, kind: PhantomData::<T> }.deserialize(json)
}

struct Rows<T, F> {
    row: F,
    kind: PhantomData<T>,
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for Rows<T, F> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<u64, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for Rows<T, F> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or null")
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while let Some(row) = list.next_element::<Option<T>>()? {
            if let Some(row) = row {
                (self.row)(row);
                count += 1;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<u32>, serde_json::Error> {
        let mut rows = Vec::new();
        each_row(&mut serde_json::Deserializer::from_str(text), |row: u32| rows.push(row)).map(|_| rows)
    }

    #[test]
    fn lists_null_lists_and_null_rows_are_read() {
        assert_eq!(rows("[1, null, 2]").unwrap(), [1, 2]);
        assert_eq!(rows("[]").unwrap(), [0_u32; 0]);
        assert_eq!(rows("null").unwrap(), [0_u32; 0]);
        assert!(rows("{}").is_err());
        assert!(rows("[1, 2").is_err());
    }
}
