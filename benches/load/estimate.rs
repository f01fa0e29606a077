//! Estimated cost of responses for Nomad's servers, from the rows that the simulator counted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// CPU seconds per row that a filter evaluates, and per row that is sent; measured with Nomad 1.11.3 and
/// 20,000 dead jobs (4 to 6 and 12 to 16 us; a filter with `any` takes 13).
const FILTERED: f64 = 5e-6;
const SENT: f64 = 14e-6;
/// CPU seconds per row that is compared with a `status`: with the same jobs, lists of evaluations without a
/// match took 6 and 8 ms.
const COMPARED: f64 = 0.35e-6;
/// CPU seconds per request for a single row by its ID, as `make test-nomad` prints it on an idle machine.
const SINGLE: f64 = 0.16e-3;

/// Rows that a server processed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) filtered: f64,
    pub(crate) compared: f64,
    pub(crate) sent: f64,
    /// Requests for single rows.
    pub(crate) single: f64,
}

impl Work {
    /// Returns the rows of all responses so far.
    pub(crate) fn so_far(simulator: SocketAddr) -> Self {
        let mut connection = TcpStream::connect(simulator).expect("the simulator listens");
        let head = "GET /simulator/work HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        connection.write_all(head.as_bytes()).expect("the simulator reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the simulator answers");
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        let counts: serde_json::Value = serde_json::from_str(body).expect("it tells counts");
        let count = |name: &str| counts[name].as_f64().expect("it tells each");
        Self {
            filtered: count("filtered"),
            compared: count("compared"),
            sent: count("sent"),
            single: count("single"),
        }
    }

    /// Returns the mean per refresh since `before`.
    pub(crate) fn since(self, before: Self, refreshes: f64) -> Self {
        Self {
            filtered: (self.filtered - before.filtered) / refreshes,
            compared: (self.compared - before.compared) / refreshes,
            sent: (self.sent - before.sent) / refreshes,
            single: (self.single - before.single) / refreshes,
        }
    }

    /// Returns the CPU seconds of a server.
    pub(crate) fn cpu(self) -> f64 {
        self.filtered * FILTERED + self.compared * COMPARED + self.sent * SENT + self.single * SINGLE
    }
}
