//! The pages: links lead somewhere, commands run, and what is said to be proven is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nomad_simulator::Simulator;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::support::process::run;
use crate::support::{build_day, path, read, recordings, root};

/// What a page holds.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
    /// Code, with the words behind the fence.
    blocks: Vec<(String, String)>,
}

impl Page {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let (mut page, mut heading, mut block) = (Self::default(), None::<String>, None);
        let mut seen = BTreeMap::new();
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let count = seen.entry(anchor.clone()).or_insert(0);
                    page.anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                    *count += 1;
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(words))) => {
                    block = Some((words.into_string(), String::new()));
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                    if let Some((_, code)) = &mut block {
                        code.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// Every Markdown file of the project.
fn files() -> Vec<PathBuf> {
    fn below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !name.starts_with('.') && !name.starts_with("target")
        };
        let entries = entries.filter(is_ours);
        entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
    }
    let mut files = below(root());
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    files
}

#[test]
fn links_lead_somewhere() {
    let pages: BTreeMap<PathBuf, Page> =
        files().into_iter().map(|file| (file.clone(), Page::read(&file))).collect();
    assert!(pages.len() > 30, "{}", pages.len());
    let mut broken = Vec::new();
    let mut checked = 0;
    for (file, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match target {
                "" => file.clone(),
                target => file.parent().unwrap().join(target),
            };
            checked += 1;
            let Ok(target) = target.canonicalize() else {
                broken.push(format!("{}: {link} does not exist", file.display()));
                continue;
            };
            if !target.starts_with(root().canonicalize().unwrap()) {
                broken.push(format!("{}: {link} leads out of the project", file.display()));
            }
            let anchors = pages.get(&target).map(|page| &page.anchors);
            if !anchor.is_empty() && !anchors.is_some_and(|anchors| anchors.contains(anchor)) {
                broken.push(format!("{}: {link} has no such heading", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(checked > 150, "{checked}");
}

#[test]
fn the_index_has_every_page_once() {
    let index = Page::read(&path("docs/index.md"));
    let mut expected: Vec<String> =
        ["README", "CHANGELOG", "CONTRIBUTING", "SECURITY", "alerts/README", "dashboards/README"]
            .map(|page| format!("../{page}.md"))
            .into();
    let pages = std::fs::read_dir(path("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    expected.extend(pages.filter(|name| name.ends_with(".md") && name != "index.md"));
    for page in expected {
        let count = index.links.iter().filter(|link| **link == page).count();
        assert_eq!(count, 1, "docs/index.md links {page} {count} times");
    }
}

/// The table of what is shipped: each file is there, each check is a test, and no folder of deploy/ is left out.
#[test]
fn what_is_shipped_is_proven() {
    let index = read("docs/index.md");
    let table = index.split("## What is shipped").nth(1).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| artefact"))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect();
    assert!(rows.len() > 10);
    let mut folders = BTreeSet::new();
    for row in rows {
        let [artefact, place, proof] = row[..] else { panic!("{row:?}") };
        for place in spans(place).filter(|place| !place.contains(['*', ' ', '['])) {
            assert!(path(place).exists(), "{artefact}: {place} does not exist");
            folders.extend(place.strip_prefix("deploy/").and_then(|place| place.split('/').next()));
        }
        let mut tests = 0;
        for test in spans(proof).filter(|proof| proof.contains("::")) {
            let (module, name) = test.split_once("::").unwrap();
            let code = code_of(module);
            assert!(code.contains(&format!("fn {name}()")), "{artefact}: there is no test {test}");
            tests += 1;
        }
        assert!(tests > 0 || spans(proof).any(|file| path(file).exists()), "{artefact}: nothing proves it");
    }
    for entry in std::fs::read_dir(path("deploy")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(folders.contains(name.as_str()), "docs/index.md does not say what proves deploy/{name}");
    }
}

/// The code of a module of tests, which may be a folder.
fn code_of(module: &str) -> String {
    let file = format!("tests/integration/{module}.rs");
    if path(&file).exists() {
        return read(&file);
    }
    let folder = match module {
        "dashboards" => "dashboards/tests/dashboards".to_owned(),
        module => format!("tests/integration/{module}"),
    };
    let files = std::fs::read_dir(path(&folder)).unwrap();
    files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

/// What stands in backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Programs of others in the commands of pages.
const OF_OTHERS: [&str; 3] = ["promtool", "amtool", "systemd-analyze"];

fn needs_others(code: &str) -> bool {
    OF_OTHERS.iter().any(|program| code.contains(program))
}

/// Blocks that begin with ```sh runnable run in the project's root, against a simulated Nomad, with a home of their own.
#[tokio::test(flavor = "multi_thread")]
async fn runnable_commands_run() {
    assert!(run_blocks(|code| !needs_others(code)).await >= 3);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs promtool, amtool and systemd-analyze: make check-deploy"]
async fn runnable_commands_with_programs_of_others_run() {
    assert!(run_blocks(needs_others).await >= 2);
}

/// Runs the runnable blocks that are wanted; returns how many there were.
async fn run_blocks(is_wanted: impl Fn(&str) -> bool) -> usize {
    let nomad = recordings::replay("2.0.5").await;
    // In its burst, six times as fast as in the demo.
    let ci = build_day::play(Duration::from_millis(500), 12).await;
    let mut count = 0;
    for file in files() {
        for (words, code) in Page::read(&file).blocks {
            let is_runnable = words.split_whitespace().any(|word| word == "runnable");
            if is_runnable && is_wanted(&code) {
                assert!(words.starts_with("sh "), "{}: {words}", file.display());
                let nomad = if words.split_whitespace().any(|word| word == "ci") { &ci } else { &nomad };
                let command = block(&code, nomad);
                let (status, stdout, stderr) = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
                assert_eq!(status, Some(0), "{}: {code}\n{stdout}\n{stderr}", file.display());
                count += 1;
            }
        }
    }
    count
}

fn block(code: &str, nomad: &Simulator) -> Command {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("home");
    std::fs::create_dir_all(&home).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_nomad-exporter")).parent().unwrap();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&inherited));
    let mut command = Command::new("timeout");
    command.args(["300", "bash", "-euo", "pipefail", "-c", code]).current_dir(root());
    command.env("PATH", std::env::join_paths(folders).unwrap());
    command.env("HOME", home).env("NOMAD_ADDR", nomad.url());
    command
}
