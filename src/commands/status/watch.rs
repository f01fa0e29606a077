//! `status --watch`.

use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};

use super::Status;
use crate::collect::Collectors;
use crate::commands::Error;
use crate::commands::json::print_json;
use crate::commands::terminal::{Terminal, print};
use crate::config::StatusArgs;

/// Hides the cursor and clears the screen.
const BEGIN: &str = "\u{1b}[?25l\u{1b}[2J";
/// Shows the cursor again.
const SHOW_CURSOR: &str = "\u{1b}[?25h";
/// Moves to the first line, and clears the rest of a line or of the screen.
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

/// Collects like the exporter, and prints the status after each change, until a signal.
pub(super) async fn run(collectors: Collectors, args: &StatusArgs) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let redraws = std::io::stdout().is_terminal() && !args.show.json;
    let (context, store) = (collectors.context.clone(), collectors.store.clone());
    let mut changes = store.changes();
    let collecting = tokio::spawn(collectors.run());
    if redraws {
        print(BEGIN)?;
    }
    let shown = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            // Both a change and the passing of time update the output.
            () = changes.next(context.settings.interval) => {}
        }
        let status = Status::new(&store.snapshot((context.now)()));
        let result = if args.show.json { print_json(&status) } else { show(&status, args, redraws) };
        if result.is_err() {
            break result;
        }
    };
    collecting.abort();
    if redraws {
        print(SHOW_CURSOR)?;
    }
    shown
}

/// Prints a screen: in place of the previous one on a terminal, otherwise below it.
fn show(status: &Status, args: &StatusArgs, redraws: bool) -> Result<(), Error> {
    let terminal = Terminal::of(&std::io::stdout(), args.show.color.color);
    let screen = status.screen(&terminal);
    if !redraws {
        return print(&format!("{screen}\n"));
    }
    // More lines than the terminal has would scroll the first one away.
    let lines = screen.lines().take(terminal.height.map_or(usize::MAX, |height| height.saturating_sub(1)));
    let lines: String = lines.flat_map(|line| [line, CLEAR_LINE, "\n"]).collect();
    print(&format!("{HOME}{lines}{CLEAR_BELOW}"))
}
