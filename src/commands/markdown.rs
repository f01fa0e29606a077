//! Writing of the generated reference pages.

use std::io::Write as _;

use super::Error;

/// A page with tables.
pub(super) struct Page {
    begin: String,
    contents: Option<String>,
    tables: String,
}

impl Page {
    /// Creates a page that starts with this text.
    pub(super) fn new(text: &str) -> Self {
        Self { begin: text.to_owned(), contents: None, tables: String::new() }
    }

    /// Adds a table of contents after the beginning.
    pub(super) fn with_contents(self) -> Self {
        Self { contents: Some("\n".to_owned()), ..self }
    }

    /// Adds a heading and the head of a table.
    pub(super) fn table(&mut self, heading: &str, columns: &[&str]) {
        if let Some(contents) = &mut self.contents {
            let words = heading.to_lowercase().replace(',', "");
            contents.push_str(&format!("- [{heading}](#{})\n", words.replace(' ', "-")));
        }
        let line = "|---".repeat(columns.len());
        self.tables.push_str(&format!("\n## {heading}\n\n| {} |\n{line}|\n", columns.join(" | ")));
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: &[&str]) {
        self.tables.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// Prints the page to stdout.
    pub(super) fn print(&self) -> Result<(), Error> {
        let contents = self.contents.as_deref().unwrap_or_default();
        let text = format!("{}{contents}{}", self.begin, self.tables);
        std::io::stdout().write_all(text.as_bytes()).map_err(Error::Output)
    }
}
