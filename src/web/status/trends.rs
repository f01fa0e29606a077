//! The last hour in small charts, drawn as SVG. Each says in words too what it shows.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};

use crate::human;
use crate::snapshot::{TrendPoint, Trends};

/// The size of the drawing in its own units; the page stretches it.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

/// What one chart shows.
struct Chart {
    title: &'static str,
    value: fn(&TrendPoint) -> Option<u64>,
    text: fn(u64) -> String,
}

const CHARTS: [Chart; 5] = [
    Chart { title: "Pending jobs", value: |point| point.pending_jobs, text: count },
    Chart { title: "Oldest pending job", value: |point| point.oldest_pending_seconds, text: age },
    Chart { title: "Running jobs", value: |point| point.running_jobs, text: count },
    Chart { title: "Failed jobs", value: |point| point.failed_jobs, text: count },
    Chart { title: "Active nodes", value: |point| point.active_nodes, text: count },
];

fn count(value: u64) -> String {
    value.to_string()
}

fn age(seconds: u64) -> String {
    human::duration(Duration::from_secs(seconds))
}

/// All charts of which a value is known.
pub(super) fn charts(trends: &Trends) -> Markup {
    let points = trends.points();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let span = human::ago(last.at, first.at);
    let known: Vec<Markup> =
        CHARTS.iter().enumerate().filter_map(|(number, it)| chart(number, it, trends, &span)).collect();
    html! {
        @if !known.is_empty() {
            section aria-label="Trends" {
                h2 { "The last " (span) }
                div.trends { @for chart in &known { (chart) } }
            }
        }
    }
}

fn chart(number: usize, chart: &Chart, trends: &Trends, span: &str) -> Option<Markup> {
    let known = || trends.points().iter().filter_map(chart.value);
    let (lowest, highest) = (known().min()?, known().max()?);
    let now = trends.points().last().and_then(chart.value);
    let now = now.map_or("unknown".to_owned(), chart.text);
    let (lowest, top) = ((chart.text)(lowest), (chart.text)(highest));
    let lines: Vec<Vec<(f64, f64)>> = lines(chart, trends, highest.max(1) as f64);
    let id = format!("trend-{number}");
    Some(html! {
        figure.trend {
            figcaption { (chart.title) span.muted { "now " (now) ", max " (top) } }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-labelledby=(id) {
                title id=(id) {
                    (chart.title) " of the last " (span) ": now " (now) ", at least " (lowest) ", at most " (top)
                }
                @for line in &lines {
                    path.area d=(area(line)) {}
                    path.line d=(path(line)) {}
                }
            }
        }
    })
}

/// The values as lines through points of the drawing: a line ends where values are missing.
fn lines(chart: &Chart, trends: &Trends, top: f64) -> Vec<Vec<(f64, f64)>> {
    let (begin, end) = match trends.points() {
        [first, .., last] => (first.at, last.at),
        _ => (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH),
    };
    let seconds = |at: SystemTime| at.duration_since(begin).unwrap_or_default().as_secs_f64();
    let whole = seconds(end).max(1.0);
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut before = None;
    for point in trends.points() {
        let Some(value) = (chart.value)(point) else {
            before = None;
            continue;
        };
        // A pixel above and below, so that the line is not cut in half.
        let place = (seconds(point.at) / whole * WIDTH, HEIGHT - 1.0 - value as f64 / top * (HEIGHT - 2.0));
        match lines.last_mut().filter(|_| before.is_some_and(|before| !trends.is_gap(before, point.at))) {
            Some(line) => line.push(place),
            None => lines.push(vec![place]),
        }
        before = Some(point.at);
    }
    lines
}

/// A line; of a single point, a dot.
fn path(line: &[(f64, f64)]) -> String {
    let places: Vec<String> = line.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("M{}{}", places.join("L"), if line.len() == 1 { "h.1" } else { "" })
}

/// What is below a line.
fn area(line: &[(f64, f64)]) -> String {
    let (Some((first, _)), Some((last, _))) = (line.first(), line.last()) else { return String::new() };
    format!("{}L{last:.1} {HEIGHT}L{first:.1} {HEIGHT}Z", path(line))
}
