//! `check`: collects once, and reports which collectors work and what the others lack.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Error, collectors};
use crate::config::{Config, NAMESPACE_FLAG};
use crate::exposition::{Encoding, Format, Rendered};
use crate::human::plain;
use crate::metrics::OwnMetrics;
use crate::snapshot::{CollectorId, NamespaceCoverage, Snapshot};
use crate::terms::Term;

/// Refreshes every enabled collector once, prints the metrics to stdout and the result of each collector to
/// stderr. Succeeds if all of them succeeded.
pub(super) async fn run(config: Config) -> Result<ExitCode, Error> {
    let (selection, task_namespace) = (config.selection.clone(), config.task_namespace.clone());
    let own = Arc::new(OwnMetrics::new()?);
    let mut collectors = collectors(config, &own)?;
    let mut all_well = true;
    let (mut unreachable, mut why) = (Vec::new(), None);
    // A collector follows those that it depends on, so they can run one after the other.
    for id in collectors.ids() {
        let result = collectors.refresh(id).await.map_err(|error| error.sentence());
        all_well &= result.is_ok();
        match result {
            // All unreachable collectors have the same reason.
            Err(error) if collectors.is_unreachable(id) => {
                unreachable.push(id.as_str());
                why.get_or_insert(error);
            }
            result => print_result(id, result, &collectors.snapshot()),
        }
    }
    let snapshot = Arc::new(collectors.snapshot());
    if let Some(why) = why {
        let line = format!("FAILED  Nomad cannot be reached: {why}; not read: {}", unreachable.join(", "));
        drop(writeln!(std::io::stderr(), "{line}"));
    } else {
        print_namespaces(task_namespace, &snapshot.joins.coverage);
    }
    let rendered = Rendered::new(snapshot, own.gather(), selection, None);
    let bytes = rendered.bytes(Format::Text, Encoding::Identity);
    std::io::stdout().write_all(&bytes).map_err(Error::Output)?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the result of a collector. If stderr is closed, the exit code remains.
fn print_result(id: CollectorId, result: Result<(), String>, snapshot: &Snapshot) {
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

/// Prints which namespaces are read, unless it is all of them.
fn print_namespaces(task_namespace: Option<String>, coverage: &NamespaceCoverage) {
    let of_task = task_namespace.map(|name| {
        format!("note    NOMAD_NAMESPACE={name} is ignored because it is the namespace of this task; all namespaces are read unless {NAMESPACE_FLAG} selects some")
    });
    let line = match coverage {
        NamespaceCoverage::All => None,
        NamespaceCoverage::Partial(why) => Some(format!(
            "PARTIAL not all namespaces are read: {why}; metrics that sum over the allocations of a node are omitted"
        )),
        NamespaceCoverage::Unknown(why) => {
            Some(format!("note    it is unknown whether all namespaces are read: {why}"))
        }
    };
    of_task.into_iter().chain(line).for_each(|line| drop(writeln!(std::io::stderr(), "{}", plain(&line))));
}
