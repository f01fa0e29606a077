//! Status page: its text, and its layout in a real browser.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nomad_exporter::snapshot::{LiveJobs, PendingJob, Sections, Snapshot, Trends};
use nomad_exporter::terms::{JobStatus, JobType};
use nomad_exporter::web::status_page;

use crate::every_family;
use crate::support::process::{Exporter, wait_until};
use crate::support::{build_day, path, read, tools};

fn page(sections: Sections) -> String {
    let trends = Trends::new(Duration::from_secs(15));
    page_after(&trends, sections)
}

/// Returns the page of these sections at second 1000, after this history.
fn page_after(trends: &Trends, sections: Sections) -> String {
    let snapshot = snapshot(1000, sections);
    status_page(&snapshot, &trends.with(&snapshot), "/metrics")
}

fn snapshot(second: u64, sections: Sections) -> Snapshot {
    Snapshot::new(every_family::at(second), vec![every_family::collector()], sections)
}

/// Returns a snapshot with this number of pending and running jobs.
fn busy(second: u64, pending: u64, running: u64) -> Snapshot {
    let mut sections = every_family::sections();
    let mut jobs = LiveJobs::clone(sections.jobs.as_ref().unwrap());
    for namespace in jobs.by_namespace.values_mut() {
        namespace.jobs[JobType::Batch][JobStatus::Pending] = pending;
        namespace.jobs[JobType::Batch][JobStatus::Running] = running;
    }
    sections.jobs = Some(Arc::new(jobs));
    snapshot(second, sections)
}

/// Returns the history of a burst, with a gap of unknown values.
fn lively() -> Trends {
    (0..66).fold(Trends::new(Duration::from_secs(15)), |trends, step: u64| {
        let second = step * 15;
        match step {
            20..24 => trends.with(&snapshot(second, Sections::default())),
            _ => trends.with(&busy(second, 30 - step.abs_diff(30).min(30), 5 + step)),
        }
    })
}

#[test]
fn known_values_are_shown() {
    let page = page(every_family::sections());
    for text in [
        "Nomad responds",
        "as of 1970-01-01 00:16:40 UTC",
        "build-1",
        "1 min 40 s",
        "not enough memory",
        "safe to terminate",
        "in 1 h 56 min",
        "client-a",
        "draining",
        "href=\"/metrics\"",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}

#[test]
fn unknown_values_are_not_shown() {
    let page = page(Sections::default());
    assert!(page.contains("<strong>?</strong>"), "{page}");
    assert!(!page.contains("<h2>Nodes</h2>") && !page.contains("<h2>Capacity"), "{page}");
}

#[test]
fn charts_have_a_text_description() {
    let page = page_after(&lively(), every_family::sections());
    let titles: Vec<&str> = page
        .split("<title id=\"trend-")
        .skip(1)
        .map(|rest| &rest[3..rest.find("</title>").unwrap()])
        .collect();
    assert_eq!(
        titles,
        [
            "Pending jobs of the last 16 min 40 s: now 2, at least 0, at most 30",
            "Oldest pending job of the last 16 min 40 s: now 1 min 40 s, at least 0 s, at most 1 min 40 s",
            "Running jobs of the last 16 min 40 s: now 7, at least 5, at most 70",
            "Failed jobs of the last 16 min 40 s: now 1, at least 1, at most 1",
            "Active nodes of the last 16 min 40 s: now 1, at least 1, at most 1",
        ]
    );
    // There is no line where values are unknown.
    assert_eq!(page.matches("class=\"line\"").count(), 10, "{page}");
}

#[test]
fn a_chart_without_values_is_omitted() {
    let unknown = page(Sections::default());
    assert!(!unknown.contains("<svg"), "{unknown}");
    let without_dead = page(Sections { finished_jobs: None, ..every_family::sections() });
    assert_eq!(without_dead.matches("<svg").count(), 4, "{without_dead}");
    assert!(!without_dead.contains("Failed jobs"), "{without_dead}");
}

/// Each row has a command with details, and an existing link to its documentation.
#[test]
fn links_to_commands_have_a_target() {
    let page = page(every_family::sections());
    let links: BTreeSet<&str> =
        page.split("/docs/").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    assert_eq!(links.len(), 4, "{links:?}");
    for link in links {
        let (file, anchor) = link.split_once('#').unwrap();
        let text = read(&format!("docs/{file}"));
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        let mut anchors = headings.map(|heading| heading.to_lowercase().replace(' ', "-"));
        assert!(anchors.any(|known| known == anchor), "{link} leads nowhere");
    }
    let rows = page.matches("<tr>").count() - page.matches("<thead>").count();
    assert_eq!(page.matches("class=\"command\"").count(), rows);
}

/// Returns a cluster with malicious names.
fn hostile() -> Sections {
    let name = "<script>alert(1)</script>\"'&";
    let mut sections = every_family::sections();
    let mut jobs = LiveJobs::clone(sections.jobs.as_ref().unwrap());
    let job = |id: String| PendingJob {
        since: every_family::at(900),
        namespace: name.into(),
        id,
        job_type: JobType::Batch,
    };
    jobs.oldest_pending = vec![job(name.into()), job("x".repeat(300))];
    sections.jobs = Some(Arc::new(jobs));
    sections
}

#[test]
fn text_from_nomad_is_escaped() {
    let page = page(hostile());
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"), "{page}");
}

fn chromium(chromium: &Path, profile: &Path, arguments: &[&str]) -> String {
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--hide-scrollbars",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Measures the page in a frame of that width: the script is outside the page.
const MEASURE: &str = r#"onload = () => {
    const page = document.getElementById("page").contentDocument;
    const look = element => page.defaultView.getComputedStyle(element);
    // Red, green and blue of a color, and its luminance by WCAG 2.
    const luminance = colour => {
        const [r, g, b] = colour.match(/[\d.]+/g).map(it => it / 255)
            .map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const charts = [...page.querySelectorAll(".trend svg")];
    const card = charts.length && look(charts[0].closest("section")).backgroundColor;
    document.title = "measured " + JSON.stringify({
        width: page.documentElement.scrollWidth,
        scripts: page.scripts.length,
        rows: page.querySelectorAll("tbody tr").length,
        charts: charts.map(it => {
            const { left, right, height } = it.getBoundingClientRect();
            return { left, right, height };
        }),
        named: charts.filter(it => page.getElementById(it.getAttribute("aria-labelledby"))?.textContent).length,
        card: card && luminance(card),
        lines: Math.min(...charts.map(it => contrast(look(it.querySelector(".line")).stroke, card))),
        texts: Math.min(...[...page.querySelectorAll("figcaption, figcaption span")].map(it => contrast(look(it).color, card))),
    });
}"#;

/// Nothing overflows on a phone or a wide screen, and charts are visible in light and dark mode.
#[test]
#[ignore = "needs Chromium: make check-browser"]
fn a_real_browser_renders_it_on_any_screen() {
    let browser = tools::find("chromium");
    let folder = tempfile::tempdir().unwrap();
    for (name, sections) in [("usual", every_family::sections()), ("hostile", hostile())] {
        for (width, is_light) in [(390, true), (390, false), (1440, true), (1440, false)] {
            let inner = page_after(&lively(), sections.clone()).replace('&', "&amp;").replace('"', "&quot;");
            // A frame follows the color scheme of the page around it.
            let outer = format!(
                r#"<!doctype html><html style="color-scheme: light dark">
                <iframe id="page" width="{width}" height="900" style="border:0" srcdoc="{inner}"></iframe>
                <script>{MEASURE}</script>"#
            );
            let file = folder.path().join("page.html");
            std::fs::write(&file, outer).unwrap();
            let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(is_light));
            let url = format!("file://{}", file.display());
            let dom = chromium(
                &browser,
                &folder.path().join("profile"),
                &["--virtual-time-budget=3000", &scheme, "--dump-dom", &url],
            );
            let title = dom.split("<title>measured ").nth(1).and_then(|rest| rest.split("</title>").next());
            let title = title.unwrap_or_else(|| panic!("the page has no title: {dom}"));
            let measured: serde_json::Value = serde_json::from_str(title).unwrap();
            let number = |key: &str| measured[key].as_f64().unwrap();
            let context = format!("{name}, {width} wide, light: {is_light}: {title}");
            assert!(number("width") <= f64::from(width), "{context}");
            assert_eq!(number("scripts"), 0.0, "the name was executed as a script: {context}");
            assert!(number("rows") >= 8.0, "the tables have rows: {context}");
            let charts = measured["charts"].as_array().unwrap();
            assert_eq!((charts.len(), number("named")), (5, 5.0), "{context}");
            for chart in charts {
                let edge = |key: &str| chart[key].as_f64().unwrap();
                assert!(edge("left") >= 0.0 && edge("right") <= f64::from(width), "{context}");
                assert!(edge("right") - edge("left") >= 150.0 && edge("height") >= 40.0, "{context}");
            }
            assert_eq!(number("card") > 0.5, is_light, "{context}");
            // Minimum contrast of graphics and text in WCAG 2.
            assert!(number("lines") >= 3.0 && number("texts") >= 4.5, "{context}");
        }
    }
}

/// Takes the screenshots of the README, of an hour of builds, at the pace of the demo: `UPDATE_SCREENSHOTS=1
/// cargo test screenshots`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make check-browser"]
async fn screenshots_can_be_taken_of_the_running_exporter() {
    let browser = tools::find("chromium");
    let is_update = std::env::var_os("UPDATE_SCREENSHOTS").is_some();
    let minute = Duration::from_millis(if is_update { 3000 } else { 100 });
    let simulator = build_day::play(minute, 2).await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let exporter = Exporter::start(
            &nomad,
            &[
                "--collect.interval",
                "1s",
                "--collect.history-interval",
                "2s",
                "--collect.client-interval",
                "1s",
                "--collect.duty-cycle",
                "0.5",
            ],
        );
        if is_update {
            // The scale-in kills builds then.
            std::thread::sleep(minute * 52);
        }
        let folder = tempfile::tempdir().unwrap();
        let shot = folder.path().join("page.png");
        for (name, width, height, scheme) in
            [("status-page", 1200, 1100, 1), ("status-page-phone", 500, 1000, 0)]
        {
            let arguments = [
                format!("--screenshot={}", shot.display()),
                format!("--window-size={width},{height}"),
                format!("--blink-settings=preferredColorScheme={scheme}"),
                exporter.url.clone(),
            ];
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            // The first pages may come before the first snapshot; a page with jobs is large.
            wait_until(std::time::Duration::from_secs(60), "a screenshot", || {
                chromium(&browser, &folder.path().join("profile"), &arguments);
                std::fs::metadata(&shot).is_ok_and(|file| file.len() > 40_000)
            });
            if is_update {
                std::fs::copy(&shot, path(&format!("docs/images/{name}.png"))).unwrap();
            }
        }
    })
    .await
    .unwrap();
}
