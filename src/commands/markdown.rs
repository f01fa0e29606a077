//! Writing the generated reference pages.

use std::io::Write as _;

use super::Error;

/// A page of tables.
pub(super) struct Page(String);

impl Page {
    /// A page that begins with this text.
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A heading, and the head of the table below it.
    pub(super) fn table(&mut self, heading: &str, columns: &[&str]) {
        let line = "|---".repeat(columns.len());
        self.0.push_str(&format!("\n## {heading}\n\n| {} |\n{line}|\n", columns.join(" | ")));
    }

    /// A row of the table.
    pub(super) fn row(&mut self, cells: &[&str]) {
        self.0.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// Writes it to stdout.
    pub(super) fn print(&self) -> Result<(), Error> {
        std::io::stdout().write_all(self.0.as_bytes()).map_err(Error::Output)
    }
}
