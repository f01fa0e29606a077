//! Detection of panics in tasks, which neither the exporter nor tests would notice.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on, records panics, except those of the tests themselves.
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

/// Returns the panics since `watch` was first called.
pub(crate) fn seen() -> Vec<String> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
