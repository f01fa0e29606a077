//! Random request heads for the real listener: each connection gets a response or is closed in time, and the
//! next client is served.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use fastrand::Rng;

use crate::support::process::{Exporter, wait_until};
use crate::support::recordings;

/// Number of request heads.
const HEADS: usize = 400;
/// Maximum wait for complete or invalid heads.
const DEADLINE: Duration = Duration::from_secs(10);
const HEAD: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nAccept-Encoding: gzip\r\n\r\n";

fn seed() -> u64 {
    std::env::var("HEADS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

fn head(random: &mut Rng) -> Vec<u8> {
    let mut head = HEAD.as_bytes().to_vec();
    let at = random.usize(..head.len());
    let put = |head: &mut Vec<u8>, text: &[u8]| drop(head.splice(at..at, text.iter().copied()));
    match random.u8(..12) {
        0 => head = (0..random.usize(1..400)).map(|_| random.u8(..)).collect(),
        1 => head[at] = random.u8(..),
        2 => head.truncate(at),
        3 => put(&mut head, &vec![b'x'; 600 << 10]),
        4 => put(&mut head, "X-Many: 1\r\n".repeat(random.usize(1..500)).as_bytes()),
        5 => put(&mut head, b"\0"),
        6 => put(&mut head, "\u{202e}\u{1f980}".as_bytes()),
        7 => head = String::from_utf8_lossy(&head).replace("\r\n", "\n").into_bytes(),
        8 => put(&mut head, b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        9 => head.extend_from_within(..at),
        10 => put(&mut head, b"\r\n\r\n"),
        _ => {
            let odd = [
                "PRI * HTTP/2.0",
                "GET http://b/metrics HTTP/1.1",
                "GET * HTTP/1.0",
                "CONNECT a:1 HTTP/1.1",
                "GET /%00%ff HTTP/9.9",
                "G\tT / HTTP/1.1",
            ];
            head = HEAD.replacen("GET /metrics HTTP/1.1", odd[random.usize(..odd.len())], 1).into_bytes();
        }
    }
    head
}

/// Sends bytes; returns the response until the connection ends.
fn answer(host: &str, head: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    // A server that rejects a head early does not read the rest.
    stream.write_all(head).and_then(|()| stream.shutdown(Shutdown::Write)).ok();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(answer),
        read => read.map(|_| answer),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_head_gets_a_response_in_time() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let test = move || {
        let exporter = Exporter::start(&nomad, &[]);
        let host = exporter.url.trim_start_matches("http://").to_owned();
        let status = |path: &str| {
            let answer = answer(&host, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
            String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
        };
        wait_until(DEADLINE, "readiness", || status("/-/ready") == "200");
        let (seed, mut answered) = (seed(), 0);
        let mut random = Rng::with_seed(seed);
        for number in 0..HEADS {
            let head = head(&mut random);
            let told = format!("HEADS_SEED={seed}, head {number}: {:.200?}", String::from_utf8_lossy(&head));
            let answer = answer(&host, &head).unwrap_or_else(|error| panic!("{told}: {error}"));
            if answer.is_empty() {
                continue;
            }
            answered += 1;
            let line = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
            let code: u16 = line
                .strip_prefix("HTTP/1.")
                .and_then(|rest| rest[2..].parse().ok())
                .unwrap_or_else(|| panic!("{told}: {line}"));
            assert!((200..500).contains(&code) || code == 505, "{told}: {code}");
        }
        assert!(answered > HEADS / 4, "HEADS_SEED={seed}: {answered} answers");
        assert_eq!(status("/metrics"), "200");
        assert!(!exporter.log().contains("panicked"), "{}", exporter.log());
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}
