//! Output of logs to stdout: one unchanged, several with a prefix per line. Messages go to stderr.

use std::collections::BTreeMap;
use std::io::Write;

use tokio::io::{AsyncWriteExt, Stdout};

use super::log::{LogPart, TaskLog};
use crate::commands::Error;
use crate::commands::terminal::{Terminal, Tone};
use crate::config::LogsArgs;
use crate::human::plain;

/// Longer lines are split.
const LINE_BYTES: usize = 64 << 10;

/// Output of logs.
pub(super) struct Output {
    stdout: Stdout,
    stderr: Terminal,
    /// Prefix of each line; empty for a single log.
    prefixes: Vec<String>,
    /// Unfinished lines, by log.
    open: BTreeMap<usize, Vec<u8>>,
}

impl Output {
    pub(super) fn new(logs: &[TaskLog], args: &LogsArgs) -> Self {
        let terminal = Terminal::of(&std::io::stdout(), args.color.color);
        let prefix = |log: &TaskLog| terminal.paint(Tone::Muted, &format!("{} | ", plain(log.of.short_id())));
        Self {
            stdout: tokio::io::stdout(),
            stderr: Terminal::of(&std::io::stderr(), args.color.color),
            prefixes: if logs.len() > 1 || args.all { logs.iter().map(prefix).collect() } else { Vec::new() },
            open: BTreeMap::new(),
        }
    }

    /// Prints the name of a log before its content.
    pub(super) fn title(&self, title: &str) {
        print_note(&self.stderr.paint(Tone::Title, title));
    }

    /// Prints a message.
    pub(super) fn note(&self, note: &str) {
        print_note(&self.stderr.paint(Tone::Warn, note));
    }

    /// Prints a part of a log.
    pub(super) async fn show(&mut self, number: usize, part: LogPart) -> Result<(), Error> {
        match (part, self.prefixes.get(number)) {
            (LogPart::Note(note), None) => self.note(&note),
            (LogPart::Note(note), Some(prefix)) => self.note(&format!("{prefix}{note}")),
            (LogPart::Bytes(bytes), None) => self.write(&bytes).await?,
            (LogPart::Bytes(bytes), Some(prefix)) => {
                let prefix = prefix.clone().into_bytes();
                let mut open = self.open.remove(&number).unwrap_or_default();
                open.extend_from_slice(&bytes);
                let mut lines = Vec::with_capacity(open.len());
                let mut rest = &open[..];
                while let Some(end) =
                    memchr::memchr(b'\n', rest).or((rest.len() > LINE_BYTES).then_some(LINE_BYTES))
                {
                    let (line, after) = rest.split_at(end + 1);
                    lines.extend_from_slice(&prefix);
                    lines.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
                    lines.push(b'\n');
                    rest = after;
                }
                if !rest.is_empty() {
                    self.open.insert(number, rest.to_vec());
                }
                self.write(&lines).await?;
            }
        }
        Ok(())
    }

    /// Prints unfinished lines.
    pub(super) async fn end(&mut self) -> Result<(), Error> {
        for (number, line) in std::mem::take(&mut self.open) {
            let mut whole = self.prefixes[number].clone().into_bytes();
            whole.extend(line);
            whole.push(b'\n');
            self.write(&whole).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stdout.write_all(bytes).await.map_err(Error::Output)?;
        self.stdout.flush().await.map_err(Error::Output)
    }
}

/// Writes to stderr, and ignores errors.
fn print_note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
