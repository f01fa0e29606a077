//! Completions and manual pages match the help, and can be read by their programs.

use std::process::Command;

use crate::support::process::{exporter, run};
use crate::support::tools;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

fn completions(shell: &str) -> String {
    let (code, script, stderr) = run(exporter(&["completions", shell]));
    assert_eq!(code, Some(0), "{stderr}");
    script
}

/// Returns the program's commands, as listed in its help.
fn commands() -> Vec<String> {
    let (_, help, _) = run(exporter(&["--help"]));
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // A description may continue on the next line, with more indentation.
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        name.split_whitespace().next().map(str::to_owned)
    });
    let names: Vec<String> = names.filter(|name| name != "help").collect();
    assert!(names.len() >= 4 && names.iter().any(|name| name == "check"), "{names:?}");
    names
}

#[test]
fn completions_name_every_command_and_flag() {
    let (_, help, _) = run(exporter(&["--help"]));
    let words = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let is_name = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    let flags: Vec<&str> = words.filter_map(|word| word.split(|char| !is_name(char)).next()).collect();
    assert!(flags.contains(&"nomad.token-file") && flags.contains(&"no-collector.jobs"), "{flags:?}");
    for shell in SHELLS {
        let script = completions(shell);
        for name in flags.iter().copied().chain(commands().iter().map(String::as_str)) {
            assert!(script.contains(name), "{shell} does not complete {name}");
        }
    }
}

/// Returns the completions of bash for these words.
fn typed_in_bash(words: &[&str]) -> Vec<String> {
    let (last, before) = (words.last().unwrap(), words[words.len() - 2]);
    let script = format!(
        "{}\nfunction=$(complete -p nomad-exporter | grep -oP '(?<=-F )\\S+')\nCOMP_WORDS=({}) COMP_CWORD={}\n\
         $function nomad-exporter '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        completions("bash"),
        words.join(" "),
        words.len() - 1,
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("typed.bash");
    std::fs::write(&file, script).unwrap();
    let mut bash = Command::new("bash");
    bash.arg("--norc").arg(file);
    let (code, stdout, stderr) = run(bash);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(typed_in_bash(&["nomad-exporter", "compl"]), ["completions"]);
    assert_eq!(typed_in_bash(&["nomad-exporter", "--nomad.ti"]), ["--nomad.timeout"]);
    assert_eq!(typed_in_bash(&["nomad-exporter", "check", "--nomad.to"]), ["--nomad.token-file"]);
    assert_eq!(typed_in_bash(&["nomad-exporter", "--log.format", "j"]), ["json"]);
}

#[test]
#[ignore = "needs zsh: make check-formats"]
fn zsh_accepts_its_completions() {
    let zsh = tools::find("zsh");
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("_nomad-exporter");
    std::fs::write(&script, completions("zsh")).unwrap();
    let mut check = Command::new(zsh);
    check.arg("-n").arg(&script);
    assert_eq!(run(check), (Some(0), String::new(), String::new()));
}

#[test]
fn there_is_a_manual_page_of_the_program_and_of_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("man1");
    let (code, _, stderr) = run(exporter(&["man", "--directory", directory.to_str().unwrap()]));
    assert_eq!(code, Some(0), "{stderr}");
    let page = |name: &str| {
        let path = directory.join(format!("{name}.1"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let program = page("nomad-exporter");
    assert_eq!(run(exporter(&["man"])), (Some(0), program.clone(), String::new()));
    assert!(program.contains("NOMAD_EXPORTER_NOMAD_TOKEN_FILE"), "{program}");
    assert!(program.contains(r"\fB\-\-no\-collector.jobs\fR"), "{program}");
    for command in commands() {
        let page = page(&format!("nomad-exporter-{command}"));
        let synopsis = page.split(".SH SYNOPSIS\n").nth(1).unwrap().lines().next().unwrap();
        assert!(synopsis.contains(&command.replace('-', r"\-")), "{command}: {synopsis}");
        assert!(synopsis.len() < 120, "{command}: {synopsis}");
    }
}

#[test]
#[ignore = "needs mandoc: make check-formats"]
fn mandoc_accepts_the_manual_pages() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("man1");
    let (code, _, stderr) = run(exporter(&["man", "--directory", directory.to_str().unwrap()]));
    assert_eq!(code, Some(0), "{stderr}");
    let mut lint = Command::new(tools::find("mandoc"));
    let pages = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    lint.args(["-T", "lint", "-W", "error"]).args(pages);
    assert_eq!(run(lint), (Some(0), String::new(), String::new()));
}

#[test]
fn an_unwritable_directory_is_reported() {
    let (code, _, stderr) = run(exporter(&["man", "--directory", "/proc/nowhere"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--directory: cannot write manual pages to /proc/nowhere: "), "{stderr}");
}
