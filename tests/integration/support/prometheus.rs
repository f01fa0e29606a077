//! A real Prometheus.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::process::Running;

/// A Prometheus on a free port. It is killed when dropped.
pub(crate) struct Prometheus {
    port: u16,
    log: PathBuf,
    client: reqwest::Client,
    process: Running,
}

impl Prometheus {
    /// Starts the program with this configuration, in this folder.
    pub(crate) fn start(program: &Path, folder: &Path, config: &str) -> Self {
        let (file, log) = (folder.join("prometheus.yml"), folder.join("prometheus.log"));
        std::fs::write(&file, config).unwrap();
        let port = free_port();
        let process = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // Whoever is first in this process installs it.
        rustls::crypto::ring::default_provider().install_default().ok();
        Self { port, log, client: reqwest::Client::builder().build().unwrap(), process: Running(process) }
    }

    /// The data of an answer of its API. `None` while it does not answer.
    pub(crate) fn api(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let text = tokio::runtime::Handle::current().block_on(async move {
            self.client.get(url).query(query).send().await.ok()?.text().await.ok()
        })?;
        let mut answer: Value = serde_json::from_str(&text).ok()?;
        assert_ne!(answer["status"], "error", "{path} {query:?}: {answer}");
        Some(answer["data"].take())
    }

    /// What a query yields: labels and value of each series. `None` while Prometheus does not answer.
    pub(crate) fn query(&self, query: &str) -> Option<Vec<Value>> {
        let data = self.api("query", &[("query", query)])?;
        match &data["result"] {
            Value::Array(result) if data["resultType"] == "scalar" => {
                Some(vec![Value::Array(result.clone())])
            }
            Value::Array(result) => Some(result.clone()),
            _ => None,
        }
    }

    /// The data of an answer of its API, which it gives.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        self.api(path, query).expect("Prometheus answers")
    }

    /// For how long it has had a processor, in all threads that it still has.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.0.id())).unwrap();
        let nanoseconds = threads.filter_map(|thread| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        });
        nanoseconds.sum::<f64>() / 1e9
    }

    /// The one value that a query yields, if there is one.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        self.query(query)?.first()?["value"][1].as_str()?.parse().ok()
    }

    /// Asserts that its log holds no warning and no error.
    pub(crate) fn assert_no_complaint(&self) {
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(log.contains("level="), "it logs in another way: {log}");
        let is_complaint = |line: &&str| {
            let line = line.to_lowercase();
            line.contains("level=warn") || line.contains("level=error")
        };
        let complaints: Vec<&str> = log.lines().filter(is_complaint).collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

/// A port that is free now. Somebody else may take it before it is used; programs that choose their own are better.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
