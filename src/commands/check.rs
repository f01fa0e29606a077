//! One collection, for people: does it work, and if not, what is missing?

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Error, context};
use crate::collect::{self, COLLECTORS};
use crate::config::Config;
use crate::exposition::{Encoding, Format, Rendered};
use crate::metrics::OwnMetrics;

/// Refreshes every collector once, prints the metrics to stdout and a verdict on each collector to stderr. It is a
/// success if every collector that is on answered.
pub(super) async fn run(config: Config) -> Result<ExitCode, Error> {
    let selection = config.selection.clone();
    let own = Arc::new(OwnMetrics::new()?);
    let context = Arc::new(context(config, &own)?);
    let mut all_well = true;
    // Collectors stand behind those that they build on, so one after the other works.
    for collector in
        COLLECTORS.iter().filter(|collector| context.settings.collectors.contains(&collector.name))
    {
        let verdict = collect::refresh(collector, &context).await;
        all_well &= verdict.is_ok();
        say(collector.name, verdict.map_err(|error| error.sentence()), &context);
    }
    let (snapshot, own) = (Arc::new(context.store.snapshot((context.now)())), own.gather());
    let rendered = Rendered::new(snapshot, own, selection, None);
    let bytes = rendered.bytes(Format::Text, Encoding::Identity);
    std::io::stdout().write_all(&bytes).map_err(Error::Output)?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whoever does not hear this sees the exit code.
fn say(collector: &str, verdict: Result<(), String>, context: &collect::Context) {
    let line = match verdict {
        Ok(()) => {
            let snapshot = context.store.snapshot((context.now)());
            let state = snapshot.collectors.iter().find(|state| state.name == collector);
            let rows = state.and_then(|state| state.objects).unwrap_or_default();
            format!("ok      {collector}: {rows} rows")
        }
        Err(problem) => format!("FAILED  {collector}: {problem}"),
    };
    drop(writeln!(std::io::stderr(), "{line}"));
}
