//! The container image: its Dockerfile, and the running container.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::process::{run, wait_until};
use crate::support::prometheus::free_port;
use crate::support::{path, read, recordings, root, tools};

const DOCKERFILE: &str = "deploy/docker/Dockerfile";
/// The Dockerfile for a released binary.
const OF_RELEASE: &str = "deploy/docker/Dockerfile.release";
const IMAGE: &str = "localhost/nomad-exporter:test";

/// Returns the instructions of a Dockerfile by stage, without those before the first stage.
fn stages(file: &str) -> Vec<Vec<(String, String)>> {
    let mut stages: Vec<Vec<(String, String)>> = Vec::new();
    let text = read(file).replace("\\\n", " ");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (instruction, rest) = line.split_once(' ').unwrap();
        if instruction == "FROM" {
            stages.push(Vec::new());
        }
        if let Some(stage) = stages.last_mut() {
            let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            stage.push((instruction.to_owned(), rest));
        }
    }
    stages
}

/// Returns the arguments of all instructions with this name in a stage.
fn said(stage: &[(String, String)], instruction: &str) -> Vec<String> {
    stage.iter().filter(|(name, _)| name == instruction).map(|(_, rest)| rest.clone()).collect()
}

#[test]
fn the_image_has_no_shell_and_no_privileges() {
    let stages = stages(DOCKERFILE);
    let [build, last] = stages.as_slice() else { panic!("{stages:?}") };
    let toolchain = read("rust-toolchain.toml");
    let version =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(
        build[0].1.contains(&format!("/rust:{version}-")),
        "{:?} builds with another version of Rust",
        build[0]
    );
    assert!(said(build, "ENV").contains(&format!("RUSTUP_TOOLCHAIN={version}")));
    let steps = said(build, "RUN").join("\n");
    assert!(steps.contains("cargo build --release --locked --package nomad-exporter"), "{steps}");
    assert!(steps.contains("deploy/docker/rootfs.sh target/release/nomad-exporter /rootfs"), "{steps}");
    // A rebuild compiles only changes.
    for cached in ["/usr/local/cargo/registry", "/src/target"] {
        assert!(steps.contains(&format!("--mount=type=cache,target={cached}")), "{steps}");
    }
    is_bare(last);
}

/// The image with a released binary differs only in the source of its root, on both platforms.
#[test]
fn the_release_image_is_the_same_for_both_platforms() {
    let stages = stages(OF_RELEASE);
    let [build, last] = stages.as_slice() else { panic!("{stages:?}") };
    assert_eq!(last, self::stages(DOCKERFILE).last().unwrap());
    assert_eq!(said(build, "COPY"), ["nomad-exporter-*-unknown-linux-gnu.tar.gz /release/"]);
    let steps = said(build, "RUN").join("\n");
    assert!(steps.contains(r#"nomad-exporter-*-"$(uname -m)"-unknown-linux-gnu.tar.gz"#), "{steps}");
    assert!(steps.ends_with("deploy/docker/rootfs.sh nomad-exporter /rootfs"), "{steps}");
}

/// Checks that a last stage has no shell, no privileges, and labels.
fn is_bare(last: &[(String, String)]) {
    assert_eq!(last[0].1, "scratch");
    assert_eq!(said(last, "COPY"), ["--from=build /rootfs/ /"]);
    let labels = said(last, "LABEL").join(" ");
    for label in ["title", "description", "licenses", "source", "version", "revision"] {
        assert!(labels.contains(&format!("org.opencontainers.image.{label}=")), "{labels}");
    }
    assert!(said(last, "ARG").contains(&format!("VERSION={}", env!("CARGO_PKG_VERSION"))));
    assert_eq!(said(last, "USER"), ["65532:65532"]);
    assert_eq!(said(last, "EXPOSE"), ["9441"]);
    assert_eq!(said(last, "ENTRYPOINT"), [r#"["/usr/bin/nomad-exporter"]"#]);
    assert!(said(last, "HEALTHCHECK")[0].ends_with(r#"CMD ["/usr/bin/nomad-exporter", "healthcheck"]"#));
    assert!(said(last, "RUN").is_empty(), "the last stage must not run anything");
}

const LICENCES: &str = "usr/share/licenses/nomad-exporter";

#[test]
#[ignore = "needs authorities of TLS: make check-deploy"]
fn the_root_contains_binary_library_ca_certificates_and_licenses() {
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        eprintln!("skipped: contents of the image: this machine has no /etc/ssl/certs/ca-certificates.crt");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let holds = |file: &str| folder.path().join(file).is_file();
    assert!(holds("usr/bin/nomad-exporter") && holds("etc/ssl/certs/ca-certificates.crt"));
    let licences = ["LICENSE", "THIRD-PARTY-LICENCES.txt"].map(|name| format!("{LICENCES}/{name}"));
    assert!(licences.iter().all(|name| holds(name)));
    let texts = std::fs::read_to_string(folder.path().join(&licences[1])).unwrap();
    assert!(texts.contains("\n  hyper 1.") && texts.contains("Permission is hereby granted"));
    for file in files(folder.path()) {
        let name = file.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        let known = ["usr/bin/nomad-exporter", "etc/ssl/certs/ca-certificates.crt"].contains(&name.as_str())
            || licences.contains(&name)
            // The C library and its loader.
            || (name.starts_with("lib") && name.contains(".so"))
            || (name.starts_with("usr/lib") && name.contains(".so"));
        assert!(known, "{name} must not be in the image");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn lay_out(folder: &Path) {
    let mut script = Command::new(path("deploy/docker/rootfs.sh"));
    script.arg(env!("CARGO_BIN_EXE_nomad-exporter")).arg(folder).current_dir(root());
    let (code, stdout, stderr) = run(script);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

/// Buildah with separate storage.
struct Buildah {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Buildah {
    /// Returns `None` and prints the reason, if buildah is missing or cannot build here.
    fn find() -> Option<Self> {
        let program = tools::find_optional("buildah", "building and running the image")?;
        let buildah = Self { program, folder: tempfile::tempdir().unwrap() };
        let context = buildah.folder.path().join("probe");
        std::fs::create_dir(&context).unwrap();
        std::fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n").unwrap();
        let mut probe = buildah.command(&["build", "--isolation", "chroot"]);
        probe.arg(&context);
        let (code, _, stderr) = run(probe);
        if code == Some(0) && is_root() {
            return Some(buildah);
        }
        eprintln!("skipped: building and running the image: buildah does not work for this user: {stderr}");
        None
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.folder.path().join("storage"));
        command.arg("--runroot").arg(self.folder.path().join("run")).args(arguments);
        command
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = run(self.command(arguments));
        assert_eq!(code, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout.trim().to_owned()
    }
}

/// Returns whether this process can use chroot.
fn is_root() -> bool {
    let mut id = Command::new("id");
    id.arg("-u");
    run(id).1.trim() == "0"
}

/// A container in the foreground; dropping it stops and removes it.
struct Container(Child);

impl Drop for Container {
    fn drop(&mut self) {
        Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status().ok();
        self.0.wait().ok();
    }
}

/// The first stage of the shipped Dockerfile is replaced by this build's binary, so that nothing is
/// downloaded.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs buildah: make check-deploy"]
async fn the_image_serves_and_checks_its_health() {
    let Some(buildah) = Buildah::find() else { return };
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let test = move || {
        let stage = buildah.folder.path().join("stage");
        lay_out(&stage.join("rootfs"));
        let build_context = format!("build={}", stage.display());
        let file = path(DOCKERFILE);
        buildah.succeed(&[
            "build",
            "--isolation",
            "chroot",
            "--format",
            "docker",
            "--pull-never",
            "--build-context",
            &build_context,
            "--file",
            file.to_str().unwrap(),
            "--tag",
            IMAGE,
            buildah.folder.path().join("probe").to_str().unwrap(),
        ]);
        let container = buildah.succeed(&["from", "--pull-never", IMAGE]);
        let exporter = ["run", "--isolation", "chroot", &container, "--", "/usr/bin/nomad-exporter"];
        let listen = format!("127.0.0.1:{}", free_port());
        let at = ["--web.listen-address", &listen];
        let asked = |arguments: &[&str]| run(buildah.command(&[&exporter, arguments, &at].concat()));

        let (code, _, stderr) = asked(&["healthcheck"]);
        assert_eq!(code, Some(1), "the container did not start: {stderr}");
        // A name, so that the C library has to resolve it.
        let nomad = nomad.replace("127.0.0.1", "localhost");
        let mut command = buildah.command(&[&exporter[..], &["--nomad.address", &nomad], &at].concat());
        let _running = Container(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_until(Duration::from_secs(60), "a healthy container", || asked(&["healthcheck"]).0 == Some(0));
        wait_until(Duration::from_secs(60), "a ready container", || {
            asked(&["healthcheck", "--ready"]).0 == Some(0)
        });
        let (_, stdout, _) = asked(&["healthcheck", "--ready"]);
        assert_eq!(stdout, format!("http://{listen}/-/ready: ready\n"));
        let shell = run(buildah.command(&[
            "run",
            "--isolation",
            "chroot",
            &container,
            "--",
            "/bin/sh",
            "-c",
            "true",
        ]));
        assert_ne!(shell.0, Some(0), "the image has a shell");
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}
