//! `job`: shows one job, why it waits, its allocations and their outcomes, and where their logs are.

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

/// Shows one job. Succeeds if everything could be read.
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
