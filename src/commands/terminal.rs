//! Properties of the output: width, colors, and closed pipes.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;

use super::Error;

/// Properties of the output.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Number of columns; `None` if the output is not a terminal and COLUMNS is not set. Lines are then not
    /// truncated.
    pub(super) width: Option<usize>,
    /// Number of lines; `None` if the output is not a terminal.
    pub(super) height: Option<usize>,
    colored: bool,
}

/// Meaning of a text, shown as a color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// A heading.
    Title,
    /// Healthy.
    Good,
    /// Needs attention.
    Warn,
    /// Broken.
    Bad,
    /// Less important.
    Muted,
}

impl Tone {
    /// Returns the style.
    pub(super) fn style(self) -> Style {
        match self {
            Self::Title => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Muted => Style::new().dimmed(),
        }
    }
}

impl Terminal {
    /// Detects the properties of a stream, with the user's choice of colors.
    pub(super) fn of(stream: &(impl AsFd + IsTerminal), color: ColorChoice) -> Self {
        let of_env = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let of_stream = terminal_size::terminal_size_of(stream);
        let width = of_stream.map(|(width, _)| width.0.into());
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            height: of_stream.map(|(_, height)| height.0.into()),
            width: of_env.or(width).filter(|width: &usize| *width > 0),
            colored: match color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => stream.is_terminal() && !no_color,
            },
        }
    }

    /// Creates a terminal of this width.
    pub fn new(width: Option<usize>, colored: bool) -> Self {
        Self { width, height: None, colored }
    }

    /// Returns the text in its color, if colors are enabled.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let style = self.style(tone);
        format!("{style}{text}{style:#}")
    }

    /// Returns the style of a tone, if colors are enabled.
    pub(super) fn style(&self, tone: Tone) -> Style {
        if self.colored { tone.style() } else { Style::new() }
    }
}

/// Writes to stdout immediately.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Error::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_follow_the_settings() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let paint = |color| Terminal::of(&file, color).paint(Tone::Bad, "down");
        assert_eq!(paint(ColorChoice::Auto), "down");
        assert_eq!(paint(ColorChoice::Never), "down");
        assert_eq!(paint(ColorChoice::Always), "\u{1b}[31mdown\u{1b}[0m");
    }
}
