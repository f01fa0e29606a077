//! From logs to stdout: one as it is, or several line by line; what is to be known about them goes to stderr.

use std::collections::BTreeMap;
use std::io::Write;

use tokio::io::{AsyncWriteExt, Stdout};

use super::log::{LogPart, TaskLog};
use crate::commands::Error;
use crate::commands::terminal::{Terminal, Tone};
use crate::config::LogsArgs;
use crate::human::plain;

/// A line that is longer is shown in pieces.
const LINE_BYTES: usize = 64 << 10;

/// Where logs go.
pub(super) struct Output {
    stdout: Stdout,
    stderr: Terminal,
    /// What each line begins with; nothing where there is one log.
    prefixes: Vec<String>,
    /// Lines that have no end yet, by log.
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

    /// Names a log, before it comes.
    pub(super) fn title(&self, title: &str) {
        say(&self.stderr.paint(Tone::Title, title));
    }

    /// Says what is to be known.
    pub(super) fn note(&self, note: &str) {
        say(&self.stderr.paint(Tone::Warn, note));
    }

    /// Shows a part of a log.
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

    /// Shows the lines that never got an end.
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

/// Nobody need read it.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
