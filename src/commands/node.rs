//! `node`: shows one client.

use std::process::ExitCode;
use std::time::SystemTime;

use serde::Serialize;

use super::find;
use super::json::{NamespacesJson, TimeJson, Word, print_json};
use super::lines::{and_more, heading, level, line, partial_line, problem_lines, state_tone};
use super::nodes::NodeRow;
use super::status::DrainJson;
use super::table::{Cell, Column, table};
use super::terminal::{Terminal, Tone, print};
use super::{Error, Problem, Session, own};
use crate::collect;
use crate::config::{Config, NodeArgs};
use crate::human;
use crate::nomad;
use crate::snapshot::{self, OneNode, Snapshot};
use crate::terms::{ClientStatus, NodeState, Term};

/// Maximum number of listed allocations.
const MAX_ALLOCATIONS: usize = 200;

/// Shows one client. Succeeds if everything could be read.
pub(super) async fn run(config: Config, args: &NodeArgs) -> Result<ExitCode, Error> {
    let (settings, wanted) = own::selected_node(config.nomad, &args.choice, &args.agent).await?;
    let session = Session::for_all_namespaces(Config { nomad: settings, ..config })?;
    let found = find::node(&session.client, &wanted).await?;
    let (node, errors) =
        collect::one_node(&session.client, &session.settings, &found.id, MAX_ALLOCATIONS).await?;
    let view = NodeView::new(node, &errors, SystemTime::now());
    if args.show.json {
        print_json(&view)?;
    } else {
        print(&view.screen(&Terminal::of(&std::io::stdout(), args.show.color.color)))?;
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// JSON output of `node`.
#[derive(Debug, Serialize)]
pub struct NodeView {
    as_of: TimeJson,
    namespaces: NamespacesJson,
    #[serde(flatten)]
    node: NodeRow,
    eligible: bool,
    drivers: Vec<DriverJson>,
    drain: Option<DrainJson>,
    allocations: Vec<AllocationJson>,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct DriverJson {
    name: String,
    healthy: bool,
}

#[derive(Debug, Serialize)]
struct AllocationJson {
    id: String,
    namespace: String,
    job_id: String,
    task_group: String,
    status: Word<ClientStatus>,
    placed: Option<TimeJson>,
}

impl NodeView {
    /// Creates the view of a node, including what could not be read.
    pub fn new(known: OneNode, errors: &[nomad::Error], now: SystemTime) -> Self {
        let snapshot = Snapshot::new(now, Vec::new(), known.sections);
        let nodes = snapshot.sections.nodes.as_ref().expect("the node was read");
        let node = nodes.first().expect("the node was read");
        let drain = snapshot.joins.drains.as_ref().and_then(|drains| Some(drains.first()?.into()));
        let mut allocations: Vec<AllocationJson> =
            known.allocations.into_iter().map(AllocationJson::from).collect();
        allocations.sort_by(|one, other| one.order().cmp(&other.order()));
        Self {
            as_of: TimeJson(now),
            namespaces: NamespacesJson::from(&snapshot.joins.coverage),
            node: NodeRow::new(&snapshot, node),
            eligible: node.eligible,
            drivers: node
                .drivers
                .iter()
                .map(|(name, healthy)| DriverJson { name: name.clone(), healthy: *healthy })
                .collect(),
            drain,
            allocations,
            problems: errors.iter().map(Problem::from).collect(),
        }
    }

    /// Renders the screen.
    pub fn screen(&self, terminal: &Terminal) -> String {
        let parts = [
            self.summary(terminal),
            self.allocations(terminal),
            partial_line(terminal, &self.namespaces),
            problem_lines(terminal, &self.problems),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }

    fn summary(&self, terminal: &Terminal) -> String {
        let node = &self.node;
        let state = Cell::toned(node.state.0.as_str(), state_tone(node.state.0));
        let work = match (self.eligible, node.state.0) {
            (true, NodeState::Active) => "eligible",
            _ => "not eligible",
        };
        let levels = &node.shown_levels;
        let mut lines = vec![
            heading(terminal, &human::plain(&node.name)),
            format!("{}\n", human::plain(&node.id)),
            line(terminal, "State", &[state, work.into()]),
            line(terminal, "Where", &self.place()),
            line(terminal, "CPU", &[level(terminal, levels.cpu, human::hertz, "allocated")]),
            line(terminal, "Host CPU", &[level(terminal, levels.host_cpu, human::hertz, "used")]),
            line(terminal, "Memory", &[level(terminal, levels.memory, human::bytes, "allocated")]),
            line(terminal, "Host memory", &[level(terminal, levels.host_memory, human::bytes, "used")]),
            line(terminal, "Drivers", &self.driver_cells()),
        ];
        if let Some(drain) = &self.drain {
            lines.push(line(terminal, "Drain", &drain.cells(self.as_of.0)));
        }
        lines.concat()
    }

    fn place(&self) -> Vec<Cell> {
        let node = &self.node;
        let named = [
            ("pool", &node.pool),
            ("class", &node.class),
            ("datacenter", &node.datacenter),
            ("Nomad", &node.version),
        ];
        let known = named.into_iter().filter(|(_, value)| !value.is_empty());
        known.map(|(name, value)| format!("{name} {value}").as_str().into()).collect()
    }

    fn driver_cells(&self) -> Vec<Cell> {
        if self.drivers.is_empty() {
            return vec![Cell::toned("none", Tone::Warn)];
        }
        let cell = |driver: &DriverJson| match driver.healthy {
            true => driver.name.as_str().into(),
            false => Cell::toned(&format!("{} is unhealthy", driver.name), Tone::Bad),
        };
        self.drivers.iter().map(cell).collect()
    }

    fn allocations(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 6] = [
            Column::text("JOB", 0),
            Column::text("GROUP", 2),
            Column::text("NAMESPACE", 1),
            Column::text("STATUS", 0),
            Column::number("SINCE", 0),
            Column::text("ALLOCATION", 3),
        ];
        let row = |allocation: &AllocationJson| {
            let since = allocation.placed.map(|placed| human::ago(self.as_of.0, placed.0));
            vec![
                allocation.job_id.as_str().into(),
                allocation.task_group.as_str().into(),
                allocation.namespace.as_str().into(),
                Cell::toned(allocation.status.0.as_str(), status_tone(allocation.status.0)),
                since.into(),
                allocation.id.get(..8).unwrap_or(&allocation.id).into(),
            ]
        };
        match (self.node.live, self.allocations.is_empty()) {
            (None, true) => String::new(),
            (Some(_), true) => format!("{}\n", terminal.paint(Tone::Muted, "no allocations")),
            (live, false) => {
                let rows = self.allocations.iter().map(row).collect();
                let live = live.unwrap_or_default();
                table(terminal, &COLUMNS, rows) + &and_more(terminal, self.allocations.len(), live, "")
            }
        }
    }
}

fn status_tone(status: ClientStatus) -> Tone {
    match status {
        ClientStatus::Running => Tone::Good,
        ClientStatus::Pending => Tone::Warn,
        _ => Tone::Bad,
    }
}

impl AllocationJson {
    /// Sort key: by job, oldest first.
    fn order(&self) -> (&str, &str, Option<SystemTime>, &str) {
        (&self.namespace, &self.job_id, self.placed.map(|placed| placed.0), &self.id)
    }
}

impl From<snapshot::NodeAllocation> for AllocationJson {
    fn from(allocation: snapshot::NodeAllocation) -> Self {
        Self {
            id: allocation.id,
            namespace: allocation.namespace,
            job_id: allocation.job_id,
            task_group: allocation.task_group,
            status: Word(allocation.status),
            placed: allocation.placed.map(TimeJson),
        }
    }
}
