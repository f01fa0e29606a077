//! Scrapers with different behavior.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const SCRAPERS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(500);
/// A variant that was not requested recently takes a moment; Prometheus would wait for 10 s.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) struct Scrapers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Scraped>>,
}

/// Results of their scrapes.
#[derive(Default)]
pub(crate) struct Scraped {
    pub(crate) count: usize,
    pub(crate) slowest: Duration,
    pub(crate) failures: Vec<String>,
}

impl Scrapers {
    pub(crate) fn start(url: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let scrape = |number| tokio::spawn(scrape(number, format!("{url}/metrics"), stop.clone()));
        let tasks = (0..SCRAPERS).map(scrape).collect();
        Self { stop, tasks }
    }

    pub(crate) fn stop(self, runtime: &Runtime) -> Scraped {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Scraped::default();
        for task in self.tasks {
            let of_one = runtime.block_on(task).unwrap();
            all.count += of_one.count;
            all.slowest = all.slowest.max(of_one.slowest);
            all.failures.extend(of_one.failures);
        }
        all
    }
}

/// Scrapes repeatedly. Every second scraper requests OpenMetrics, every third keeps no connection open, and
/// every fifth accepts no gzip.
async fn scrape(number: usize, url: String, stop: Arc<AtomicBool>) -> Scraped {
    let is_openmetrics = number.is_multiple_of(2);
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(if number.is_multiple_of(3) { 0 } else { 1 })
        .timeout(DEADLINE)
        .build()
        .unwrap();
    let encoding = if number.is_multiple_of(5) { "identity" } else { "gzip" };
    let accept = if is_openmetrics { "application/openmetrics-text; version=1.0.0" } else { "text/plain" };
    let mut scraped = Scraped::default();
    tokio::time::sleep(INTERVAL.mul_f64(number as f64 / SCRAPERS as f64)).await;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let request = client.get(&url).header("Accept", accept).header("Accept-Encoding", encoding);
        let answer = async { request.send().await?.error_for_status()?.bytes().await };
        match answer.await.map(|bytes| if encoding == "gzip" { unzipped(&bytes) } else { text(&bytes) }) {
            Ok(text) if text.contains("\nnomad_up ") && text.ends_with("# EOF\n") == is_openmetrics => {}
            Ok(text) => scraped.failures.push(format!("scraper {number} was answered {} bytes", text.len())),
            Err(error) => scraped.failures.push(format!("scraper {number}: {error:?}")),
        }
        scraped.count += 1;
        scraped.slowest = scraped.slowest.max(began.elapsed());
        tokio::time::sleep(INTERVAL).await;
    }
    scraped
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Decompresses as much as possible; a truncated text lacks the expected end.
fn unzipped(bytes: &[u8]) -> String {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).ok();
    text(&plain)
}
