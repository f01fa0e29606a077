//! `completions`: prints shell completions, generated from the same tables as the help.

use std::io::Write;

use clap_complete::Shell;

use super::Error;
use crate::config::command;

/// Prints the script for one shell.
pub(super) fn run(shell: Shell) -> Result<(), Error> {
    std::io::stdout().write_all(script(shell).as_bytes()).map_err(Error::Output)
}

fn script(shell: Shell) -> String {
    let mut command = command();
    let name = command.get_name().to_owned();
    // The generator panics on write errors, so it writes to memory first.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let script = String::from_utf8(script).expect("a script made of strings is one");
    match shell {
        // In half of the script, clap_complete 4.6 treats the hyphen in the name as the start of a command
        // (clap issue 6421), so nothing after a command would be completed.
        Shell::Bash => script.replace("nomad__subcmd__exporter", "nomad__exporter"),
        _ => script,
    }
}
