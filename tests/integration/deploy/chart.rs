//! The chart: what it makes of its values, and that its probes come in wherever the exporter is protected.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::kubernetes::{
    EVERYTHING, assert_valid, dashboards, kustomization_of_the_page, objects, on_disk, rendered,
    rendered_from,
};
use crate::support::authority::Authority;
use crate::support::process::{Exporter, exporter, run};
use crate::support::prometheus::free_port;
use crate::support::{path, read, root};

/// The objects that the chart makes; `None` if there is no Helm.
fn made(values: &Value) -> Option<Vec<Value>> {
    let text = rendered(&values.to_string())?.unwrap_or_else(|error| panic!("{values}: {error}"));
    Some(objects(&text))
}

/// The only object of a kind; of two Pods there is but the test's.
pub(super) fn of<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

fn pod(objects: &[Value]) -> &Value {
    &of(objects, "Deployment")["spec"]["template"]["spec"]
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
#[ignore = "needs Helm: make check-deploy"]
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
    let named = json!({
        "serviceMonitor": {"enabled": true, "job": "nomad-exp", "cluster": "prod", "region": "eu"},
        "prometheusRule": {"enabled": true}
    });
    let rendered = rendered(&named.to_string()).unwrap().unwrap();
    assert!(rendered.contains(r#"up{job="nomad-exp"}"#) && !rendered.contains(r#"job="nomad-exporter""#));
    let made = objects(&rendered);
    let relabelings = &of(&made, "ServiceMonitor")["spec"]["endpoints"][0]["relabelings"];
    let replacements: Vec<_> =
        relabelings.as_array().unwrap().iter().map(|rule| &rule["replacement"]).collect();
    assert_eq!(replacements, ["nomad-exp", "prod", "eu"]);
    // By default nothing but the exporter and its test, without a token.
    let plain = self::made(&json!({})).unwrap();
    assert_eq!(kinds(&plain), ["Deployment", "NetworkPolicy", "Pod", "Service"]);
    assert!(!plain.iter().any(|object| object.to_string().contains("token")));
    // A token as a value becomes a Secret, and other variables are passed on.
    let values =
        json!({"nomad": {"token": {"value": "s3cret"}}, "env": {"NOMAD_EXPORTER_LOG_FORMAT": "json"}});
    let own = self::made(&values).unwrap();
    assert_eq!(of(&own, "Secret")["stringData"], json!({"token": "s3cret"}));
    let env = pod(&own)["containers"][0]["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "NOMAD_EXPORTER_LOG_FORMAT", "value": "json"})));
}

/// The page's command, of which each value is one of the chart's.
#[test]
#[ignore = "needs Helm: make check-deploy"]
fn the_pages_command_installs_it_without_a_secret() {
    let page = read("deploy/helm/README.md");
    let command = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let mut values = json!({});
    for setting in command.split_whitespace().filter(|word| word.contains('=')) {
        let (name, value) = setting.split_once('=').unwrap();
        let value = match value.strip_prefix('{').and_then(|value| value.strip_suffix('}')) {
            Some(items) => json!(items.split(',').collect::<Vec<_>>()),
            None => serde_json::from_str(value).unwrap_or_else(|_| json!(value)),
        };
        *values.pointer_mut("").unwrap() = merged(values.clone(), name, value);
    }
    assert!(values["nomad"]["addresses"].is_array(), "{values}");
    let Some(made) = made(&values) else { return };
    assert!(pod(&made)["volumes"].is_null(), "a pod that waits for a Secret nobody made never starts");
}

/// Values with one more, named as `helm --set` does.
fn merged(mut values: Value, name: &str, value: Value) -> Value {
    let place = name.split('.').fold(&mut values, |place, part| {
        place.as_object_mut().unwrap().entry(part).or_insert_with(|| json!({}))
    });
    *place = value;
    values
}

#[test]
#[ignore = "needs Helm: make check-deploy"]
fn the_chart_refuses_values_that_mean_nothing() {
    for (values, says) in [
        (json!({"replicas": "two"}), "/replicas"),
        (json!({"nomed": {}}), "'nomed' not allowed"),
        (json!({"nomad": {"addresses": ["nomad:4646"]}}), "/nomad/addresses/0"),
        (json!({"env": {"RUST_LOG": "debug"}}), "RUST_LOG"),
        (json!({"serviceMonitor": {"enabled": "yes"}}), "/serviceMonitor/enabled"),
        (json!({"serviceMonitor": {"interval": "1 minute"}}), "/serviceMonitor/interval"),
        (json!({"image": {"digest": "latest"}}), "/image/digest"),
        (json!({"web": {"config": {"basic_auth": {}}}}), "'basic_auth' not allowed"),
        (json!({"web": {"existingSecret": "web"}}), "web.scheme is http or https"),
        (
            json!({"prometheusRule": {"thresholds": {"pending_jobs": "many"}}}),
            "/prometheusRule/thresholds/pending_jobs",
        ),
        (
            json!({"prometheusRule": {"enabled": true, "thresholds": {"pending": 5}}}),
            "prometheusRule.thresholds.pending: alerts/nomad.alerts.yml has no threshold of this name",
        ),
        (
            json!({"dashboards": {"enabled": true, "variables": {"pool": "a"}}}),
            "dashboards.variables.pool: no dashboard has a variable of this name",
        ),
        (
            json!({"web": {"config": {"tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert"}}}}),
            "web.healthcheck.clientCertSecret",
        ),
        (
            json!({"web": {"config": {"basic_auth_users": {"a": "b"}}, "healthcheck": {"user": "a"}}}),
            "web.healthcheck.passwordSecret",
        ),
    ] {
        let Some(rendered) = rendered(&values.to_string()) else { return };
        let error = rendered.unwrap_err();
        assert!(error.contains(says), "{values}: {error}");
    }
}

/// What platform teams set, each with where it arrives.
#[test]
#[ignore = "needs Helm: make check-deploy"]
fn values_that_people_need_arrive_and_stay_valid() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let from_secret =
        json!({"name": "NOMAD_HTTP_AUTH", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "auth"}}});
    let spread = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "nomad-exporter"}}});
    let relabeling = json!({"targetLabel": "environment", "replacement": "production"});
    let (container, spec) = ("/spec/template/spec/containers/0", "/spec/template/spec");
    for (values, kind, pointer, expected) in [
        (
            json!({"image": {"digest": digest}}),
            "Deployment",
            format!("{container}/image"),
            json!(format!("nomad-exporter@{digest}")),
        ),
        (json!({"fullnameOverride": "watcher"}), "Deployment", "/metadata/name".into(), json!("watcher")),
        (
            json!({"podLabels": {"team": "ci"}}),
            "Deployment",
            "/spec/template/metadata/labels/team".into(),
            json!("ci"),
        ),
        (json!({"commonLabels": {"team": "ci"}}), "Service", "/metadata/labels/team".into(), json!("ci")),
        (
            json!({"priorityClassName": "high"}),
            "Deployment",
            format!("{spec}/priorityClassName"),
            json!("high"),
        ),
        (
            json!({"serviceAccountName": "watcher"}),
            "Deployment",
            format!("{spec}/serviceAccountName"),
            json!("watcher"),
        ),
        (
            json!({"topologySpreadConstraints": [spread]}),
            "Deployment",
            format!("{spec}/topologySpreadConstraints"),
            json!([spread]),
        ),
        // OpenShift chooses the IDs.
        (
            json!({"podSecurityContext": {"runAsUser": null, "runAsGroup": null, "fsGroup": null}}),
            "Deployment",
            format!("{spec}/securityContext"),
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
        ),
        (
            json!({"extraArgs": ["--log.level=debug"]}),
            "Deployment",
            format!("{container}/args"),
            json!(["--log.level=debug"]),
        ),
        (json!({"extraEnv": [from_secret]}), "Deployment", format!("{container}/env/1"), from_secret.clone()),
        (
            json!({"envFrom": [{"secretRef": {"name": "more"}}]}),
            "Deployment",
            format!("{container}/envFrom"),
            json!([{"secretRef": {"name": "more"}}]),
        ),
        (
            json!({"livenessProbe": {"initialDelaySeconds": 7}}),
            "Deployment",
            format!("{container}/livenessProbe/initialDelaySeconds"),
            json!(7),
        ),
        (
            json!({"readinessProbe": {"httpGet": {"path": "/-/ready?all", "port": "http"}}}),
            "Deployment",
            format!("{container}/readinessProbe/httpGet/path"),
            json!("/-/ready?all"),
        ),
        (
            json!({"service": {"annotations": {"a": "b"}}}),
            "Service",
            "/metadata/annotations".into(),
            json!({"a": "b"}),
        ),
        (
            json!({"serviceMonitor": {"enabled": true, "interval": "1m30s"}}),
            "ServiceMonitor",
            "/spec/endpoints/0/interval".into(),
            json!("1m30s"),
        ),
        (
            json!({"serviceMonitor": {"enabled": true, "relabelings": [relabeling]}}),
            "ServiceMonitor",
            "/spec/endpoints/0/relabelings/3".into(),
            relabeling.clone(),
        ),
        (
            json!({"serviceMonitor": {"enabled": true, "scheme": "https"}}),
            "ServiceMonitor",
            "/spec/endpoints/0/scheme".into(),
            json!("https"),
        ),
        (
            json!({"serviceMonitor": {"enabled": true, "tlsConfig": {"serverName": "a"}}}),
            "ServiceMonitor",
            "/spec/endpoints/0/tlsConfig".into(),
            json!({"serverName": "a"}),
        ),
        (
            json!({"networkPolicy": {"from": [{"podSelector": {}}]}}),
            "NetworkPolicy",
            "/spec/ingress/0/from".into(),
            json!([{"podSelector": {}}]),
        ),
        (
            json!({"networkPolicy": {"namespaces": ["scrapers"]}}),
            "NetworkPolicy",
            "/spec/ingress/0/from/1/namespaceSelector/matchExpressions/0/values".into(),
            json!(["scrapers"]),
        ),
    ] {
        let Some(text) = rendered(&values.to_string()) else { return };
        let text = text.unwrap_or_else(|error| panic!("{values}: {error}"));
        let made = objects(&text);
        assert_eq!(of(&made, kind).pointer(&pointer), Some(&expected), "{values}");
    }
    let all = json!({"image": {"digest": digest, "tag": "1"}, "podLabels": {"team": "ci"}, "commonLabels": {"a": "b"},
        "priorityClassName": "high", "topologySpreadConstraints": [spread], "extraEnv": [from_secret],
        "extraArgs": ["--log.level=debug"], "envFrom": [{"secretRef": {"name": "more"}}], "replicas": 2,
        "extraVolumes": [{"name": "more", "emptyDir": {}}], "extraVolumeMounts": [{"name": "more", "mountPath": "/m"}],
        "nomad": {"token": {"value": "s"}, "tls": {"caSecret": "ca", "clientCertSecret": "client", "serverName": "n"}},
        "web": {"config": {"tls_server_config": {"cert_file": "a"}, "basic_auth_users": {"a": "b"}}, "certSecret": "tls",
            "healthcheck": {"user": "a", "passwordSecret": "p", "clientCertSecret": "c"}},
        "networkPolicy": {"egress": [{"ports": [{"protocol": "TCP", "port": 3128}]}]},
        "serviceMonitor": {"enabled": true, "relabelings": [relabeling], "metricRelabelings": [relabeling],
            "annotations": {"a": "b"}, "authorization": {"credentials": {"name": "a", "key": "b"}},
            "tlsConfig": {"ca": {"secret": {"name": "tls", "key": "ca.crt"}}},
            "basicAuth": {"username": {"name": "a", "key": "u"}, "password": {"name": "a", "key": "p"}}}});
    assert_valid(&rendered(&all.to_string()).unwrap().unwrap());
}

#[test]
#[ignore = "needs Helm: make check-deploy"]
fn what_leaves_the_pod_are_the_ports_of_nomads_addresses() {
    for (addresses, ports) in [
        (json!(["https://nomad.corp"]), json!([443])),
        (json!(["http://nomad.corp/"]), json!([80])),
        (json!(["https://a:4646", "https://b:4646", "https://[::1]:8080/nomad"]), json!([4646, 8080])),
    ] {
        let Some(made) = made(&json!({"nomad": {"addresses": addresses}})) else { return };
        let policy = &of(&made, "NetworkPolicy")["spec"]["egress"][0]["ports"];
        let open: Vec<_> = policy.as_array().unwrap().iter().map(|rule| rule["port"].clone()).collect();
        assert_eq!(json!(open), ports, "{addresses}");
    }
}

#[test]
#[ignore = "needs Helm: make check-deploy"]
fn two_replicas_stay_apart_and_one_of_them_stays() {
    let Some(one) = made(&json!({})) else { return };
    assert!(!kinds(&one).contains(&"PodDisruptionBudget") && pod(&one)["affinity"].is_null());
    let two = made(&json!({"replicas": 2})).unwrap();
    assert_eq!(of(&two, "PodDisruptionBudget")["spec"]["minAvailable"], 1);
    let apart =
        &pod(&two)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(apart["podAffinityTerm"]["labelSelector"], of(&two, "Deployment")["spec"]["selector"]);
    let own = json!({"nodeAffinity": {}});
    let chosen =
        made(&json!({"replicas": 2, "affinity": own, "podDisruptionBudget": {"enabled": false}})).unwrap();
    assert!(pod(&chosen)["affinity"] == own && !kinds(&chosen).contains(&"PodDisruptionBudget"));
}

#[test]
#[ignore = "needs Helm: make check-deploy"]
fn helm_test_checks_with_the_settings_of_the_release() {
    let values = json!({"nomad": {"token": {"value": "s3cret"}}, "extraArgs": ["--log.level=debug"]});
    let Some(made) = made(&values) else { return };
    let test = of(&made, "Pod");
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    let (container, own) = (&test["spec"]["containers"][0], &pod(&made)["containers"][0]);
    assert_eq!(container["args"], json!(["check", "--log.level=debug"]));
    for same in ["image", "env", "volumeMounts", "securityContext"] {
        assert_eq!(container[same], own[same], "{same}");
    }
    // The Service must not lead to it.
    assert_ne!(test["metadata"]["labels"]["app.kubernetes.io/name"], "nomad-exporter");
}

#[test]
#[ignore = "needs Helm: make check-deploy"]
fn the_notes_say_what_comes_next() {
    let notes =
        |values: Value| rendered_from(&path("deploy/helm/nomad-exporter"), &values.to_string(), &["notes"]);
    let Some(plain) = notes(json!({})) else { return };
    let plain = plain.unwrap();
    for said in [
        "without a token",
        "helm test nomad-exporter --namespace monitoring",
        "port-forward service/nomad-exporter",
    ] {
        assert!(plain.contains(said), "{plain}");
    }
    let behind = notes(json!({"web": {"config": {"basic_auth_users": {"a": "b"}}}})).unwrap().unwrap();
    assert!(behind.contains("The readiness probe has no password"), "{behind}");
}

/// The probes of the chart, run against an exporter that is set up as the chart sets it up.
#[test]
#[ignore = "needs Helm: make check-deploy"]
fn probes_come_in_behind_tls_a_password_and_client_certificates() {
    let authority = Authority::new();
    authority.write("tls", "exporter.example");
    let folder = authority.folder.path().display().to_string();
    std::fs::write(authority.path("password"), "s3cret\n").unwrap();
    let tls = json!({"cert_file": "/etc/nomad-exporter/tls/tls.crt", "key_file": "/etc/nomad-exporter/tls/tls.key"});
    let mut mutual = tls.clone();
    mutual["client_ca_file"] = json!("/etc/nomad-exporter/tls/ca.pem");
    mutual["client_auth_type"] = json!("RequireAndVerifyClientCert");
    let users = json!({"prometheus": crate::web_config::hash("s3cret", 4)});
    let password = json!({"user": "prometheus", "passwordSecret": "probe"});
    for (web, ready) in [
        (json!({"config": {"tls_server_config": tls}}), true),
        (json!({"config": {"basic_auth_users": users}, "healthcheck": password}), true),
        // Without a password nothing is known but that it works.
        (json!({"config": {"tls_server_config": tls, "basic_auth_users": users}}), false),
        (
            json!({"config": {"tls_server_config": mutual}, "healthcheck": {"clientCertSecret": "probe"}}),
            true,
        ),
    ] {
        let Some(made) = made(&json!({"web": web})) else { return };
        let container = &pod(&made)["containers"][0];
        // Every Secret is this one folder.
        let here = |text: &str| {
            let parts = ["tls", "web", "healthcheck-password", "healthcheck-client"];
            parts.iter().fold(text.to_owned(), |text, part| {
                text.replace(&format!("/etc/nomad-exporter/{part}"), &folder)
            })
        };
        std::fs::write(
            authority.path("web.yml"),
            here(of(&made, "Secret")["stringData"]["web.yml"].as_str().unwrap()),
        )
        .unwrap();
        let port = free_port();
        let mut env: BTreeMap<String, String> = container["env"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variable| {
                (variable["name"].as_str().unwrap().to_owned(), here(variable["value"].as_str().unwrap()))
            })
            .collect();
        env.insert("NOMAD_EXPORTER_NOMAD_ADDRESS".into(), "http://127.0.0.1:1".into());
        env.insert("NOMAD_EXPORTER_WEB_LISTEN_ADDRESS".into(), format!("127.0.0.1:{port}"));
        let mut serve = exporter(&[]);
        serve.envs(&env);
        let _running = Exporter::spawn(serve);
        let probe = |name: &str| {
            let command = container[name]["exec"]["command"]
                .as_array()
                .unwrap_or_else(|| panic!("{name}: {container}"));
            let arguments: Vec<&str> = command[1..].iter().map(|part| part.as_str().unwrap()).collect();
            let mut command = exporter(&arguments);
            command.envs(&env);
            run(command)
        };
        let (code, _, stderr) = probe("livenessProbe");
        assert_eq!(code, Some(0), "{web}: {stderr}");
        // Nomad is away.
        let (code, _, stderr) = probe("readinessProbe");
        assert_eq!(code, Some(i32::from(ready)), "{web}: {stderr}");
        assert_eq!(stderr.contains("not ready: Nomad has not answered lately"), ready, "{web}: {stderr}");
    }
}

/// With the same settings, the chart and the manifests are the same, but for labels and namespaces.
#[test]
#[ignore = "needs Helm: make check-deploy"]
fn the_chart_is_what_the_manifests_are() {
    let values = r#"{"serviceMonitor": {"enabled": true}, "image": {"repository": "registry.example/nomad-exporter"},
        "nomad": {"addresses": ["https://nomad.corp"], "token": {"existingSecret": "nomad-exporter-token"}}}"#;
    let (Some(chart), Some(manifests)) = (rendered(values), kustomization_of_the_page(root())) else {
        return;
    };
    let (chart, manifests) = (objects(&chart.unwrap()), objects(&manifests));
    for kind in ["Deployment", "Service", "NetworkPolicy", "ServiceMonitor"] {
        let spec = |objects: &[Value]| essence(of(objects, kind)["spec"].clone());
        assert_eq!(spec(&chart), spec(&manifests), "{kind}");
    }
}

/// An object without what tells a release apart; lists of variables are sorted.
pub(super) fn essence(value: Value) -> Value {
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
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(essence).collect();
            items.sort_by_key(|item| item["name"].as_str().map(str::to_owned));
            Value::Array(items)
        }
        value => value,
    }
}

/// Each variable that the chart sets is one that the program reads.
#[test]
fn variables_of_the_chart_exist() {
    let helpers = read("deploy/helm/nomad-exporter/templates/_helpers.tpl");
    let help = run(exporter(&["--help"])).1 + &run(exporter(&["healthcheck", "--help"])).1;
    let names: Vec<&str> = helpers.lines().filter_map(|line| line.strip_prefix("- name: NOMAD_")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(help.contains(&format!("NOMAD_{name}=")), "NOMAD_{name} is no variable of the program");
    }
}

/// What `helm package` follows the links to is what the chart holds.
#[test]
#[ignore = "needs Helm: make check-deploy"]
fn the_chart_needs_nothing_beside_what_its_links_lead_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--dereference"]).arg(path("deploy/helm/nomad-exporter")).arg(folder.path());
    assert_eq!(run(copy).0, Some(0));
    let Some(alone) = rendered_from(&folder.path().join("nomad-exporter"), EVERYTHING, &[]) else { return };
    assert_eq!(alone.unwrap(), rendered(EVERYTHING).unwrap().unwrap());
}
