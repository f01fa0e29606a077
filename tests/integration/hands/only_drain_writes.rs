//! Serving and all other commands send only GET; the code that can write is in one place and used in one.

use nomad_simulator::cluster::Settings;

use super::{World, build};
use crate::support::path;
use crate::support::process::Exporter;

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn only_the_drain_command_can_write() {
    let (mut writers, mut users) = (Vec::new(), Vec::new());
    for file in rust_files(&path("src")) {
        let source = std::fs::read_to_string(&file).unwrap();
        let relative = file.strip_prefix(path("src")).unwrap().display().to_string();
        // All ways to make a request other than GET.
        let writes = [".put(", ".post(", ".patch(", ".delete(", ".request(", "Method::"];
        let can_send = relative.starts_with("nomad/") || source.contains("reqwest");
        if can_send && writes.iter().any(|call| source.contains(call)) {
            writers.push(relative.clone());
        }
        if source.contains("Drainer") {
            users.push(relative);
        }
    }
    users.sort();
    assert_eq!(writers, ["nomad/drainer.rs"]);
    // The definition, its public export, a comment, and the only command.
    assert_eq!(users, ["commands/drain/mod.rs", "nomad/client.rs", "nomad/drainer.rs", "nomad/mod.rs"]);
    let client = std::fs::read_to_string(path("src/nomad/client.rs")).unwrap();
    let named = client.lines().filter(|line| line.contains("Drainer"));
    assert!(named.clone().all(|line| line.starts_with("///")), "{:?}", named.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_other_code_sends_only_get() {
    let world = World::new(2, Settings::default()).await;
    world.cluster().submit(build("build-7", 120));
    world.pass(20);
    for line in [
        &["check"][..],
        &["status"],
        &["jobs"],
        &["nodes"],
        &["node", "client-1"],
        &["logs", "build-7"],
        &["drain", "client-1", "--dry-run"],
    ] {
        world.simulator.clear_requests();
        world.run(line).await;
        assert!(
            !world.methods().is_empty() && world.methods().iter().all(|method| method == "GET"),
            "{line:?}"
        );
    }
    world.simulator.clear_requests();
    let url = world.simulator.url();
    let serving = tokio::task::spawn_blocking(move || Exporter::start(&url, &["--collect.interval", "1s"]));
    let serving = serving.await.unwrap();
    world.until("refreshes", |world| world.methods().len() > 30).await;
    drop(serving);
    let methods = world.methods();
    assert!(methods.iter().all(|method| method == "GET"), "{methods:?}");
}
