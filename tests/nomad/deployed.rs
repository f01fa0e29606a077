//! The jobs of deploy/nomad, planned by Nomad's own CLI and run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::answers::text;
use crate::cluster::Cluster;
use crate::exposition::Exposition;
use crate::process::wait_until;
use crate::programs::Version;
use crate::report::Report;

/// First version with a task API: identity file and socket of a task.
const TASK_API: Version = Version(1, 5, 0);
/// The job's ID, and its service's name.
const JOB: &str = "nomad-exporter";
/// Timeout of the deployment, which waits ten seconds after the first successful check.
const PATIENCE: Duration = Duration::from_secs(90);

/// Plans both variants, runs the one that needs no image, and removes it.
pub(crate) fn compare(cluster: &Cluster, report: &mut Report) {
    if !cluster.is_at_least(TASK_API) {
        println!("    skipped: the jobs of deploy/nomad (need Nomad {TASK_API})");
        return;
    }
    let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nomad");
    for file in ["nomad-exporter.nomad.hcl", "nomad-exporter-exec.nomad.hcl"] {
        let (code, said) = planned(cluster, &jobs.join(file));
        // Exit code 1 means that something would change.
        report.same(&format!("nomad job plan {file}: {said}"), &Some(1), &code);
    }
    run(cluster, &as_anybody(cluster, &jobs.join("nomad-exporter-exec.nomad.hcl")), report);
    cluster.api.delete(&format!("/v1/job/{JOB}?purge=true"));
    wait_until(PATIENCE, "the exporter's job to be forgotten", || {
        cluster.api.put("/v1/system/gc", &json!({}));
        ["/v1/allocations", "/v1/evaluations", "/v1/deployments"]
            .iter()
            .all(|path| cluster.api.list(path).iter().all(|row| text(row, "JobID") != JOB))
    });
}

/// Returns the job with a driver that needs no root, and the binary in a folder for all users.
fn as_anybody(cluster: &Cluster, job: &Path) -> PathBuf {
    let hcl = std::fs::read_to_string(job).unwrap();
    let exec = r#"driver = "exec""#;
    assert_eq!(hcl.matches(exec).count(), 1, "{} has one task with the exec driver", job.display());
    let changed = cluster.folder.join("exporter.nomad.hcl");
    std::fs::write(&changed, hcl.replace(exec, r#"driver = "raw_exec""#)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_nomad-exporter"), binary(cluster)).unwrap();
    changed
}

fn binary(cluster: &Cluster) -> PathBuf {
    cluster.folder.join("nomad-exporter")
}

/// Returns exit code and output of `nomad job plan`.
fn planned(cluster: &Cluster, job: &Path) -> (Option<i32>, String) {
    let mut command = cluster.server.command();
    command.args(["job", "plan", "-address", &cluster.api.url]).arg(job);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs the job until its deployment is complete, and scrapes the exporter at the registered address.
fn run(cluster: &Cluster, job: &Path, report: &mut Report) {
    let address = format!("-address={}", cluster.api.url);
    let command = format!("command={}", binary(cluster).display());
    let job = job.display().to_string();
    cluster.server.output(&["job", "run", "-detach", &address, "-var", &command, &job]);
    let mut status = String::new();
    wait_until(PATIENCE, "the end of the exporter's deployment", || {
        let deployment = cluster.api.get(&format!("/v1/job/{JOB}/deployment"));
        text(&deployment, "Status").clone_into(&mut status);
        !["", "running", "pending", "initializing"].contains(&status.as_str())
    });
    report.same("the deployment of the exporter's job", &"successful", &status.as_str());
    let services = cluster.api.list(&format!("/v1/service/{JOB}"));
    let Some(service) = services.first() else {
        return report.wrong("the exporter is no service of Nomad's");
    };
    let url = format!("http://{}:{}", text(service, "Address"), service["Port"]);
    let shown = Exposition::parse(&cluster.api.page(&format!("{url}/metrics")));
    report.same("nomad_up of the exporter's job", &Some(1.0), &shown.value("nomad_up", &[]));
    let nodes = cluster.api.list("/v1/nodes").len() as f64;
    report.same("nodes that the exporter's job sees", &Some(nodes), &shown.sum("nomad_nodes", &[]));
    let running = |row: &&Value| text(row, "ClientStatus") == "running";
    let allocations = cluster.api.list("/v1/allocations?namespace=*");
    let expected = allocations.iter().filter(running).count() as f64;
    let found = shown.sum("nomad_node_allocations", &[("client_status", "running")]);
    report.same("allocations that the exporter's job sees", &Some(expected), &found);
}
