//! Scrapers, and a static server that returns the same bytes from memory.

use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;

/// Scrapes per scraper in one turn.
const ROUNDS: usize = 10;
/// Number of turns of each server.
const TURNS: usize = 9;

/// Scrape durations in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Measures gzipped scrapes of two servers by a number of concurrent scrapers with kept-alive connections. The servers
/// alternate and the median turn of each counts, so that other load on the machine affects both.
pub(crate) fn compare(addresses: [SocketAddr; 2], scrapers: usize) -> [Percentiles; 2] {
    let mut turns = addresses.map(|_| Vec::new());
    for _ in 0..TURNS {
        for (turns, address) in turns.iter_mut().zip(addresses) {
            turns.push(percentiles(address, scrapers));
        }
    }
    let middle = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    turns.map(|turns| Percentiles {
        p50: middle(turns.iter().map(|turn| turn.p50).collect()),
        p99: middle(turns.iter().map(|turn| turn.p99).collect()),
    })
}

fn percentiles(address: SocketAddr, scrapers: usize) -> Percentiles {
    let scraper = move || {
        let mut connection = BufReader::new(TcpStream::connect(address).expect("the server listens"));
        let times = (0..ROUNDS).map(|_| {
            let started = Instant::now();
            ask(&mut connection, true).expect("the server answers");
            started.elapsed().as_secs_f64()
        });
        times.collect::<Vec<f64>>()
    };
    let scrapers: Vec<_> = (0..scrapers).map(|_| std::thread::spawn(scraper)).collect();
    let mut times: Vec<f64> =
        scrapers.into_iter().flat_map(|scraper| scraper.join().expect("scrapers do not fail")).collect();
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Percentiles { p50: at(0.5), p99: at(0.99) }
}

/// Scrapes once on a new connection.
pub(crate) fn get(address: SocketAddr, gzip: bool) -> io::Result<Vec<u8>> {
    ask(&mut BufReader::new(TcpStream::connect(address)?), gzip)
}

fn ask(connection: &mut BufReader<TcpStream>, gzip: bool) -> io::Result<Vec<u8>> {
    let encoding = if gzip { "gzip" } else { "identity" };
    let head = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\
         Accept-Encoding: {encoding}\r\n\r\n"
    );
    connection.get_mut().write_all(head.as_bytes())?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(body)
}

/// Serves these bytes until the process ends.
pub(crate) fn serve(bytes: Vec<u8>) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            sender.send(socket.local_addr().expect("it is bound")).expect("somebody waits");
            let bytes = Bytes::from(bytes);
            loop {
                let (stream, _) = socket.accept().await.expect("connections come");
                let bytes = bytes.clone();
                let service = hyper::service::service_fn(move |_| {
                    let bytes = bytes.clone();
                    async { Ok::<_, Infallible>(http::Response::new(Full::new(bytes))) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    receiver.recv().expect("the server starts")
}
