//! A receiver of Alertmanager's webhook.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Listens until the test ends, and keeps every alert that it was told of.
pub(crate) struct Webhook {
    alerts: Arc<Mutex<Vec<Value>>>,
    pub(crate) url: String,
}

impl Webhook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let received = alerts.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let notification = receive(connection);
                let mut received = received.lock().unwrap();
                received.extend(notification["alerts"].as_array().into_iter().flatten().cloned());
            }
        });
        Self { alerts, url }
    }

    /// The last that was said of an alert of this name with this label.
    pub(crate) fn last(&self, name: &str, label: (&str, &str)) -> Option<Value> {
        let alerts = self.alerts.lock().unwrap();
        let is_it = |alert: &&Value| {
            alert["labels"]["alertname"] == name
                && (label.0.is_empty() || alert["labels"][label.0] == label.1)
        };
        alerts.iter().rev().find(is_it).cloned()
    }

    /// Whether it was said last that an alert fires, or that it is resolved.
    pub(crate) fn status(&self, name: &str, label: (&str, &str)) -> Option<String> {
        Some(self.last(name, label)?["status"].as_str()?.to_owned())
    }
}

/// Reads one notification and confirms it.
fn receive(connection: TcpStream) -> Value {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    reader.into_inner().write_all(answer).unwrap();
    serde_json::from_slice(&body).unwrap_or_default()
}
