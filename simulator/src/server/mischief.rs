//! Effects of faults on the lines of an event stream.

use bytes::Bytes;
use serde_json::{Value, json};

use super::faults::{EventFault, Fault};

/// State of the faults of one stream.
#[derive(Debug, Default)]
pub(super) struct Mischief {
    /// A line that is held back until the next one.
    held: Option<Bytes>,
    lines: u64,
}

impl Mischief {
    /// Returns the lines to send instead of a line.
    pub(super) fn done_to(&mut self, line: Bytes, fault: Option<&Fault>) -> Vec<Bytes> {
        self.lines += 1;
        let fault = match fault {
            Some(Fault::Index(index)) => {
                return self.after_held(vec![changed(&line, |line| set_index(line, *index))]);
            }
            Some(Fault::Events(fault)) => fault,
            _ => return self.after_held(vec![line]),
        };
        let lines = match fault {
            EventFault::NullPayloads => vec![changed(&line, |line| each(line, "Payload", &Value::Null))],
            EventFault::UnknownTopics => vec![changed(&line, |line| {
                each(line, "Topic", &json!("Dream"));
                each(line, "Type", &json!("Dreamt"));
            })],
            EventFault::Repeated(times) => {
                vec![line; usize::try_from(*times).unwrap_or(usize::MAX)]
            }
            EventFault::Swapped => match self.held.take() {
                Some(earlier) => vec![line, earlier],
                None => {
                    self.held = Some(line);
                    return Vec::new();
                }
            },
            EventFault::Lost if self.lines.is_multiple_of(2) => Vec::new(),
            EventFault::Halved => vec![line.slice(..line.len() / 2)],
            EventFault::Lost | EventFault::Dropped => vec![line],
        };
        self.after_held(lines)
    }

    /// Returns these lines, preceded by the line that was held back, if any.
    fn after_held(&mut self, mut lines: Vec<Bytes>) -> Vec<Bytes> {
        if let Some(held) = self.held.take() {
            lines.insert(0, held);
        }
        lines
    }
}

fn changed(line: &Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    let Ok(mut value) = serde_json::from_slice(line) else { return line.clone() };
    change(&mut value);
    value.to_string().into()
}

fn set_index(line: &mut Value, index: u64) {
    line["Index"] = json!(index);
    each(line, "Index", &json!(index));
}

fn each(line: &mut Value, field: &str, value: &Value) {
    for event in line["Events"].as_array_mut().into_iter().flatten() {
        event[field] = value.clone();
    }
}
