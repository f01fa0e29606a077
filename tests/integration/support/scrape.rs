//! Raw HTTP requests to the exporter, so that no client hides anything.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::exposition::Exposition;

/// Timeout of a request.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns the status line and headers in lower case, and the body.
pub(crate) fn ask(url: &str, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    try_ask(url, method, path, headers).unwrap()
}

/// The same, or why the connection failed.
fn try_ask(url: &str, method: &str, path: &str, headers: &str) -> io::Result<(String, Vec<u8>)> {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a complete head");
    Ok((String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase(), answer[end + 4..].to_vec()))
}

/// Returns the status of a path.
pub(crate) fn status(url: &str, path: &str) -> String {
    ask(url, "GET", path, "").0.lines().next().unwrap().split(' ').nth(1).unwrap().to_owned()
}

/// Scrapes the metrics.
pub(crate) fn metrics(url: &str) -> Exposition {
    try_metrics(url).unwrap()
}

/// Scrapes the metrics, or returns why the connection failed.
pub(crate) fn try_metrics(url: &str) -> io::Result<Exposition> {
    let (_, body) = try_ask(url, "GET", "/metrics", "")?;
    Ok(Exposition::parse(std::str::from_utf8(&body).unwrap()))
}
