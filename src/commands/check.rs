//! One collection, for people: does it work, and if not, what is missing?

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Error, collectors};
use crate::config::Config;
use crate::exposition::{Encoding, Format, Rendered};
use crate::metrics::OwnMetrics;
use crate::snapshot::{CollectorId, Snapshot};
use crate::terms::Term;

/// Refreshes every collector once, prints the metrics to stdout and a verdict on each collector to stderr. It is a
/// success if every collector that is on answered.
pub(super) async fn run(config: Config) -> Result<ExitCode, Error> {
    let selection = config.selection.clone();
    let own = Arc::new(OwnMetrics::new()?);
    let mut collectors = collectors(config, &own)?;
    let mut all_well = true;
    // Each stands behind those that it depends on, so one after the other works.
    for id in collectors.ids() {
        let result = collectors.refresh(id).await;
        all_well &= result.is_ok();
        say(id, result.map_err(|error| error.sentence()), &collectors.snapshot());
    }
    let (snapshot, own) = (Arc::new(collectors.snapshot()), own.gather());
    let rendered = Rendered::new(snapshot, own, selection, None);
    let bytes = rendered.bytes(Format::Text, Encoding::Identity);
    std::io::stdout().write_all(&bytes).map_err(Error::Output)?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whoever does not hear this sees the exit code.
fn say(id: CollectorId, result: Result<(), String>, snapshot: &Snapshot) {
    let collector = id.as_str();
    let line = match result {
        Ok(()) => {
            let state = snapshot.collectors.iter().find(|state| state.id == id);
            let rows = state.and_then(|state| state.objects).unwrap_or_default();
            format!("ok      {collector}: {rows} rows")
        }
        Err(problem) => format!("FAILED  {collector}: {problem}"),
    };
    drop(writeln!(std::io::stderr(), "{line}"));
}
