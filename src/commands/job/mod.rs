//! One job: why it waits, what became of its allocations, and where their logs are.

mod read;
mod screen;
mod view;

use std::process::ExitCode;
use std::time::SystemTime;

use super::json::print_json;
use super::terminal::{Terminal, print};
use super::{Error, Session};
use crate::config::{Config, JobArgs};

pub use view::JobView;

/// Shows one job. It is a success if everything that was asked for was answered.
pub(super) async fn run(config: Config, args: &JobArgs) -> Result<ExitCode, Error> {
    let session = Session::new(config)?;
    let namespaces = session.settings.namespaces.names();
    let view = JobView::read(&session.client, namespaces, &args.job, SystemTime::now()).await?;
    if args.show.json {
        print_json(&view)?;
    } else {
        print(&view.screen(&Terminal::of(&std::io::stdout(), args.show.color.color)))?;
    }
    Ok(if view.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
