//! The command that tells more of a row, ready to be pasted into a shell, with a link to its documentation.

use std::borrow::Cow;

use maud::{Markup, html};

use super::DOCS;
use crate::human;

/// A command that tells more.
pub(super) enum Command<'a> {
    /// Collect once and say how each collector fares.
    Check,
    /// Show one job, and why it waits.
    Job { namespace: &'a str, job: &'a str },
    /// Show one client.
    Node(&'a str),
    /// List the clients of a pool; of all if its name is empty, as before Nomad 1.6.
    Nodes { pool: &'a str },
}

impl Command<'_> {
    fn words(&self) -> Vec<&str> {
        match *self {
            Self::Check => vec!["check"],
            Self::Job { namespace, job } => [&["job", "--namespace", namespace], &operand(job)[..]].concat(),
            Self::Node(name) => [&["node"], &operand(name)[..]].concat(),
            Self::Nodes { pool: "" } => vec!["nodes"],
            Self::Nodes { pool } => vec!["nodes", "--pool", pool],
        }
    }

    fn page(&self) -> &'static str {
        match self {
            Self::Check => "install.md#check-the-installation",
            Self::Job { .. } => "commands.md#job",
            Self::Node(_) => "commands.md#node",
            Self::Nodes { .. } => "commands.md#nodes",
        }
    }
}

/// A name as an argument that is not taken for a flag.
fn operand(name: &str) -> Vec<&str> {
    if name.starts_with('-') { vec!["--", name] } else { vec![name] }
}

/// A command with a link to its documentation. Nothing if a name has characters that steer a terminal, since no line
/// that could be pasted stands for them.
pub(super) fn link(command: Command<'_>) -> Markup {
    let words = command.words();
    if words.iter().any(|word| matches!(human::plain(word), Cow::Owned(_))) {
        return html! {};
    }
    let words: Vec<_> = words.into_iter().map(quoted).collect();
    html! {
        a.command href={ (DOCS) "/" (command.page()) } { "nomad-exporter " (words.join(" ")) }
    }
}

/// A word as a POSIX shell reads it: names come from whoever submits jobs, and the line may be pasted.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: Command<'_>) -> String {
        let markup = link(command).into_string();
        let text = markup.split_once('>').and_then(|(_, rest)| rest.strip_suffix("</a>")).unwrap_or_default();
        text.to_owned()
    }

    #[test]
    fn commands_can_be_pasted() {
        for (command, expected) in [
            (Command::Check, "nomad-exporter check"),
            (Command::Node("client-a.eu"), "nomad-exporter node client-a.eu"),
            (Command::Node("-rf"), "nomad-exporter node -- -rf"),
            (Command::Nodes { pool: "" }, "nomad-exporter nodes"),
            (Command::Nodes { pool: "builders" }, "nomad-exporter nodes --pool builders"),
            (
                Command::Job { namespace: "ci", job: "deploy/dispatch-1-2" },
                "nomad-exporter job --namespace ci deploy/dispatch-1-2",
            ),
            (
                Command::Job { namespace: "", job: "a'; rm -rf ~ #$(x)" },
                r"nomad-exporter job --namespace '' 'a'\''; rm -rf ~ #$(x)'",
            ),
        ] {
            assert_eq!(line(command), expected);
        }
    }

    #[test]
    fn a_name_that_steers_a_terminal_makes_no_command() {
        assert_eq!(line(Command::Node("a\rb")), "");
    }
}
