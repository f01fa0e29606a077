//! Invalid response bodies.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use nomad_simulator::Fault;

use super::driver::Trial;

fn body(name: &'static str, body: impl Into<Bytes>) -> Trial {
    Trial::one(name, Fault::Body(body.into()), "decode")
}

#[tokio::test(flavor = "multi_thread")]
async fn html() {
    body("HTML", "<!doctype html><html><body>502 Bad Gateway</body></html>").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing() {
    body("an empty body", "").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_list() {
    body("JSON that breaks off", r#"[{"ID":"a","Namespace":"ci","Status":"blo"#).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_type() {
    body("an object instead of a list", r#"{"Evaluations":[]}"#).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_where_a_string_is_due() {
    body("a number where a string is due", r#"[{"ID":"a","Namespace":7,"Status":"blocked"}]"#).run().await;
}

/// The parser supports 128 levels.
#[tokio::test(flavor = "multi_thread")]
async fn ten_levels_too_deep() {
    let failures = format!("{}{}", r#"{"a":"#.repeat(138), "}".repeat(138));
    let deep = format!(r#"[{{"Namespace":"ci","Status":"blocked","FailedTGAllocs":{failures}"#);
    body("10 levels deeper than the parser goes", deep).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_utf_8() {
    let rows = &b"[{\"ID\":\"a\",\"Namespace\":\"\xff\xfe\",\"Status\":\"blocked\"}]"[..];
    body("invalid UTF-8", rows).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_keys() {
    body("duplicate keys", r#"[{"Namespace":"ci","Namespace":"web","Status":"blocked"}]"#).run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_above_the_cap() {
    let list = format!("[{}]", " ".repeat(1 << 20));
    Trial::one("a list above --nomad.max-list-bytes", Fault::Body(list.into()), "too_large")
        .with(&["--nomad.max-list-bytes", "524288"])
        .run()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_above_the_cap() {
    let object = format!("\"{}\"", "x".repeat(200 << 10));
    let mut trial = Trial::one("an object above --nomad.max-object-bytes", Fault::Close, "too_large");
    trial.trouble =
        super::driver::Trouble::Answers(vec![("/v1/status/leader".to_owned(), Fault::Body(object.into()))]);
    (trial.down, trial.seen) = (&["leader"], ("leader", "too_large"));
    trial.with(&["--nomad.max-object-bytes", "102400"]).run().await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// 1 GiB from about 1 MiB: gzip may consist of several members.
#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb() {
    let bomb = [gzip(b"["), gzip(&vec![b' '; 1 << 20]).repeat(1024)].concat();
    Trial::one("a gzip bomb of 1 GiB", Fault::Gzipped(bomb.into()), "too_large")
        .with(&["--nomad.max-list-bytes", "524288"])
        .run()
        .await;
}

/// Endless empty members.
#[tokio::test(flavor = "multi_thread")]
async fn gzip_that_yields_nothing() {
    let endless = gzip(b"").repeat(50_000);
    Trial::one("1 MiB of gzip that yields nothing", Fault::Gzipped(endless.into()), "too_large")
        .with(&["--nomad.max-compressed-bytes", "102400"])
        .run()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_gzip() {
    Trial::one("what is said to be gzip and is none", Fault::Gzipped(Bytes::from_static(b"[]")), "decode")
        .run()
        .await;
}
