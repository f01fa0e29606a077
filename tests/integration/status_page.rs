//! The page for people: its text, and how it looks in a real browser.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nomad_exporter::snapshot::{LiveJobs, PendingJob, Sections, Snapshot};
use nomad_exporter::terms::JobType;
use nomad_exporter::web::status_page;

use crate::every_family;
use crate::support::process::{Exporter, wait_until};
use crate::support::{path, recordings, tools};

fn page(sections: Sections) -> String {
    status_page(&Snapshot::new(every_family::at(1000), vec![every_family::collector()], sections), "/metrics")
}

#[test]
fn everything_that_is_known_is_told() {
    let page = page(every_family::sections());
    for text in [
        "Nomad answers",
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
fn what_is_not_known_is_not_told() {
    let page = page(Sections::default());
    assert!(page.contains("<strong>?</strong>"), "{page}");
    assert!(!page.contains("<h2>Nodes</h2>") && !page.contains("<h2>Capacity"), "{page}");
}

/// A cluster whose names are not kind.
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
fn what_comes_from_nomad_is_text() {
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

/// Neither on a phone nor on a wide screen does anything stick out of the page.
#[test]
#[ignore = "needs Chromium: make check-browser"]
fn nothing_overflows_in_a_real_browser() {
    let browser = tools::find("chromium");
    let folder = tempfile::tempdir().unwrap();
    for (name, sections) in [("usual", every_family::sections()), ("hostile", hostile())] {
        for width in [390, 1440] {
            // The page in a frame of that width, and a script beside it that measures.
            let inner = page(sections.clone()).replace('&', "&amp;").replace('"', "&quot;");
            let outer = format!(
                r#"<!doctype html><iframe id="page" width="{width}" height="900" style="border:0" srcdoc="{inner}"></iframe>
                <script>onload = () => {{
                    const page = document.getElementById("page").contentDocument;
                    document.title = "measured " + page.documentElement.scrollWidth + " scripts " + page.scripts.length
                        + " rows " + page.querySelectorAll("tbody tr").length;
                }}</script>"#
            );
            let file = folder.path().join("page.html");
            std::fs::write(&file, outer).unwrap();
            let url = format!("file://{}", file.display());
            let dom = chromium(
                &browser,
                &folder.path().join("profile"),
                &["--virtual-time-budget=3000", "--dump-dom", &url],
            );
            let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
            let words: Vec<&str> = title.unwrap_or_else(|| panic!("no title in {dom}")).split(' ').collect();
            let number = |at: usize| words[at].parse::<u32>().unwrap();
            assert!(number(1) <= width, "{name} is {} wide on {width}", number(1));
            assert_eq!(number(3), 0, "{name}: nothing of it is a script");
            assert!(number(5) >= 8, "{name}: the tables have rows");
        }
    }
}

/// The screenshots of the README: `UPDATE_SCREENSHOTS=1 cargo test screenshots` takes them anew.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make check-browser"]
async fn screenshots_can_be_taken_of_the_running_exporter() {
    let browser = tools::find("chromium");
    let simulator = recordings::replay("2.0.5-drain").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let exporter = Exporter::start(
            &nomad,
            &[
                "--collect.interval",
                "500ms",
                "--collect.history-interval",
                "1s",
                "--collect.client-interval",
                "500ms",
            ],
        );
        let folder = tempfile::tempdir().unwrap();
        let shot = folder.path().join("page.png");
        for (name, width, height, dark) in
            [("status-page", 1200, 1100, 1), ("status-page-phone", 500, 1000, 0)]
        {
            let arguments = [
                format!("--screenshot={}", shot.display()),
                format!("--window-size={width},{height}"),
                format!("--blink-settings=preferredColorScheme={dark}"),
                exporter.url.clone(),
            ];
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            // The first pages may come before the first snapshot; one that tells of jobs is large.
            wait_until(std::time::Duration::from_secs(60), "a screenshot", || {
                chromium(&browser, &folder.path().join("profile"), &arguments);
                std::fs::metadata(&shot).is_ok_and(|file| file.len() > 40_000)
            });
            if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
                std::fs::copy(&shot, path(&format!("docs/images/{name}.png"))).unwrap();
            }
        }
    })
    .await
    .unwrap();
}
