//! Decoding of lists, one row at a time.

use std::io::Read;
use std::ops::ControlFlow;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde_json::{Error, Result};

use crate::nomad::Body;

/// Number of bytes read before rows are decoded.
const READ_BYTES: usize = 64 << 10;
/// Maximum size of a row. Real rows have some kilobytes. The buffer does not grow beyond twice this size.
const MAX_ROW_BYTES: usize = 16 << 20;

/// Passes every row of a JSON list to `row` while the list is being read. A `null` list has no rows, and
/// `null` rows are skipped. Returns the number of rows.
///
/// serde_json decodes from memory two to three times as fast as from a reader, which it reads byte by byte.
/// Therefore rows are decoded from a buffer of about 64 KiB, or of one row if that is longer. An incomplete
/// row at the end of the buffer is decoded again once the rest has arrived.
pub fn each_row<T: DeserializeOwned>(list: impl Read, mut row: impl FnMut(T)) -> Result<u64> {
    let mut list = Buffer { list, bytes: Vec::with_capacity(2 * READ_BYTES), at: 0, ended: false };
    if list.next_byte()? != Some(b'[') {
        return list.without_rows().map(|()| 0);
    }
    list.at += 1;
    let (mut count, mut position) = (0, 0_u64);
    if list.next_byte()? == Some(b']') {
        return list.end().map(|()| count);
    }
    loop {
        position += 1;
        let value = list.value().map_err(|error| Error::custom(format_args!("row {position}: {error}")))?;
        if let Some(value) = value {
            row(value);
            count += 1;
        }
        match list.next_byte()? {
            Some(b',') => list.at += 1,
            Some(b']') => return list.end().map(|()| count),
            Some(_) => {
                return Err(Error::custom(format_args!("no comma or end of list after row {position}")));
            }
            None => {
                return Err(Error::custom(format_args!("the list ends unexpectedly after row {position}")));
            }
        }
    }
}

/// Returns a decoder for [`Client::fetch`](crate::nomad::Client::fetch) that folds a list and counts its
/// rows.
pub fn fold_rows<R: DeserializeOwned, F>(
    mut fold: F,
    add: impl Fn(&mut F, R),
) -> impl FnOnce(Body) -> Result<(F, u64)> {
    move |body| {
        let rows = each_row(body, |row: R| add(&mut fold, row))?;
        Ok((fold, rows))
    }
}

/// A buffer that moves along a list.
struct Buffer<R> {
    list: R,
    bytes: Vec<u8>,
    /// Position of the next token.
    at: usize,
    ended: bool,
}

impl<R: Read> Buffer<R> {
    /// Returns the next byte that is not white space without consuming it, or `None` at the end.
    fn next_byte(&mut self) -> Result<Option<u8>> {
        loop {
            let rest = &self.bytes[self.at..];
            if let Some(offset) = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
                self.at += offset;
                return Ok(Some(self.bytes[self.at]));
            }
            self.at = self.bytes.len();
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Decodes and consumes the next value.
    fn value<T: DeserializeOwned>(&mut self) -> Result<T> {
        loop {
            match self.try_value()? {
                ControlFlow::Break(value) => return Ok(value),
                ControlFlow::Continue(()) => self.fill()?,
            }
        }
    }

    /// Decodes the next value if it is complete.
    fn try_value<T: DeserializeOwned>(&mut self) -> Result<ControlFlow<T>> {
        let rest = &self.bytes[self.at..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
        match values.next() {
            // A number at the end of the buffer may continue.
            Some(Ok(_)) if values.byte_offset() == rest.len() && !self.ended => Ok(ControlFlow::Continue(())),
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(ControlFlow::Break(value))
            }
            Some(Err(error)) if error.is_eof() && !self.ended => Ok(ControlFlow::Continue(())),
            Some(Err(error)) => Err(error),
            None if self.ended => Err(Error::custom("the list ends unexpectedly")),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Drops consumed bytes, and reads as many as are left, so that a long row is not decoded again after
    /// every read.
    fn fill(&mut self) -> Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        if self.bytes.len() > MAX_ROW_BYTES {
            return Err(Error::custom(format_args!("longer than {} MiB", MAX_ROW_BYTES >> 20)));
        }
        let more = self.bytes.len().max(READ_BYTES) as u64;
        let read = self.list.by_ref().take(more).read_to_end(&mut self.bytes).map_err(Error::io)?;
        self.ended = (read as u64) < more;
        Ok(())
    }

    /// Accepts `null` instead of a list.
    fn without_rows(&mut self) -> Result<()> {
        self.value::<Option<Vec<IgnoredAny>>>()?;
        self.end()
    }

    /// Checks that nothing follows the list.
    fn end(&mut self) -> Result<()> {
        self.at += usize::from(self.bytes.get(self.at) == Some(&b']'));
        match self.next_byte()? {
            None => Ok(()),
            Some(_) => Err(Error::custom("trailing characters after the list")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns a limited number of bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn rows(text: &str) -> Result<Vec<u32>> {
        let mut rows = Vec::new();
        let count = each_row(text.as_bytes(), |row: u32| rows.push(row))?;
        assert_eq!(count, rows.len() as u64);
        Ok(rows)
    }

    #[test]
    fn lists_null_lists_and_null_rows_are_read() {
        assert_eq!(rows(" [1, null ,2]\n").unwrap(), [1, 2]);
        assert_eq!(rows("[]").unwrap(), [0_u32; 0]);
        assert_eq!(rows("null").unwrap(), [0_u32; 0]);
    }

    #[test]
    fn anything_but_a_list_is_rejected() {
        for (text, told) in [
            ("{}", "expected a sequence"),
            ("", "ends unexpectedly"),
            ("<html>", "expected value"),
            ("null null", "trailing characters"),
            ("[1, 2", "ends unexpectedly after row 2"),
            ("[1, ", "row 2: the list ends unexpectedly"),
            ("[1 2]", "no comma or end of list after row 1"),
            ("[1,]", "row 2: expected value"),
            ("[1] 2", "trailing characters"),
            ("[1]]", "trailing characters"),
            ("[1,\x0c2]", "row 2: expected value"),
            ("[1, \"two\"]", "row 2: invalid type"),
        ] {
            let error = rows(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn an_endless_row_is_rejected() {
        let endless = b"[\"".chain(std::io::repeat(b'a'));
        let error = each_row(endless, |_: IgnoredAny| {}).unwrap_err().to_string();
        assert!(error.contains("row 1: longer than 16 MiB"), "{error}");
    }

    #[test]
    fn rows_may_be_longer_than_a_read_and_end_anywhere() {
        let long: Vec<String> = [10, 300_000, 5, 65_536, 65_533, 200].map(|length| "x".repeat(length)).into();
        let text = serde_json::to_string(&long).unwrap();
        for step in [4_093, 65_536, usize::MAX] {
            let mut rows = Vec::new();
            each_row(Dripping(text.as_bytes(), step), |row: String| rows.push(row)).unwrap();
            assert!(rows == long, "{step} bytes at a time");
        }
        let numbers: Vec<u32> = (0..50_000).map(|number| number * 7_919).collect();
        assert_eq!(rows(&serde_json::to_string(&numbers).unwrap()).unwrap(), numbers);
    }
}
