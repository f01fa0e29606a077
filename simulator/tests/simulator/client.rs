//! A minimal HTTP client: one request per connection, with the unmodified response.

use std::collections::BTreeMap;
use std::io::{self, Read};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use serde_json::Value;

/// A response; header names are in lower case.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn gunzipped(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut plain).expect("gzip");
        plain
    }
}

/// Sends GET, which must get a response.
pub(crate) async fn get(url: &str, target: &str) -> Reply {
    send(url, "GET", target, &[]).await.unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// Sends PUT with this JSON, which must get a response.
pub(crate) async fn put(url: &str, target: &str, token: &str, body: &str) -> Reply {
    let length = body.len().to_string();
    let headers = [("X-Nomad-Token", token), ("Content-Length", &length)];
    send_with(url, "PUT", target, &headers, body).await.unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// Sends any request with any headers. An aborted response is an error.
pub(crate) async fn send(
    url: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> io::Result<Reply> {
    send_with(url, method, target, headers, "").await
}

async fn send_with(
    url: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Reply> {
    let address = url.strip_prefix("http://").expect("an http URL");
    let mut stream = TcpStream::connect(address).await?;
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).await?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await?;
    parse(&raw)
}

fn parse(raw: &[u8]) -> io::Result<Reply> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(cut)?;
    let head = std::str::from_utf8(&raw[..end]).expect("a text head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = raw[end + 4..].to_vec();
    let announced = headers.get("content-length").and_then(|length| length.parse().ok());
    if announced.is_some_and(|length: usize| length != body.len()) {
        return Err(cut());
    }
    Ok(Reply { status: status.ok_or_else(cut)?, headers, body })
}
