//! Status page: an overview of the metrics, rendered once per refresh, without scripts.
//!
//! The template library escapes everything that comes from Nomad.

mod commands;
mod sections;
mod trends;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::human;
use crate::snapshot::{Snapshot, Trends};

/// Reload interval of the page in seconds.
const REFRESH_SECONDS: u32 = 10;
/// Location of the documentation.
const DOCS: &str = "https://github.com/nomad-exporter/nomad-exporter/tree/main/docs";
const STYLE: &str = include_str!("style.css");

/// Renders the page. Unknown values are shown as unknown.
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
    let (class, state) = match (snapshot.is_up(), snapshot.is_ready()) {
        (true, _) => ("good", "Nomad responds"),
        (false, true) => ("warn", "Some collectors are down"),
        (false, false) => ("bad", "Nomad does not respond"),
    };
    html! {
        header {
            h1 { "Nomad cluster" }
            span class={ "badge " (class) } { (state) }
            span.muted { "as of " (human::clock(snapshot.taken_at)) }
        }
    }
}
