//! The query for the number of clients of a pool, with load shapes of a cluster whose clients follow it, and
//! the programs that use it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::shapes::{Happens, Play, STEP};
use crate::support::process::{run, write_script};
use crate::support::{path, promtool, read, tools};

/// A burst of builds on idle clients, and a second one while the first is running.
fn burst(play: &mut Play, step: usize) {
    match step {
        10 => play.submit(40, (4, 8)),
        18 => play.submit(20, (4, 8)),
        _ => {}
    }
}

/// A steady stream of builds with a varying rate.
fn steady(play: &mut Play, step: usize) {
    play.submit([1, 2, 0, 1, 3, 1, 0, 2, 1, 2][step % 10], (3, 9));
}

/// The same, and two clients with builds are drained, one after the other.
fn drain(play: &mut Play, step: usize) {
    steady(play, step);
    match step {
        80 => play.drain("client-01"),
        120 => play.drain("client-02"),
        _ => {}
    }
}

/// Returns how often the number changed between growing and shrinking.
fn turns(wanted: &[usize]) -> usize {
    let changes: Vec<_> =
        wanted.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| pair[0] < pair[1]).collect();
    changes.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_follow_a_burst_and_do_not_flap() {
    let Play { wanted, queued, .. } = recorded("burst", 2, burst).await;
    // Each build takes a fifth of a client, and four fit beside a system job: 40 builds need ten clients,
    // within a minute and a half.
    assert_eq!(wanted[12], 10, "{wanted:?}");
    // Of the next 20 builds, the ten new clients take six before their system job starts, and 14 builds need
    // three more clients. No more are wanted, and two minutes later nothing waits.
    assert_eq!((wanted[20], wanted.iter().max()), (13, Some(&13)), "{wanted:?}");
    assert!(
        queued[17] == 0.0 && queued[18] > 0.0 && queued[25..].iter().all(|queued| *queued == 0.0),
        "{queued:?}"
    );
    // At the end only system jobs run, which are no demand.
    assert_eq!(wanted.last(), Some(&0), "{wanted:?}");
    assert_eq!(turns(&wanted), 1, "up, and then down: {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_stay_while_builds_keep_coming() {
    stays(&recorded("steady", 6, steady).await.wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_stay_while_some_drain() {
    stays(&recorded("drain", 6, drain).await.wanted);
}

/// Checks that the number does not change after the first half hour.
fn stays(wanted: &[usize]) {
    assert!(wanted[70..].iter().all(|wanted| *wanted == 5), "{wanted:?}");
}

/// Runs a load shape, compares it with its file, and returns the wanted clients and queued builds at each
/// step. `UPDATE_GOLDENS=1 cargo test deploy::scaling` updates the files.
async fn recorded(name: &str, clients: usize, happens: Happens) -> Play {
    let play = Play::run(clients, happens).await;
    let (file, test) = (format!("deploy/autoscaler/tests/{name}.test.yml"), unit_test(name, &play));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(path(&file), &test).unwrap();
    }
    assert!(read(&file) == test, "{file} is not what the simulated cluster does: UPDATE_GOLDENS=1 writes it");
    play
}

/// The shipped rules return the values that were calculated independently for the recorded series.
#[test]
#[ignore = "needs promtool: make test"]
fn the_rules_agree_with_the_recorded_shapes() {
    says_the_same_of_the_recorded_shapes(&tools::find("promtool"));
}

/// Checks that the rules have the recorded results with this promtool.
pub(crate) fn says_the_same_of_the_recorded_shapes(promtool: &Path) {
    promtool::check_rules(promtool, &[path("deploy/autoscaler/nomad-autoscaler.rules.yml")]);
    promtool::test_folder(promtool, &path("deploy/autoscaler/tests"));
}

/// Returns a unit test for promtool: the series, and the wanted number every five minutes.
fn unit_test(name: &str, play: &Play) -> String {
    let mut text = format!(
        "# Recorded from the simulated cluster, whose clients followed the query; written by\n\
         # `UPDATE_GOLDENS=1 cargo test deploy::scaling`.\n\n\
         rule_files:\n  - ../nomad-autoscaler.rules.yml\n\nevaluation_interval: {}s\n\n\
         tests:\n  - name: {name}\n    interval: {0}s\n    input_series:\n{}    promql_expr_test:\n",
        STEP.as_secs(),
        play.input_series(),
    );
    for step in (0..play.wanted.len()).step_by(10) {
        text += &format!(
            "      - expr: pool:nomad_clients_wanted:count\n        eval_time: {}s\n        exp_samples:\n          \
             - labels: pool:nomad_clients_wanted:count{{node_pool=\"default\"}}\n            value: {}\n",
            step as u64 * STEP.as_secs(),
            play.wanted[step]
        );
    }
    text
}

/// Returns the query that autoscalers use, with these matchers in addition to the pool.
pub(super) fn query(pool: &str, matchers: &str) -> String {
    format!("max by (cluster, region) (pool:nomad_clients_wanted:count{{node_pool=\"{pool}\"{matchers}}})")
}

/// Runs scale-asg.sh with a Prometheus that returns these values, and an AWS CLI whose group has 2 to 10
/// clients and a desired capacity of 4. Returns the exit code, the capacity that was set, and the query.
fn scale(arguments: &[&str], values: &[&str]) -> (Option<i32>, String, String) {
    scale_group(arguments, values, "2\\t10\\t4\\n")
}

/// The same with this description of the group by AWS.
fn scale_group(arguments: &[&str], values: &[&str], group: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (told, aws) = (folder.path().join("told"), folder.path().join("aws"));
    let stub =
        "case $2 in\ndescribe-auto-scaling-groups) printf 'GROUP' ;;\n*) echo \"$*\" >\"$TOLD\" ;;\nesac";
    write_script(&aws, &stub.replace("GROUP", group));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let prometheus = format!("http://{}", listener.local_addr().unwrap());
    let result: Vec<_> =
        values.iter().map(|value| serde_json::json!({"metric": {}, "value": [0, value]})).collect();
    let body = serde_json::json!({"status": "success", "data": {"resultType": "vector", "result": result}});
    let asked = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let length = connection.read(&mut head).unwrap();
        let body = body.to_string();
        write!(
            connection,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let mut script = Command::new(path("deploy/autoscaler/scale-asg.sh"));
    let programs = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    script
        .args(["clients", "default"])
        .args(arguments)
        .env("PATH", programs)
        .env("TOLD", &told)
        .env("PROMETHEUS_URL", prometheus);
    let (code, _, _) = run(script);
    let asked = asked.join().unwrap();
    let request = asked.split(' ').nth(1).unwrap().to_owned();
    let url = reqwest::Url::parse(&format!("http://a{request}")).unwrap();
    let query = url.query_pairs().next().unwrap().1.into_owned();
    (code, std::fs::read_to_string(&told).unwrap_or_default().trim().to_owned(), query)
}

#[test]
#[ignore = "needs curl and jq: make check-deploy"]
fn the_group_is_scaled_within_its_limits() {
    for program in ["curl", "jq"] {
        if tools::find_optional(program, "running scale-asg.sh").is_none() {
            return;
        }
    }
    let set = |number: u8| {
        format!(
            "autoscaling set-desired-capacity --auto-scaling-group-name clients --desired-capacity {number}"
        )
    };
    let asked = query("default", "");
    assert_eq!(scale(&[], &["7"]), (Some(0), set(7), asked.clone()));
    assert_eq!(scale(&[], &["3"]), (Some(0), set(3), asked.clone()));
    assert_eq!(scale(&[], &["4"]), (Some(0), String::new(), asked.clone()), "no change is expected");
    assert_eq!(scale(&[], &["0"]), (Some(0), set(2), asked.clone()));
    assert_eq!(scale(&[], &["99"]), (Some(0), set(10), asked.clone()));
    // Output of the AWS CLI for a group that does not exist.
    for unknown in ["None\\n", "None\\tNone\\tNone\\n", ""] {
        let (code, told, _) = scale_group(&[], &["7"], unknown);
        assert_eq!((code, told), (Some(1), String::new()), "{unknown}");
    }
    // No result, no valid number, or two ambiguous regions.
    for unknown in [&[][..], &["NaN"], &["+Inf"], &["-1"], &["3.5"], &["7", "3"]] {
        assert_eq!(scale(&[], unknown), (Some(1), String::new(), asked.clone()), "{unknown:?}");
    }
    // One of them.
    let asked = query("default", r#",region="eu",cluster="prod""#);
    assert_eq!(scale(&["eu", "prod"], &["7"]), (Some(0), set(7), asked));
}
