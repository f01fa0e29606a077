//! What Prometheus and Alertmanager are configured with.

use std::path::Path;
use std::process::Command;

use crate::support::process::run;
use crate::support::{path, read, root, tools};

/// A Prometheus that is live, and the folder of its configuration.
const LIVE: &str = "rule_files:\n  - own/*.yml\nscrape_configs:\n  - job_name: own\n    static_configs: []\n";

/// The blocks of a language on the page.
fn blocks(language: &str) -> Vec<String> {
    let (page, fence) = (read("deploy/prometheus/README.md"), format!("```{language}\n"));
    let blocks = page.split(&fence).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// Runs commands of the page in the project's root, with another /etc/prometheus and without sudo.
fn done(commands: &str, folder: &Path) {
    let commands = commands.replace("/etc/prometheus", folder.to_str().unwrap()).replace("sudo ", "");
    let mut bash = Command::new("bash");
    bash.args(["-euc", &commands]).current_dir(root());
    let (code, stdout, stderr) = run(bash);
    assert_eq!(code, Some(0), "{commands}\n{stdout}{stderr}");
}

#[test]
fn the_pages_commands_leave_a_live_configuration_alone() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("prometheus.yml");
    std::fs::write(&live, LIVE).unwrap();
    let [copy, _] = blocks("sh").try_into().unwrap();
    // Twice: an upgrade is the same.
    for _ in 0..2 {
        done(&copy, folder.path());
    }
    assert_eq!(std::fs::read_to_string(&live).unwrap(), LIVE);
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert_eq!(files, ["nomad-exporter", "prometheus.yml"]);
    let rules = std::fs::read_dir(folder.path().join("nomad-exporter")).unwrap();
    assert!(rules.map(|file| file.unwrap().path()).all(|file| file.is_file() && !file.is_symlink()));
}

/// The lines that are to be added, below the lists that are there.
#[test]
#[ignore = "needs promtool: make test"]
fn promtool_accepts_the_pages_lines_in_a_live_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("prometheus.yml");
    let [copy, check] = blocks("sh").try_into().unwrap();
    done(&copy, folder.path());
    let [lines] = blocks("yaml").try_into().unwrap();
    let (rules, scrape) = lines.split_once("scrape_configs:\n").unwrap();
    let added = LIVE.replacen(
        "scrape_configs:\n",
        &(rules.split_once('\n').unwrap().1.to_owned() + "scrape_configs:\n" + scrape),
        1,
    );
    std::fs::write(&live, added).unwrap();
    let promtool = tools::find("promtool");
    let check = check.lines().next().unwrap().replace("promtool", promtool.to_str().unwrap());
    done(&check, folder.path());
    // Its name is that of the complete example, and of the other one.
    let job = scrape.lines().find(|line| line.contains("job_name")).unwrap();
    let (job, _comment) = job.split_once(" #").unwrap_or((job, ""));
    for file in ["prometheus.yml", "nomad-sd.yml"] {
        assert!(read(&format!("deploy/prometheus/{file}")).contains(job.trim()), "{file} has another name");
    }
}

#[test]
#[ignore = "needs promtool: make test"]
fn promtool_accepts_the_configuration_with_its_rules() {
    accepts_the_configuration_with_its_rules(&tools::find("promtool"));
}

/// The same with this promtool.
pub(crate) fn accepts_the_configuration_with_its_rules(promtool: &Path) {
    let mut check = Command::new(promtool);
    check.args(["check", "config"]).arg(path("deploy/prometheus/prometheus.yml"));
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout.matches("rules found").count(), 3, "{stdout}");
    let text = read("deploy/prometheus/prometheus.yml");
    assert!(text.contains("job_name: nomad-exporter #") && text.contains("honor_labels: true"), "{text}");
}

/// Debian's Prometheus has no service discovery for Nomad; Prometheus 3 has.
#[test]
#[ignore = "needs Prometheus 3: make check-prometheus"]
fn prometheus_3_accepts_the_discovery_of_nomads_services() {
    let Some(promtool) = tools::find_optional("promtool-3", "checking deploy/prometheus/nomad-sd.yml") else {
        return;
    };
    let mut version = Command::new(&promtool);
    version.arg("--version");
    let (_, stdout, stderr) = run(version);
    let folder = tempfile::tempdir().unwrap();
    let text = read("deploy/prometheus/nomad-sd.yml");
    // The file that holds the token must be there.
    let token = folder.path().join("nomad-token");
    std::fs::write(&token, "s3cret").unwrap();
    let alone = folder.path().join("alone.yml");
    std::fs::write(&alone, text.replace("/etc/prometheus/nomad-token", token.to_str().unwrap())).unwrap();
    let named = folder.path().join("named.yml");
    std::fs::write(&named, format!("scrape_config_files: [{}]\n", alone.display())).unwrap();
    for file in [alone, named] {
        let mut check = Command::new(&promtool);
        check.args(["check", "config"]).arg(&file);
        let (code, found, problem) = run(check);
        assert_eq!(code, Some(0), "{stdout}{stderr}: {found}{problem}");
    }
    // The service is that of the jobs.
    for job in ["nomad-exporter.nomad.hcl", "nomad-exporter-exec.nomad.hcl"] {
        assert!(read(&format!("deploy/nomad/{job}")).contains("name     = \"nomad-exporter\""), "{job}");
    }
    assert!(text.contains("regex: nomad-exporter\n"));
}

#[test]
#[ignore = "needs amtool: make check-deploy"]
fn alertmanager_wakes_somebody_for_what_is_critical_alone() {
    let amtool = tools::find("amtool");
    let file = path("deploy/prometheus/alertmanager.yml");
    let mut check = Command::new(&amtool);
    check.arg("check-config").arg(&file);
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for (severity, receiver) in [("critical", "on-call"), ("warning", "team"), ("info", "digest")] {
        let mut routes = Command::new(&amtool);
        routes.args(["config", "routes", "test", "--config.file"]).arg(&file);
        routes.arg(format!("severity={severity}"));
        assert_eq!(run(routes).1.trim(), receiver, "{severity}");
    }
}
