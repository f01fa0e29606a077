//! The manifests and the chart: valid, strict, and the same.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{exporter, run};
use crate::support::{path, read, tools};

const CHART: &str = "deploy/helm/nomad-exporter";
/// The chart with everything in it.
const EVERYTHING: &str = r#"{"serviceMonitor": {"enabled": true}, "prometheusRule": {"enabled": true},
    "dashboards": {"enabled": true}, "nomad": {"token": {"existingSecret": "nomad-exporter-token"}}}"#;

fn objects(text: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

/// What kustomize makes of a folder. `None`, and says so, where there is no kustomize.
fn kustomized(folder: &str) -> Option<String> {
    let kustomize = tools::find_optional("kustomize", "building the kustomization")?;
    let mut build = Command::new(kustomize);
    build.arg("build").arg(path(folder));
    let (code, stdout, stderr) = run(build);
    assert_eq!(code, Some(0), "{folder}: {stderr}");
    Some(stdout)
}

/// What Helm makes of the chart with these values, or what it says against them. `None` where there is no Helm.
fn rendered(values: &str) -> Option<Result<String, String>> {
    let python = tools::find_optional("helm-python", "rendering the chart")?;
    let mut render = Command::new(python);
    render.arg(path("tests/integration/deploy/render.py")).arg(path(CHART)).arg(values);
    let (code, stdout, stderr) = run(render);
    Some(if code == Some(0) { Ok(stdout) } else { Err(stderr) })
}

/// Holds objects to the schemas of Kubernetes and the types of the Prometheus Operator, which know no other fields.
fn assert_valid(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(program) = tools::find_optional("kubernetes-validate", "validating objects of Kubernetes") {
        let file = folder.path().join("objects.yaml");
        std::fs::write(&file, text).unwrap();
        for version in ["1.29", "1.37"] {
            let mut validate = Command::new(&program);
            validate.args(["--strict", "-k", version]).arg(&file);
            let (code, stdout, stderr) = run(validate);
            assert_eq!(code, Some(0), "{version}: {stdout}{stderr}");
            assert!(format!("{stdout}{stderr}").contains("passed for resource deployment/nomad-exporter"));
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

/// The operator's objects as literals of their types.
fn operator_objects(objects: &[Value]) -> String {
    let of_operator = objects.iter().filter(|object| object["apiVersion"] == "monitoring.coreos.com/v1");
    let literal = |(number, object): (usize, &Value)| {
        let kind = object["kind"].as_str().unwrap();
        let module = format!("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/{kind}");
        format!(
            "import type {{ I{kind} as T{number} }} from {module:?};\nexport const o{number}: T{number} = {object};\n"
        )
    };
    let text: String = of_operator.enumerate().map(literal).collect();
    assert_eq!(text.matches("import type").count(), 3, "two of rules, and who is scraped");
    text
}

#[test]
fn manifests_are_valid() {
    let Some(text) = kustomized("deploy/kubernetes") else { return };
    assert_valid(&text);
    assert_eq!(objects(&text).len(), 10);
    for object in objects(&text) {
        assert_eq!(object["metadata"]["namespace"], "monitoring", "{}", object["metadata"]);
    }
    let secret = objects(&read("deploy/kubernetes/exporter/secret.example.yaml"));
    let volume = &deployment()["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"][0]["secret"];
    assert_eq!(secret[0]["metadata"]["name"], volume["name"]);
    assert!(secret[0]["stringData"][volume["items"][0]["key"].as_str().unwrap()].is_string());
    // Without the operator.
    let alone = objects(&kustomized("deploy/kubernetes/exporter").unwrap());
    assert!(alone.iter().all(|object| object["apiVersion"] != "monitoring.coreos.com/v1"));
}

fn deployment() -> Value {
    objects(&read("deploy/kubernetes/exporter/deployment.yaml")).remove(0)
}

#[test]
fn the_deployment_has_no_privilege_and_asks_what_the_exporter_answers() {
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
    // The token's file is where the exporter looks for it.
    let env = container["env"].as_array().unwrap();
    let file = env.iter().find(|variable| variable["name"] == "NOMAD_EXPORTER_NOMAD_TOKEN_FILE").unwrap();
    let mount = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    assert_eq!(file["value"], format!("{mount}/token"));
}

/// The version of the image is that of the program, everywhere.
#[test]
fn the_image_is_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let kustomization = objects(&read("deploy/kubernetes/exporter/kustomization.yaml")).remove(0);
    assert_eq!(kustomization["images"], json!([{"name": "nomad-exporter", "newTag": version}]));
    let chart = objects(&read(&format!("{CHART}/Chart.yaml"))).remove(0);
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
    assert!(read("deploy/nomad/nomad-exporter.nomad.hcl").contains(&format!("\"nomad-exporter:{version}\"")));
}

#[test]
fn the_service_monitor_keeps_nomads_labels_and_the_name_that_alerts_know() {
    let monitor = objects(&read("deploy/kubernetes/monitoring/servicemonitor.yaml")).remove(0);
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!((&endpoint["honorLabels"], &endpoint["path"]), (&json!(true), &json!("/metrics")));
    let relabelings = json!([{"targetLabel": "job", "replacement": "nomad-exporter"},
        {"targetLabel": "cluster", "replacement": ""}, {"targetLabel": "region", "replacement": ""}]);
    assert_eq!(endpoint["relabelings"], relabelings);
    let rules = read("alerts/nomad.rules.yml") + &read("alerts/nomad.alerts.yml");
    assert_eq!(rules.matches("job=").count(), 1, "one place names the scrape job");
    assert!(rules.contains(r#"up{job="nomad-exporter"}"#));
}

/// Rules and dashboards are those of alerts/ and dashboards/.
#[test]
fn rules_and_dashboards_are_in_step() {
    let (code, stdout, stderr) = run(Command::new(path("scripts/prometheusrule.sh")));
    assert_eq!(code, Some(0), "{stderr}");
    let file = "deploy/kubernetes/monitoring/prometheusrule.yaml";
    assert!(stdout == read(file), "{file} is out of step: run `make doc`");
    for (object, rules) in objects(&stdout).iter().zip(["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml"])
    {
        assert_eq!(object["spec"], objects(&read(rules))[0], "{rules}");
    }
    let Some(text) = kustomized("dashboards") else { return };
    assert_eq!(dashboards(&objects(&text)), on_disk());
}

/// The dashboards in ConfigMaps that Grafana's sidecar loads, by file.
fn dashboards(objects: &[Value]) -> Vec<(String, String)> {
    let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    let maps = maps.inspect(|map| assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1"));
    let files = maps.flat_map(|map| map["data"].as_object().unwrap());
    let mut files: Vec<_> =
        files.map(|(file, text)| (file.clone(), text.as_str().unwrap().trim().to_owned())).collect();
    files.sort();
    files
}

fn on_disk() -> Vec<(String, String)> {
    let paths = std::fs::read_dir(path("dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let json = paths.filter(|file| file.extension().is_some_and(|kind| kind == "json"));
    let name = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<_> =
        json.map(|file| (name(&file), std::fs::read_to_string(&file).unwrap().trim().to_owned())).collect();
    files.sort();
    files
}

#[test]
fn the_chart_renders_and_is_valid() {
    let Some(text) = rendered(EVERYTHING) else { return };
    let text = text.unwrap();
    assert_valid(&text);
    assert_eq!(dashboards(&objects(&text)), on_disk());
    let rules: Vec<_> =
        objects(&text).into_iter().filter(|object| object["kind"] == "PrometheusRule").collect();
    for (object, rules) in rules.iter().zip(["alerts/nomad.rules.yml", "alerts/nomad.alerts.yml"]) {
        assert_eq!(object["spec"], objects(&read(rules))[0], "{rules}");
    }
    // Another name of the scrape job is one in the rules too, and labels tell clusters apart.
    let values = r#"{"serviceMonitor": {"enabled": true, "job": "nomad-exp", "cluster": "prod", "region": "eu"},
        "prometheusRule": {"enabled": true}}"#;
    let named = rendered(values).unwrap().unwrap();
    assert!(named.contains(r#"up{job="nomad-exp"}"#) && !named.contains(r#"job="nomad-exporter""#), "{named}");
    let monitor = objects(&named).into_iter().find(|object| object["kind"] == "ServiceMonitor").unwrap();
    let relabelings = &monitor["spec"]["endpoints"][0]["relabelings"];
    let replacements: Vec<_> = relabelings.as_array().unwrap().iter().map(|rule| &rule["replacement"]).collect();
    assert_eq!(replacements, ["nomad-exp", "prod", "eu"]);
    // By default nothing but the exporter, without a token.
    let plain = objects(&rendered("{}").unwrap().unwrap());
    let mut kinds: Vec<_> = plain.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Deployment", "NetworkPolicy", "Service"]);
    assert!(!plain.iter().any(|object| object.to_string().contains("token")));
    // A token as a value becomes a Secret, and other variables are passed on.
    let values = r#"{"nomad": {"token": {"value": "s3cret"}}, "env": {"NOMAD_EXPORTER_LOG_FORMAT": "json"}}"#;
    let own = objects(&rendered(values).unwrap().unwrap());
    let secret = own.iter().find(|object| object["kind"] == "Secret").unwrap();
    assert_eq!(secret["stringData"], json!({"token": "s3cret"}));
    let deployment = own.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "NOMAD_EXPORTER_LOG_FORMAT", "value": "json"})));
}

#[test]
fn the_chart_refuses_values_that_mean_nothing() {
    for (values, says) in [
        (r#"{"replicas": "two"}"#, "/replicas"),
        (r#"{"nomed": {}}"#, "'nomed' not allowed"),
        (r#"{"nomad": {"addresses": ["nomad:4646"]}}"#, "/nomad/addresses/0"),
        (r#"{"env": {"RUST_LOG": "debug"}}"#, "RUST_LOG"),
        (r#"{"serviceMonitor": {"enabled": "yes"}}"#, "/serviceMonitor/enabled"),
    ] {
        let Some(rendered) = rendered(values) else { return };
        let error = rendered.unwrap_err();
        assert!(error.contains(says), "{values}: {error}");
    }
}

/// With the same settings, the chart and the manifests are the same, but for labels and namespaces.
#[test]
fn the_chart_is_what_the_manifests_are() {
    let (Some(chart), Some(manifests)) = (rendered(EVERYTHING), kustomized("deploy/kubernetes")) else {
        return;
    };
    let (chart, manifests) = (objects(&chart.unwrap()), objects(&manifests));
    for kind in ["Deployment", "Service", "NetworkPolicy", "ServiceMonitor"] {
        let spec = |objects: &[Value]| {
            let object = objects.iter().find(|object| object["kind"] == kind);
            essence(object.unwrap_or_else(|| panic!("no {kind}"))["spec"].clone())
        };
        assert_eq!(spec(&chart), spec(&manifests), "{kind}");
    }
}

fn essence(value: Value) -> Value {
    let ignored = ["imagePullPolicy", "app.kubernetes.io/instance", "app.kubernetes.io/version"];
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| {
                !ignored.contains(&name.as_str())
                    && name != "app.kubernetes.io/managed-by"
                    && name != "helm.sh/chart"
            })
            .map(|(name, value)| (name, essence(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(essence).collect(),
        value => value,
    }
}

/// Every variable in the manifests is one of the program's.
#[test]
fn variables_exist() {
    let help = run(exporter(&["--help"])).1;
    for variable in deployment()["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(help.contains(&format!("{name}=")), "{name} is no variable of the program");
    }
}
