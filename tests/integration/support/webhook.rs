//! A receiver of Alertmanager's webhook.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Listens until the test ends, and keeps every notification.
pub(crate) struct Webhook {
    notifications: Arc<Mutex<Vec<Value>>>,
    pub(crate) url: String,
}

impl Webhook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let notifications = Arc::new(Mutex::new(Vec::new()));
        let received = notifications.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let notification = receive(connection);
                received.lock().unwrap().push(notification);
            }
        });
        Self { notifications, url }
    }

    /// Every notification that came, in order.
    pub(crate) fn notifications(&self) -> Vec<Value> {
        self.notifications.lock().unwrap().clone()
    }

    /// The last that was said of an alert of this name with this label.
    pub(crate) fn last(&self, name: &str, label: (&str, &str)) -> Option<Value> {
        let notifications = self.notifications.lock().unwrap();
        let alerts =
            notifications.iter().flat_map(|notification| notification["alerts"].as_array()).flatten();
        let is_it = |alert: &&Value| {
            alert["labels"]["alertname"] == name
                && (label.0.is_empty() || alert["labels"][label.0] == label.1)
        };
        alerts.rev().find(is_it).cloned()
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
