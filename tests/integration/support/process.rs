//! The real binary as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

/// Bound of waits, which only ends a hang: enough even on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Returns the binary of this build, or the release if `make soak` or `make check-release` sets it.
pub(crate) fn program() -> PathBuf {
    let named = std::env::var_os("NOMAD_EXPORTER_TEST_BINARY");
    named.map_or_else(|| env!("CARGO_BIN_EXE_nomad-exporter").into(), PathBuf::from)
}

/// Returns a command line of the binary, without variables of the exporter or Nomad.
pub(crate) fn exporter(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NOMAD_") {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

/// A running exporter; dropping it kills it.
pub(crate) struct Exporter {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Its URL.
    pub(crate) url: String,
}

impl Exporter {
    /// Starts it on a free port, and waits until it listens.
    pub(crate) fn start(nomad: &str, arguments: &[&str]) -> Self {
        let fixed = ["--nomad.address", nomad, "--web.listen-address", "127.0.0.1:0"];
        Self::spawn(exporter(&[&fixed, arguments].concat()))
    }

    /// Starts this command, and waits until it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = lines.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut exporter = Self { child, log, url: String::new() };
        exporter.wait_for_log("message=listening", Duration::from_secs(20));
        let log = exporter.log();
        let address = log.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        exporter.url = format!("http://{address}");
        exporter
    }

    /// Returns its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Returns the warnings of its log so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.log().lines().filter(|line| line.contains("level=warn")).map(str::to_owned).collect()
    }

    /// Waits until it has logged this text.
    pub(crate) fn wait_for_log(&self, text: &str, limit: Duration) {
        wait_until(limit, &format!("{text} in the log"), || self.log().contains(text));
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until it exits.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(limit, "the exporter's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Another program; dropping it kills it.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// An address that refuses connections. No other test gets it meanwhile, but a server that is started on it does.
pub(crate) struct Refusing(TcpSocket);

impl Refusing {
    /// Reserves an address, or a free one if the port is 0. Waits while a connection of another test uses the port.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        wait_until(SOON, "a port", || socket.bind(address).is_ok());
        Self(socket)
    }

    pub(crate) fn anywhere() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// Polls until the condition is true.
pub(crate) fn wait_until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes an executable shell script. Another process writes it: a program that another thread starts at that moment inherits
/// the open file, and until it closes it, the script cannot be executed ("Text file busy").
pub(crate) fn write_script(file: &Path, text: &str) {
    let write = r##"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 755 "$0""##;
    done(Command::new("sh").args(["-c", write]).arg(file).arg(text));
}

/// Copies a program, for the same reason in another process.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    done(Command::new("cp").args([from, to]));
}

/// Runs a command that must succeed; returns its output.
pub(crate) fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command to its end; returns exit code, stdout and stderr.
pub(crate) fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |mut bytes: &[u8]| {
        let mut text = String::new();
        bytes.read_to_string(&mut text).unwrap();
        text
    };
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
