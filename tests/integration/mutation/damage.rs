//! Ways to damage a response.

use fastrand::Rng;
use serde_json::{Map, Value};

/// Damages a random value.
pub(crate) fn value(whole: &mut Value, keeps_types: bool, random: &mut Rng) {
    let goes_deeper = random.u8(..4) > 0;
    match whole {
        Value::Array(rows) if !rows.is_empty() => {
            let at = random.usize(..rows.len());
            match random.u8(..6) {
                0 if !goes_deeper => drop(rows.remove(at)),
                1 if !goes_deeper => rows.push(rows[at].clone()),
                2 if !goes_deeper => random.shuffle(rows),
                3 if !goes_deeper => rows[at] = Value::Null,
                _ => value(&mut rows[at], keeps_types, random),
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            let at = random.usize(..fields.len());
            let name = fields.keys().nth(at).cloned().unwrap_or_default();
            match random.u8(..5) {
                0 if !goes_deeper => drop(fields.remove(&name)),
                1 if !goes_deeper => drop(fields.insert(name, Value::Null)),
                2 if !goes_deeper => drop(fields.insert(odd_text(random), Value::from(random.i64(..)))),
                _ => value(fields.get_mut(&name).expect("it was listed"), keeps_types, random),
            }
        }
        leaf if keeps_types => replace(leaf, random),
        leaf => *leaf = any(random),
    }
}

/// Replaces a value by another of the same type.
fn replace(leaf: &mut Value, random: &mut Rng) {
    *leaf = match leaf {
        Value::String(_) => Value::from(odd_text(random)),
        Value::Number(number) if number.is_f64() => Value::from(random.f64() * 1e300 - 5e299),
        Value::Number(_) => Value::from([0, 1, random.i64(0..1 << 40), i64::MAX][random.usize(..4)]),
        Value::Bool(_) => Value::from(random.bool()),
        _ => Value::Null,
    }
}

/// Returns a value of any type.
fn any(random: &mut Rng) -> Value {
    match random.u8(..8) {
        0 => Value::Null,
        1 => Value::from(random.bool()),
        2 => Value::from(random.i64(..)),
        3 => Value::from(-1),
        4 => Value::from(u64::MAX),
        5 => Value::from(odd_text(random)),
        6 => Value::from(vec![Value::Null, Value::from(1)]),
        _ => Value::from(Map::from_iter([(odd_text(random), Value::from(1))])),
    }
}

/// Returns unusual text.
pub(crate) fn odd_text(random: &mut Rng) -> String {
    match random.u8(..32) {
        0 => "x".repeat(64 << 10),
        1..4 => String::new(),
        4..8 => "\"quoted\" \\ {le=\"1\"}".to_owned(),
        8..12 => "two\nlines\r\ttabbed\u{0}\u{7f}".to_owned(),
        12..16 => "\u{202e}right to left \u{1f980}".to_owned(),
        16..20 => "NaN".to_owned(),
        20..24 => "1e999".to_owned(),
        _ => format!("name-{}", random.u8(..4)),
    }
}

/// Damages the text of a response in a way that JSON values cannot represent.
pub(crate) fn text(text: &mut Vec<u8>, random: &mut Rng) {
    if text.is_empty() {
        return;
    }
    let at = random.usize(..text.len());
    match random.u8(..7) {
        0 => text.truncate(at),
        1 => text[at] = 0xff,
        2 => drop(text.drain(at..(at + random.usize(1..40)).min(text.len()))),
        3 => text.extend_from_slice(b"[{}]"),
        4 => duplicate_key(text, random),
        5 => {
            let depth = random.usize(10..400);
            insert_value(text, &format!("{}1{}", "[".repeat(depth), "]".repeat(depth)), random);
        }
        _ => {
            let odd = ["NaN", "1e999", "-0.0", "\"\\ud800\"", "0x10", "18446744073709551616", "'one'"];
            insert_value(text, odd[random.usize(..odd.len())], random);
        }
    }
}

/// Duplicates a field of some object.
fn duplicate_key(text: &mut Vec<u8>, random: &mut Rng) {
    let Some(at) = somewhere_behind(text, b"{\"", random) else { return };
    let length = text[at..].windows(2).position(|pair| pair == b"\":").unwrap_or_default();
    let again = [&text[at..at + length], b"\":null,\""].concat();
    text.splice(at..at, again);
}

/// Sets some field to this value, and keeps its own under another name.
fn insert_value(text: &mut Vec<u8>, value: &str, random: &mut Rng) {
    let Some(at) = somewhere_behind(text, b"\":", random) else { return };
    text.splice(at..at, format!("{value},\"moved\":").into_bytes());
}

/// Returns the end of a random occurrence.
fn somewhere_behind(text: &[u8], mark: &[u8], random: &mut Rng) -> Option<usize> {
    let places = text.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
    let places: Vec<usize> = places.map(|(at, _)| at + mark.len()).collect();
    (!places.is_empty()).then(|| places[random.usize(..places.len())])
}
