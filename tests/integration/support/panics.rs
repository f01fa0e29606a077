//! Panics that nobody would notice: the exporter outlives those of its tasks, and so do tests.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on panics are noticed, wherever they come from but the tests themselves.
pub(crate) fn watch() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |told| {
            let is_of_a_test = told.location().is_none_or(|location| location.file().starts_with("tests/"));
            if !is_of_a_test {
                SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(told.to_string());
            }
            before(told);
        }));
    });
}

/// Panics of the program since `watch` was called first.
pub(crate) fn seen() -> Vec<String> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
