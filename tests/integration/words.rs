//! The documentation uses the words of Prometheus and Nomad: .config/words.txt lists those that it avoids.

use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::{Regex, RegexBuilder};

use crate::support::{read, root};

/// A word to avoid.
struct Word {
    pattern: Regex,
    instead: String,
    exceptions: Vec<Regex>,
}

/// The word list.
#[derive(Default)]
struct List {
    words: Vec<Word>,
    skipped: Vec<String>,
}

impl List {
    fn parse(text: &str) -> Self {
        let mut list = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(rest) = line.strip_prefix("skip ") {
                list.skipped.push(with_reason(rest).to_owned());
            } else if let Some(rest) = line.strip_prefix("  except ") {
                let word = list.words.last_mut().expect("an exception is below its word");
                word.exceptions.push(pattern(with_reason(rest)));
            } else {
                let (words, instead) = line.split_once(" ⇒ ").unwrap_or_else(|| panic!("no ⇒ in {line}"));
                let pattern = pattern(&format!(r"\b(?:{words})\b"));
                list.words.push(Word { pattern, instead: instead.to_owned(), exceptions: Vec::new() });
            }
        }
        list
    }

    /// The words of a text that should be others, with what is around them.
    fn hits(&self, text: &str) -> Vec<String> {
        let mut hits = Vec::new();
        for word in &self.words {
            let excused: Vec<_> = word
                .exceptions
                .iter()
                .flat_map(|except| except.find_iter(text))
                .map(|found| found.range())
                .collect();
            let found = word.pattern.find_iter(text).filter(|found| {
                !excused.iter().any(|range| range.start <= found.start() && found.end() <= range.end)
            });
            for found in found {
                let line = text[..found.start()].rfind('\n').map_or(0, |end| end + 1);
                let around: String =
                    text[line..].lines().next().unwrap_or_default().chars().take(200).collect();
                hits.push(format!("\"{}\" should be \"{}\" in: {around}", found.as_str(), word.instead));
            }
        }
        hits
    }

    fn is_skipped(&self, file: &str) -> bool {
        let is_below =
            |folder: &String| file.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.skipped.iter().any(|skipped| skipped == file || is_below(skipped))
    }
}

/// The part before the reason, which must be there.
fn with_reason(text: &str) -> &str {
    text.split_once(": ").unwrap_or_else(|| panic!("no reason for {text}")).0
}

fn pattern(text: &str) -> Regex {
    RegexBuilder::new(text).case_insensitive(true).build().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The text of a page without its code; each block and table cell is a line.
fn prose(markdown: &str) -> String {
    let (mut text, mut is_code) = (String::new(), false);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Text(part) if !is_code => text.push_str(&part),
            Event::Code(_) => text.push('…'),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell) => {
                text.push('\n');
            }
            _ => {}
        }
    }
    text
}

/// The text of any other file as one line, because sentences go on behind the mark of the next comment line.
fn unbroken(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches('#').trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// The files below a folder that are no links, with their paths from the root.
fn files_below(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        !path.is_symlink() && !name.starts_with('.') && !name.starts_with("target")
    };
    let relative = |path: PathBuf| vec![path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()];
    let entries = entries.filter(is_ours);
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { relative(path) }).collect()
}

#[test]
fn documentation_uses_the_words_of_prometheus_and_nomad() {
    let list = List::parse(&read(".config/words.txt"));
    let is_text = |file: &str| {
        file.ends_with(".md")
            || (["alerts/", "deploy/"].iter().any(|folder| file.starts_with(folder))
                && !file.ends_with(".json"))
    };
    let files: Vec<String> = files_below(root()).into_iter().filter(|file| is_text(file)).collect();
    for skipped in &list.skipped {
        assert!(root().join(skipped).exists(), ".config/words.txt skips {skipped}, which does not exist");
    }
    let mut hits = Vec::new();
    let mut checked = 0;
    for file in files.iter().filter(|file| !list.is_skipped(file)) {
        let text = read(file);
        let text = if file.ends_with(".md") { prose(&text) } else { unbroken(&text) };
        hits.extend(list.hits(&text).into_iter().map(|hit| format!("{file}: {hit}")));
        checked += 1;
    }
    assert!(checked > 80, "only {checked} files were checked");
    assert!(hits.is_empty(), "{}", hits.join("\n"));
}

#[test]
fn the_word_list_finds_words_and_respects_exceptions() {
    let list =
        List::parse("(asks?) for ⇒ requests\n  except asks for confirmation: a prompt\nskip docs: not yet\n");
    assert_eq!(list.hits("It asks for confirmation.\nThe job Asks for memory.").len(), 1);
    assert!(list.hits("The tasks for today.").is_empty());
    assert!(list.is_skipped("docs/index.md") && !list.is_skipped("docs.md"));
    assert_eq!(prose("Old `asks for`\nword\n\n```sh\nasks for\n```\n"), "Old … word\n");
}

#[test]
fn long_pages_have_a_table_of_contents() {
    let list = List::parse(&read(".config/words.txt"));
    let pages =
        files_below(root()).into_iter().filter(|file| file.ends_with(".md") && file.starts_with("docs/"));
    for page in pages.filter(|page| !list.is_skipped(page)) {
        let text = read(&page);
        let is_long = text.lines().count() > 150;
        assert!(
            !is_long || text.matches("\n- [").count() >= 3 && text.contains("](#"),
            "{page} has no table of contents"
        );
    }
}
