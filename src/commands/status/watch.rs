//! The cluster on one screen, again and again.

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
/// Goes to the first line, and clears what is left of a line or of the screen.
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

/// Collects as serving does, and shows what is known whenever it changed, until a signal says stop.
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
            // Either a change or the passing of time is a reason to show it anew.
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

/// Shows one screen: over the last one where there is a terminal, below it elsewhere.
fn show(status: &Status, args: &StatusArgs, redraws: bool) -> Result<(), Error> {
    let terminal = Terminal::of(&std::io::stdout(), args.show.color.color);
    let screen = status.screen(&terminal);
    if !redraws {
        return print(&format!("{screen}\n"));
    }
    // A line that would not fit would push the first one out.
    let lines = screen.lines().take(terminal.height.map_or(usize::MAX, |height| height.saturating_sub(1)));
    let lines: String = lines.flat_map(|line| [line, CLEAR_LINE, "\n"]).collect();
    print(&format!("{HOME}{lines}{CLEAR_BELOW}"))
}
