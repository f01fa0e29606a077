//! The page for people: what the metrics say, at a glance. Rendered once a refresh, without any script.
//!
//! Everything that comes from Nomad is escaped by the template library.

mod commands;
mod sections;
mod trends;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::human;
use crate::snapshot::{Snapshot, Trends};

/// How often the page asks for itself anew, in seconds.
const REFRESH_SECONDS: u32 = 10;
/// Where the project's documentation is.
const DOCS: &str = "https://github.com/nomad-exporter/nomad-exporter/tree/main/docs";
const STYLE: &str = include_str!("style.css");

/// The page. It shows what is known, and says of the rest that it is not.
pub fn page(snapshot: &Snapshot, trends: &Trends, telemetry_path: &str) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="refresh" content=(REFRESH_SECONDS);
                title { "Nomad exporter" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(snapshot))
                main {
                    (sections::tiles(snapshot))
                    (trends::charts(trends))
                    (sections::namespaces(snapshot))
                    (sections::pending(snapshot))
                    (sections::pools(snapshot))
                    (sections::drains(snapshot))
                    (sections::nodes(snapshot))
                    (sections::collectors(snapshot))
                }
                footer {
                    a href=(telemetry_path) { "Metrics" }
                    a href="/-/healthy" { "Healthy" }
                    a href="/-/ready" { "Ready" }
                    a href=(DOCS) { "Documentation" }
                    span { "nomad-exporter " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    };
    markup.into_string()
}

fn header(snapshot: &Snapshot) -> Markup {
    let (class, verdict) = match (snapshot.is_up(), snapshot.is_ready()) {
        (true, _) => ("good", "Nomad answers"),
        (false, true) => ("warn", "Nomad does not answer everything"),
        (false, false) => ("bad", "Nomad has not answered lately"),
    };
    html! {
        header {
            h1 { "Nomad cluster" }
            span class={ "badge " (class) } { (verdict) }
            span.muted { "as of " (human::clock(snapshot.taken_at)) }
        }
    }
}
