//! `man`: manual pages of the program and of each command, generated from the same tables as the help.

use std::io::Write;
use std::path::PathBuf;

use clap_mangen::Man;

use super::Error;
use crate::config::command;

/// Prints the program's page, or writes all pages to a directory.
pub(super) fn run(directory: Option<PathBuf>) -> Result<(), Error> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    if let Some(directory) = directory {
        let written = std::fs::create_dir_all(&directory)
            .and_then(|()| pages(command).iter().try_for_each(|page| page.generate_to(&directory).map(drop)));
        return written.map_err(|error| Error::Directory(directory, error));
    }
    let mut text = Vec::new();
    let rendered = page(command).render(&mut text);
    rendered.and_then(|()| std::io::stdout().write_all(&text)).map_err(Error::Output)
}

/// Returns the pages of a command and its subcommands.
fn pages(command: clap::Command) -> Vec<Man> {
    let below: Vec<clap::Command> =
        command.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    std::iter::once(page(command)).chain(below.into_iter().flat_map(pages)).collect()
}

/// Uses the synopsis of the help, because one with all flags would fill a page.
fn page(mut command: clap::Command) -> Man {
    let usage = command.render_usage().to_string();
    Man::new(command.override_usage(usage.trim_start_matches("Usage: ").to_owned()))
}
