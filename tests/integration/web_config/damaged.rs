//! Damaged files and requests: never a panic, always an error message or a response.

use std::sync::LazyLock;

use nomad_exporter::exposition;
use nomad_exporter::web::AccessFile;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::passing::documented;
use super::{authority, hash, serve};
use crate::support::authority::Authority;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(authority);
/// The stored hash in the example.
static SECRET: LazyLock<String> = LazyLock::new(|| hash("s3cret", 10).split_off(7));
static EXAMPLE: LazyLock<String> = LazyLock::new(|| documented("tls_server_config:"));

/// A damage to a text.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Drop(usize),
    Repeat(usize, u8),
    Put(usize, String),
    Replace(&'static str, String),
    Indent(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let words = prop::sample::select(vec![
        "server.crt",
        "RequireAndVerifyClientCert",
        "ca.pem",
        "TLS12",
        "true",
        "deny",
        "$2y$10$",
        "100ms",
        "50",
        "alice",
        "prometheus.example",
        "cert_file",
        "rate_limit",
        "headers",
    ]);
    let bits = prop::sample::select(vec![
        "",
        "~",
        "null",
        "[",
        "]",
        "{",
        "}",
        "- ",
        ": ",
        "\n",
        "\t",
        "|",
        ">",
        "&a",
        "*a",
        "<<: *a",
        "!!binary ",
        "'",
        "\"",
        "#",
        "---\n",
        "...\n",
        "0",
        "-1",
        "1e999",
        ".nan",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "99999999999999999999",
        "server.key",
        "/dev/zero",
        "/",
        ".",
    ]);
    let text = prop_oneof![bits.prop_map(str::to_owned), ".{0,12}"];
    prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        any::<usize>().prop_map(Damage::Drop),
        (any::<usize>(), 1..200_u8).prop_map(|(line, times)| Damage::Repeat(line, times)),
        (any::<usize>(), text.clone()).prop_map(|(at, text)| Damage::Put(at, text)),
        (words, text).prop_map(|(word, text)| Damage::Replace(word, text)),
        any::<usize>().prop_map(Damage::Indent),
    ]
}

fn damaged(mut text: String, damage: &Damage) -> String {
    let place = |text: &str, at: usize| {
        let mut place = at % (text.len() + 1);
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        place
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = |at: usize| at % text.lines().count().max(1);
    match damage {
        Damage::Cut(at) => {
            text.truncate(place(&text, *at));
            return text;
        }
        Damage::Put(at, put) => {
            text.insert_str(place(&text, *at), put);
            return text;
        }
        Damage::Replace(word, other) => return text.replace(word, other),
        _ if lines.is_empty() => return text,
        Damage::Drop(at) => drop(lines.remove(line(*at))),
        Damage::Repeat(at, times) => {
            let line = line(*at);
            let again = vec![lines[line].clone(); usize::from(*times)];
            lines.splice(line..line, again);
        }
        Damage::Indent(at) => lines[line(*at)].insert_str(0, "   "),
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn damaged_files_are_accepted_or_rejected_with_an_error(damages in prop::collection::vec(damage(), 1..5)) {
        let text = damages.iter().fold(EXAMPLE.clone(), damaged);
        let file = AUTHORITY.path("damaged.yml");
        std::fs::write(&file, &text).unwrap();
        match AccessFile::open(file) {
            Ok(file) => prop_assert!(file.to_string().contains("HTTP/1.1")),
            Err(error) => {
                let said = error.to_string();
                let problem = said.split_once("damaged.yml: ").unwrap().1;
                prop_assert!(problem.len() > 10 && problem.len() < 1_000 && !problem.contains('\n'), "{said}");
                prop_assert!(!said.contains(&SECRET[..]), "{said}");
            }
        }
    }

    #[test]
    fn any_accept_header_gets_a_format(accept in any::<String>(), weights in "[a-z/*;=, q.0-9\"-]{0,60}") {
        for header in [Some(accept.as_str()), Some(weights.as_str()), None] {
            prop_assert!(exposition::format(header).content_type().contains("text"));
            // Any header results in one of the two.
            let _: exposition::Encoding = exposition::encoding(header);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn any_request_gets_a_response(
        authorization in prop::collection::vec(any::<u8>(), 0..100),
        accept in "[ -~]{0,100}",
        junk in prop::collection::vec(any::<u8>(), 0..200),
        is_head in any::<bool>(),
    ) {
        let mut request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ".to_vec();
        request.extend(authorization.iter().filter(|byte| !b"\r\n".contains(byte)));
        request.extend(format!("\r\nAccept: {accept}\r\nAccept-Encoding: {accept}\r\n\r\n").as_bytes());
        let request = if is_head { request } else { [junk, b"\r\n\r\n".to_vec()].concat() };
        let answer = SERVER.0.block_on(exchange(&request));
        // Blank lines are not a request, and the greeting of another protocol cannot be answered.
        let is_answered = answer.starts_with(b"HTTP/1.1 4");
        prop_assert!(is_answered || (!is_head && answer.is_empty()), "{}", String::from_utf8_lossy(&answer));
    }
}

static SERVER: LazyLock<(Runtime, std::net::SocketAddr)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("basic_auth_users: {{alice: {}}}", hash("s3cret", 4));
    let address = runtime.block_on(serve(folder.path(), &text, &["--web.header-timeout", "10s"]));
    // The file is reloaded repeatedly.
    std::mem::forget(folder);
    (runtime, address)
});

async fn exchange(request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(SERVER.1).await.unwrap();
    let mut answer = Vec::new();
    // The other end may close before it has read everything.
    stream.write_all(request).await.ok();
    if !request.starts_with(b"GET") {
        stream.shutdown().await.ok();
    }
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut answer));
    read.await.expect("it must end in time").ok();
    answer
}
