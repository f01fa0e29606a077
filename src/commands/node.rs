//! One client.

use super::find;
use super::terminal::{Terminal, Tone, print};
use super::{Error, Session};
use crate::config::NodeArgs;
use crate::human::plain;

/// Shows one client.
pub(super) async fn run(session: &Session, args: &NodeArgs) -> Result<(), Error> {
    let terminal = Terminal::of(&std::io::stdout(), args.show.color);
    let node = find::node(&session.client, &args.choice).await?;
    print(&format!("{} {}\n", terminal.paint(Tone::Title, &plain(&node.name)), node.id))
}
