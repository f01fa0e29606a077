//! A client of the event stream.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// An open event stream.
pub(crate) struct Reader {
    stream: TcpStream,
    pub(super) status: u16,
    pub(super) head: String,
    chunked: bool,
    raw: Vec<u8>,
    body: Vec<u8>,
    /// Whether the last chunk was received, or, without chunked encoding, the connection has ended.
    pub(super) ended: bool,
    /// Whether the connection ended before the last chunk.
    pub(super) cut: bool,
    /// Whether the first heartbeat was read by `lines_so_far`.
    greeted: bool,
}

impl Reader {
    pub(crate) async fn open(url: &str, query: &str, headers: &[(&str, &str)]) -> Reader {
        let socket = TcpSocket::new_v4().expect("a socket");
        Reader::open_on(socket, url, query, headers).await
    }

    /// Opens a stream with a small receive buffer, so that the server soon notices if nobody reads.
    pub(super) async fn open_small(url: &str, query: &str) -> Reader {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(64 << 10).expect("a size");
        Reader::open_on(socket, url, query, &[]).await
    }

    async fn open_on(socket: TcpSocket, url: &str, query: &str, headers: &[(&str, &str)]) -> Reader {
        let address = url.strip_prefix("http://").expect("an http URL");
        let mut stream = socket.connect(address.parse().expect("an address")).await.expect("a connection");
        let mut request = format!("GET /v1/event/stream?{query} HTTP/1.1\r\nHost: {address}\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.expect("a request");
        let mut reader = Reader {
            stream,
            status: 0,
            head: String::new(),
            chunked: false,
            raw: Vec::new(),
            body: Vec::new(),
            ended: false,
            cut: false,
            greeted: false,
        };
        let end = loop {
            if let Some(end) = reader.raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert!(reader.receive().await, "no answer");
        };
        let rest = reader.raw.split_off(end + 4);
        reader.head =
            String::from_utf8(std::mem::replace(&mut reader.raw, rest)).expect("text").to_lowercase();
        reader.status = reader.head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        reader.chunked = reader.head.contains("transfer-encoding: chunked");
        reader.decode();
        reader
    }

    async fn receive(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let count = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.raw.extend(&buffer[..count]);
        count > 0
    }

    fn decode(&mut self) {
        if !self.chunked {
            self.body.append(&mut self.raw);
            return;
        }
        while let Some(line) = self.raw.windows(2).position(|window| window == b"\r\n") {
            let text = std::str::from_utf8(&self.raw[..line]).expect("a size");
            let size = usize::from_str_radix(text, 16).expect("a size");
            if self.raw.len() < line + 2 + size + 2 {
                return;
            }
            self.ended |= size == 0;
            self.body.extend(&self.raw[line + 2..line + 2 + size]);
            self.raw.drain(..line + 2 + size + 2);
        }
    }

    /// Receives more bytes. Returns false if the stream or the connection has ended.
    pub(super) async fn bytes(&mut self) -> bool {
        if self.ended || self.cut {
            return false;
        }
        let more = self.receive().await;
        self.decode();
        if !more {
            self.ended |= !self.chunked;
            self.cut = !self.ended;
        }
        more
    }

    /// Returns the next line; `None` after the last complete one.
    pub(super) async fn text(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.body.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.body.drain(..=end).collect();
                return Some(String::from_utf8(line).expect("text").trim_end().to_owned());
            }
            if !self.bytes().await {
                return None;
            }
        }
    }

    /// Returns the next line that is not a heartbeat.
    pub(super) async fn line(&mut self) -> Option<Value> {
        loop {
            let text = self.text().await?;
            let line: Value = serde_json::from_str(&text).expect("JSON");
            if line != serde_json::json!({}) {
                return Some(line);
            }
        }
    }

    /// Returns the lines before the next heartbeat, which contain all events so far.
    pub(crate) async fn lines_so_far(&mut self) -> Vec<Value> {
        if !std::mem::replace(&mut self.greeted, true) {
            assert_eq!(self.text().await.as_deref(), Some("{}"));
        }
        let mut lines = Vec::new();
        while let Some(text) = self.text().await.filter(|text| text != "{}") {
            lines.push(serde_json::from_str(&text).expect("JSON"));
        }
        lines
    }

    /// Returns the bytes after the last line.
    pub(super) fn rest(&self) -> &[u8] {
        &self.body
    }
}

/// Returns the events of a line.
pub(super) fn events(line: &Value) -> Vec<&Value> {
    line["Events"].as_array().expect("events").iter().collect()
}

/// Returns the index of a line.
pub(super) fn index(line: &Value) -> u64 {
    line["Index"].as_u64().expect("an index")
}

/// Returns `Topic/Type` of each event of a line.
pub(super) fn names(line: &Value) -> Vec<String> {
    let text = |event: &Value, field: &str| event[field].as_str().expect("text").to_owned();
    events(line)
        .into_iter()
        .map(|event| format!("{}/{}", text(event, "Topic"), text(event, "Type")))
        .collect()
}
