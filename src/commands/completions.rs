//! What makes a shell complete flags and commands, from the same tables as the help.

use std::io::Write;

use clap_complete::Shell;

use super::Error;
use crate::config::command;

/// Prints the script of one shell.
pub(super) fn run(shell: Shell) -> Result<(), Error> {
    std::io::stdout().write_all(script(shell).as_bytes()).map_err(Error::Output)
}

fn script(shell: Shell) -> String {
    let mut command = command();
    let name = command.get_name().to_owned();
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let script = String::from_utf8(script).expect("a script made of strings is one");
    match shell {
        // clap_complete 4.6 takes the hyphen in the name for a command's begin in half of the script (clap issue 6421),
        // so that nothing behind a command would be completed.
        Shell::Bash => script.replace("nomad__subcmd__exporter", "nomad__exporter"),
        _ => script,
    }
}
