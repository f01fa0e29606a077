//! Commands with details of a row, quoted for a shell, with a link to their documentation.

use std::borrow::Cow;

use maud::{Markup, html};

use super::DOCS;
use crate::human;

/// A command with details.
pub(super) enum Command<'a> {
    /// Shows the result of each collector.
    Check,
    /// Shows one job, and why it waits.
    Job { namespace: &'a str, job: &'a str },
    /// Shows one client.
    Node(&'a str),
    /// Lists the clients of a pool; of all pools if the name is empty, as before Nomad 1.6.
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

/// Returns a name as an argument that is not parsed as a flag.
fn operand(name: &str) -> Vec<&str> {
    if name.starts_with('-') { vec!["--", name] } else { vec![name] }
}

/// Renders a command with a link to its documentation. Renders nothing if a name contains control characters,
/// because they cannot be pasted safely.
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

/// Quotes a word for a POSIX shell. Job submitters choose the names, and the line may be pasted.
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
    fn names_with_control_characters_have_no_command() {
        assert_eq!(line(Command::Node("a\rb")), "");
    }
}
