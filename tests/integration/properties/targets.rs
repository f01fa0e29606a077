//! The bodies of the fuzz targets on stable Rust, with original and damaged seeds.

use fastrand::Rng;

use crate::mutation::damage;
use crate::support::{exposition, path};

#[path = "../../../fuzz/src/bodies.rs"]
#[allow(unreachable_pub, reason = "the targets are a crate of their own")]
mod bodies;

/// Number of damaged variants per seed.
const TIMES: usize = 40;

/// Runs a target with each seed, and with damaged variants.
fn run(target: fn(&[u8]), seeds: impl IntoIterator<Item = Vec<u8>>) {
    let mut random = Rng::with_seed(7);
    for seed in seeds {
        target(&seed);
        let mut damaged = seed.clone();
        for time in 0..TIMES {
            if time % 4 == 0 {
                damaged.clone_from(&seed);
            }
            damage::text(&mut damaged, &mut random);
            target(&damaged);
        }
    }
}

/// Returns small recorded responses that start with this byte.
fn recorded(first: u8) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(path("tests/fixtures/recordings/2.0.5-drain")).unwrap();
    let texts = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let texts: Vec<_> = texts.filter(|text| text.first() == Some(&first) && text.len() < 20_000).collect();
    assert!(texts.len() >= 10, "{} recordings", texts.len());
    texts
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.replace(' ', "\n").into_bytes()).collect()
}

#[test]
fn lists() {
    let seeds = recorded(b'[').into_iter().zip([0, 1, 16, 255].into_iter().cycle());
    run(bodies::lists, seeds.map(|(text, step)| [vec![step], text].concat()));
}

#[test]
fn objects() {
    run(bodies::objects, recorded(b'{'));
}

#[test]
fn negotiation() {
    let headers = "\
application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5,*/*;q=0.1
text/html,application/xhtml+xml;q=0.9,*/*;q=0.8
deflate,GZIP;q=0.5
*;q=nan,gzip;q=-1
;;,,=;q=x";
    run(bodies::negotiation, headers.lines().map(|line| line.as_bytes().to_vec()));
}

#[test]
fn flags() {
    let command_lines = "\
--nomad.address=http://127.0.0.1:4646/a,unix:///b --nomad.timeout=3s --nomad.region=eu check
--collect.interval 1m --collect.history-interval 2m --collect.duty-cycle 0.1 --collect.job-types batch
--metrics.allow=nomad_.* --metrics.deny nomad_jobs --no-collector.drains --collector.host_stats=no
--collect.usage-jobs [a-z]+ --nomad.max-list-bytes=1 --log.level=debug --web.telemetry-path=/m --help
1.9.4-beta.1+ent
https://me:secret@nomad.example:4646/?a#b";
    run(bodies::flags, lines(command_lines));
}

#[test]
fn labels() {
    let mut random = Rng::with_seed(7);
    run(bodies::labels, (0..40).map(|_| damage::odd_text(&mut random).into_bytes()));
}
