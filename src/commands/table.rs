//! Tables that fit the width of the terminal.

use anstyle::Style as Look;
use tabled::builder::Builder;
use tabled::grid::util::string::get_string_width;
use tabled::settings::object::{Cell as Place, Columns};
use tabled::settings::{Alignment, Color, Padding, Style, Width};

use super::terminal::{Terminal, Tone};
use crate::human::{percent, plain};
use crate::snapshot::Level;

/// Spaces between columns.
const GAP: usize = 2;
/// Minimum width of a text while other columns can be dropped.
const SHORT: usize = 12;
/// Minimum width of a text.
const SHORTEST: usize = 4;
/// Length of a bar.
const BAR: usize = 10;
/// Levels from which a bar is yellow and red.
const HIGH: f64 = 0.75;
const FULL: f64 = 0.9;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    is_text: bool,
    /// Columns with the highest rank are dropped first. Columns with rank 0 are never dropped.
    rank: u8,
}

impl Column {
    /// A column of text, which may be truncated.
    pub(super) const fn text(title: &'static str, rank: u8) -> Self {
        Self { title, is_text: true, rank }
    }

    /// A column of numbers, which are never truncated.
    pub(super) const fn number(title: &'static str, rank: u8) -> Self {
        Self { title, is_text: false, rank }
    }
}

/// Content of a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Shorter content for narrow terminals.
    short: Option<String>,
    pub(super) tone: Option<Tone>,
}

impl Cell {
    /// Creates a colored text.
    pub(super) fn toned(text: &str, tone: Tone) -> Self {
        Self { tone: Some(tone), ..Self::from(text) }
    }

    /// Creates a bar; only a percentage on narrow terminals.
    pub(super) fn level(level: Option<Level>) -> Self {
        let Some(level) = level else { return Self::toned("?", Tone::Muted) };
        let short = percent(level.ratio());
        Self {
            text: format!("{} {short:>5}", bar(level.ratio())),
            short: Some(short),
            tone: Some(level_tone(level.ratio())),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: plain(text).into_owned(), ..Self::default() }
    }
}

impl<T: ToString> From<Option<T>> for Cell {
    /// Creates a number that may be unknown.
    fn from(number: Option<T>) -> Self {
        match number {
            Some(number) => Self::from(number.to_string().as_str()),
            None => Self::toned("?", Tone::Muted),
        }
    }
}

/// Returns the color of a level.
pub(super) fn level_tone(ratio: f64) -> Tone {
    match ratio {
        _ if ratio >= FULL => Tone::Bad,
        _ if ratio >= HIGH => Tone::Warn,
        _ => Tone::Good,
    }
}

/// Renders a bar for a ratio from 0 to 1.
pub(super) fn bar(ratio: f64) -> String {
    let filled = (ratio.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    "█".repeat(filled) + &"░".repeat(BAR - filled)
}

/// Renders a table. If it is wider than the terminal, columns of the highest rank are dropped first, then
/// long texts are truncated.
pub(super) fn table(terminal: &Terminal, columns: &[Column], mut rows: Vec<Vec<Cell>>) -> String {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    if let Some(width) = terminal.width {
        if total(&least(columns, &kept, &rows)) > width {
            rows.iter_mut().flatten().for_each(|cell| {
                if let Some(short) = cell.short.take() {
                    cell.text = short;
                }
            });
        }
        while total(&least(columns, &kept, &rows)) > width {
            let last =
                kept.iter().copied().filter(|at| columns[*at].rank > 0).max_by_key(|at| columns[*at].rank);
            let Some(last) = last else { break };
            kept.retain(|at| *at != last);
        }
    }
    let mut widths: Vec<usize> = kept.iter().map(|at| natural(columns, *at, &rows)).collect();
    if let Some(width) = terminal.width {
        shorten(&mut widths, &least(columns, &kept, &rows), width);
        let texts = kept.iter().zip(&widths).map(|(at, natural)| match columns[*at].is_text {
            true => SHORTEST.min(*natural),
            false => *natural,
        });
        let shortest: Vec<usize> = texts.collect();
        shorten(&mut widths, &shortest, width);
    }
    draw(terminal, columns, &kept, &widths, &rows)
}

fn natural(columns: &[Column], at: usize, rows: &[Vec<Cell>]) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| get_string_width(&cell.text));
    cells.chain([columns[at].title.len()]).max().unwrap_or_default()
}

/// Returns the minimum width of each column while others can be dropped.
fn least(columns: &[Column], kept: &[usize], rows: &[Vec<Cell>]) -> Vec<usize> {
    let least = |at: usize| match natural(columns, at, rows) {
        natural if columns[at].is_text => natural.min(SHORT.max(columns[at].title.len())),
        natural => natural,
    };
    kept.iter().map(|at| least(*at)).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Shortens the widest columns until all fit.
fn shorten(widths: &mut [usize], least: &[usize], within: usize) {
    while total(widths) > within {
        let giving = widths.iter_mut().zip(least).filter(|(width, least)| **width > **least);
        let Some((width, _)) = giving.max_by_key(|(width, _)| **width) else { return };
        *width -= 1;
    }
}

fn draw(
    terminal: &Terminal,
    columns: &[Column],
    kept: &[usize],
    widths: &[usize],
    rows: &[Vec<Cell>],
) -> String {
    let mut builder = Builder::default();
    builder.push_record(kept.iter().map(|at| columns[*at].title));
    for row in rows {
        builder.push_record(kept.iter().map(|at| row.get(*at).map_or("", |cell| cell.text.as_str())));
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::zero());
    for (place, (at, width)) in kept.iter().zip(widths).enumerate() {
        table.modify(Columns::one(place), Width::truncate(*width).suffix("…"));
        if !columns[*at].is_text {
            table.modify(Columns::one(place), Alignment::right());
        }
        if place + 1 < kept.len() {
            table.modify(Columns::one(place), Padding::new(0, GAP, 0, 0));
        }
        table.modify(Place::new(0, place), color(terminal.style(Tone::Title)));
        for (line, row) in rows.iter().enumerate() {
            if let Some(tone) = row.get(*at).and_then(|cell| cell.tone) {
                table.modify(Place::new(line + 1, place), color(terminal.style(tone)));
            }
        }
    }
    table.to_string().lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

fn color(look: Look) -> Color {
    Color::new(look.render().to_string(), look.render_reset().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::text("NAME", 0),
        Column::text("POOL", 2),
        Column::number("RUNNING", 1),
        Column::text("CPU", 1),
    ];

    fn shown(width: Option<usize>) -> String {
        let level = Some(Level { amount: 3.0, total: 4.0 });
        let row = |name: &str| vec![name.into(), "builders".into(), Some(7).into(), Cell::level(level)];
        table(&Terminal::new(width, false), &COLUMNS, vec![row("client-with-a-long-name-größe"), row("b")])
    }

    #[test]
    fn a_table_fits_the_width() {
        let wide = "\
NAME                           POOL      RUNNING  CPU
client-with-a-long-name-größe  builders        7  ████████░░  75 %
b                              builders        7  ████████░░  75 %
";
        assert_eq!(shown(None), wide);
        assert_eq!(shown(Some(200)), wide);
        let narrow = "\
NAME             POOL      RUNNING  CPU
client-with-a-…  builders        7  75 %
b                builders        7  75 %
";
        assert_eq!(shown(Some(40)), narrow);
        assert_eq!(shown(Some(30)).lines().next(), Some("NAME             RUNNING  CPU"));
        for width in 1..80 {
            let longest = shown(Some(width)).lines().map(get_string_width).max().unwrap();
            assert!(longest <= width.max(4), "{longest} columns where there are {width}");
        }
    }

    #[test]
    fn tones_do_not_count_as_width() {
        let rows = vec![vec![Cell::toned("down", Tone::Bad), "x".into()]];
        let columns = [Column::text("STATE", 0), Column::text("NAME", 0)];
        let shown = table(&Terminal::new(Some(20), true), &columns, rows);
        assert!(shown.ends_with("\u{1b}[31mdown\u{1b}[0m   x\n"), "{shown:?}");
    }
}
