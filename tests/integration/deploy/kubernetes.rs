//! The manifests: valid by strict schemas, and of this version. Also renders deploy/ with kustomize and Helm
//! for other tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{exporter, run};
use crate::support::{path, read, root, tools};

const CHART: &str = "deploy/helm/nomad-exporter";
const OPERATOR: &str = "monitoring.coreos.com/v1";
/// Values that enable everything in the chart.
pub(crate) const EVERYTHING: &str = r#"{"serviceMonitor": {"enabled": true}, "prometheusRule": {"enabled": true},
    "dashboards": {"enabled": true}, "nomad": {"token": {"existingSecret": "nomad-exporter-token"}}}"#;

pub(crate) fn objects(text: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

/// Renders a folder with kustomize. Returns `None` and prints that, if there is no kustomize.
pub(crate) fn kustomized(folder: &Path) -> Option<String> {
    let kustomize = tools::find_optional("kustomize", "building the kustomization")?;
    let mut build = Command::new(kustomize);
    build.arg("build").arg(folder);
    let (code, stdout, stderr) = run(build);
    assert_eq!(code, Some(0), "{}: {stderr}", folder.display());
    Some(stdout)
}

/// Renders the kustomization of the page, for a folder with deploy/ and dashboards/.
pub(crate) fn kustomization_of_the_page(root: &Path) -> Option<String> {
    let page = read("deploy/kubernetes/README.md");
    let text = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // A separate folder, so that nothing is written into the project.
    for name in ["deploy", "dashboards"] {
        let mut copy = Command::new("cp");
        copy.args(["--recursive", "--no-dereference"]).arg(root.join(name)).arg(folder.path().join(name));
        assert_eq!(run(copy).0, Some(0));
    }
    std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    kustomized(folder.path())
}

/// Renders the chart with these values, or returns Helm's error. `None` without Helm.
pub(super) fn rendered(values: &str) -> Option<Result<String, String>> {
    rendered_from(&path(CHART), values, &[])
}

pub(crate) fn rendered_from(chart: &Path, values: &str, more: &[&str]) -> Option<Result<String, String>> {
    let python = tools::find_optional("helm-python", "rendering the chart")?;
    let mut render = Command::new(python);
    render.arg(path("tests/integration/deploy/render.py")).arg(chart).arg(values).args(more);
    let (code, stdout, stderr) = run(render);
    Some(if code == Some(0) { Ok(stdout) } else { Err(stderr) })
}

/// Validates objects strictly by the schemas of Kubernetes and the types of the Prometheus Operator.
pub(crate) fn assert_valid(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(program) = tools::find_optional("kubernetes-validate", "validating objects of Kubernetes") {
        let file = folder.path().join("objects.yaml");
        std::fs::write(&file, text).unwrap();
        for version in ["1.29", "1.37"] {
            let mut validate = Command::new(&program);
            validate.args(["--strict", "-k", version]).arg(&file);
            let (code, stdout, stderr) = run(validate);
            assert_eq!(code, Some(0), "{version}: {stdout}{stderr}");
            assert!(format!("{stdout}{stderr}").contains("passed for resource deployment/"));
        }
    }
    if let Some(program) =
        tools::find_optional("operator-types", "checking the Prometheus Operator's objects")
    {
        let library = program.parent().unwrap().parent().unwrap().join("npm/node_modules");
        std::os::unix::fs::symlink(library, folder.path().join("node_modules")).unwrap();
        let file = folder.path().join("objects.ts");
        std::fs::write(&file, operator_objects(&objects(text))).unwrap();
        let mut check = Command::new(program);
        check.arg(&file).current_dir(folder.path());
        let (code, stdout, stderr) = run(check);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
    }
}

/// Returns the operator's objects as typed literals.
fn operator_objects(objects: &[Value]) -> String {
    let of_operator = objects.iter().filter(|object| object["apiVersion"] == OPERATOR);
    let literal = |(number, object): (usize, &Value)| {
        let kind = object["kind"].as_str().unwrap();
        let module = format!("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/{kind}");
        format!(
            "import type {{ I{kind} as T{number} }} from {module:?};\nexport const o{number}: T{number} = {object};\n"
        )
    };
    let text: String = of_operator.enumerate().map(literal).collect();
    text
}

#[test]
#[ignore = "needs kustomize: make check-deploy"]
fn manifests_are_valid() {
    let Some(text) = kustomized(&path("deploy/kubernetes")) else { return };
    assert_valid(&text);
    let of_operator = objects(&text).iter().filter(|object| object["apiVersion"] == OPERATOR).count();
    assert_eq!((objects(&text).len(), of_operator), (11, 3));
    for object in objects(&text) {
        assert_eq!(object["metadata"]["namespace"], "monitoring", "{}", object["metadata"]);
    }
    // Most build clusters have no ACLs: nothing waits for a Secret that does not exist.
    assert!(!text.contains("nomad-exporter-token"));
    // Without the operator.
    let alone = objects(&kustomized(&path("deploy/kubernetes/exporter")).unwrap());
    assert!(alone.iter().all(|object| object["apiVersion"] != OPERATOR));
}

#[test]
#[ignore = "needs kustomize: make check-deploy"]
fn the_documented_kustomization_is_valid_and_works() {
    let Some(text) = kustomization_of_the_page(root()) else { return };
    assert_valid(&text);
    let objects_of_page = objects(&text);
    let of = |kind: &str| objects_of_page.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &of("Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["image"], format!("registry.example/nomad-exporter:{}", env!("CARGO_PKG_VERSION")));
    let env = container["env"].as_array().unwrap();
    let address = json!({"name": "NOMAD_EXPORTER_NOMAD_ADDRESS", "value": "https://nomad.corp"});
    let token = json!({"name": "NOMAD_EXPORTER_NOMAD_TOKEN_FILE", "value": "/var/run/secrets/nomad/token"});
    assert!(env.len() == 2 && env.contains(&address) && env.contains(&token), "{env:?}");
    assert_eq!(of("NetworkPolicy")["spec"]["egress"][0]["ports"], json!([{"protocol": "TCP", "port": 443}]));
    // The Secret and its key are those of the example, and the file is where the exporter reads it.
    let secret = objects(&read("deploy/kubernetes/token/secret.example.yaml"));
    let volume = &pod["volumes"][0]["projected"]["sources"][0]["secret"];
    assert_eq!(secret[0]["metadata"]["name"], volume["name"]);
    assert!(secret[0]["stringData"][volume["items"][0]["key"].as_str().unwrap()].is_string());
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/var/run/secrets/nomad");
}

fn deployment() -> Value {
    objects(&read("deploy/kubernetes/exporter/deployment.yaml")).remove(0)
}

#[test]
fn the_deployment_has_no_privileges_and_working_probes() {
    let pod = &deployment()["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    let expected = json!({"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(pod["securityContext"], expected);
    let container = &pod["containers"][0];
    let expected = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]}});
    assert_eq!(container["securityContext"], expected);
    assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/-/healthy", "port": "http"}));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/-/ready", "port": "http"}));
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": 9441}]));
    assert!(
        container["resources"]["limits"]["memory"].is_string()
            && container["resources"]["requests"].is_object()
    );
}

/// The image has the version of the program everywhere.
#[test]
fn the_image_has_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let kustomization = objects(&read("deploy/kubernetes/exporter/kustomization.yaml")).remove(0);
    assert_eq!(kustomization["images"], json!([{"name": "nomad-exporter", "newTag": version}]));
    let chart = objects(&read(&format!("{CHART}/Chart.yaml"))).remove(0);
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
    assert!(read("deploy/nomad/nomad-exporter.nomad.hcl").contains(&format!("\"nomad-exporter:{version}\"")));
}

#[test]
fn the_service_monitor_keeps_labels_and_the_job_name() {
    let monitor = objects(&read("deploy/kubernetes/monitoring/servicemonitor.yaml")).remove(0);
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!((&endpoint["honorLabels"], &endpoint["path"]), (&json!(true), &json!("/metrics")));
    let relabelings = json!([{"targetLabel": "job", "replacement": "nomad-exporter"},
        {"targetLabel": "cluster", "replacement": ""}, {"targetLabel": "region", "replacement": ""}]);
    assert_eq!(endpoint["relabelings"], relabelings);
    let rules = read("alerts/nomad.rules.yml") + &read("alerts/nomad.alerts.yml");
    assert_eq!(rules.matches("job=").count(), 1, "the scrape job is named once");
    assert!(rules.contains(r#"up{job="nomad-exporter"}"#));
}

/// The rules equal those of alerts/.
#[test]
fn rules_are_in_step() {
    let (code, stdout, stderr) = run(Command::new(path("scripts/prometheusrule.sh")));
    assert_eq!(code, Some(0), "{stderr}");
    let file = "deploy/kubernetes/monitoring/prometheusrule.yaml";
    assert!(stdout == read(file), "{file} is outdated: run `make doc`");
    for (object, rules) in objects(&stdout).iter().zip(["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml"])
    {
        assert_eq!(object["spec"], objects(&read(rules))[0], "{rules}");
    }
}

/// The dashboards equal those of dashboards/.
#[test]
#[ignore = "needs kustomize: make check-deploy"]
fn dashboards_are_in_step() {
    let Some(text) = kustomized(&path("dashboards")) else { return };
    assert_eq!(dashboards(&objects(&text)), on_disk());
}

/// Returns the dashboards in ConfigMaps for Grafana's sidecar, by file.
pub(super) fn dashboards(objects: &[Value]) -> Vec<(String, String)> {
    let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    let maps = maps.inspect(|map| assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1"));
    let files = maps.flat_map(|map| map["data"].as_object().unwrap());
    let mut files: Vec<_> =
        files.map(|(file, text)| (file.clone(), text.as_str().unwrap().trim().to_owned())).collect();
    files.sort();
    files
}

pub(super) fn on_disk() -> Vec<(String, String)> {
    let paths = std::fs::read_dir(path("dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let json = paths.filter(|file| file.extension().is_some_and(|kind| kind == "json"));
    let name = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<_> =
        json.map(|file| (name(&file), std::fs::read_to_string(&file).unwrap().trim().to_owned())).collect();
    files.sort();
    files
}

/// The program reads every variable in the manifests.
#[test]
fn variables_exist() {
    let help = run(exporter(&["--help"])).1;
    for variable in deployment()["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(help.contains(&format!("{name}=")), "the program has no variable {name}");
    }
}
