//! `nodes`: lists clients, those that need attention first.

use std::process::ExitCode;

use serde::Serialize;

use super::json::{LevelsJson, NamespacesJson, TimeJson, Word, print_json};
use super::lines::{counted, line, partial_line, problem_lines, state_tone};
use super::table::{Cell, Column, table};
use super::terminal::{Terminal, Tone, print};
use super::{Error, Problem, Session, problems};
use crate::config::{Config, NodesArgs};
use crate::snapshot::{CollectorId, Levels, Node, Snapshot};
use crate::terms::{ByTerm, ClientStatus, NodeState, Term};

/// Collectors for the list.
const COLLECTORS: &[CollectorId] =
    &[CollectorId::Token, CollectorId::Nodes, CollectorId::Allocations, CollectorId::HostStats];

/// Lists clients. Succeeds if everything could be read.
pub(super) async fn run(config: Config, args: &NodesArgs) -> Result<ExitCode, Error> {
    let mut collectors = Session::for_all_namespaces(config)?.collectors(COLLECTORS);
    collectors.refresh_all().await;
    let snapshot = collectors.snapshot();
    let nodes = NodeList::new(&snapshot, args).ok_or_else(|| Error::Nothing(problems(&snapshot)))?;
    if args.show.json {
        print_json(&nodes)?;
    } else {
        print(&nodes.screen(&Terminal::of(&std::io::stdout(), args.show.color.color)))?;
    }
    Ok(if nodes.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// JSON output of `nodes`.
#[derive(Debug, Serialize)]
pub struct NodeList {
    as_of: TimeJson,
    namespaces: NamespacesJson,
    nodes: Vec<NodeRow>,
    problems: Vec<Problem>,
}

/// A client; unknown values are absent.
#[derive(Debug, Serialize)]
pub(super) struct NodeRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) state: Word<NodeState>,
    pub(super) pool: String,
    pub(super) class: String,
    pub(super) datacenter: String,
    pub(super) version: String,
    /// Number of allocations.
    running: Option<u64>,
    pub(super) live: Option<u64>,
    levels: LevelsJson,
    #[serde(skip)]
    pub(super) shown_levels: Levels,
}

impl NodeRow {
    /// Creates the row of a node from a snapshot.
    pub(super) fn new(snapshot: &Snapshot, node: &Node) -> Self {
        let sections = &snapshot.sections;
        let (load, levels) = (sections.load(node), sections.levels(node));
        Self {
            id: node.id.clone(),
            name: node.name.clone(),
            state: Word(node.state),
            pool: node.pool.clone(),
            class: node.class.clone(),
            datacenter: node.datacenter.clone(),
            version: node.version.clone(),
            running: load.as_ref().map(|load| load.by_status[ClientStatus::Running]),
            live: load.as_ref().map(|load| load.count()),
            levels: LevelsJson::from(&levels),
            shown_levels: levels,
        }
    }
}

impl NodeList {
    /// Creates the list of the matching nodes; `None` if nodes are unknown.
    pub fn new(snapshot: &Snapshot, args: &NodesArgs) -> Option<Self> {
        let wanted = |node: &&Node| {
            args.state.is_none_or(|state| state == node.state)
                && args.pool.as_ref().is_none_or(|pool| *pool == node.pool)
        };
        let nodes = snapshot.sections.nodes.as_ref()?.iter().filter(wanted);
        let mut nodes: Vec<NodeRow> = nodes.map(|node| NodeRow::new(snapshot, node)).collect();
        nodes.sort_by_key(|node| node.state.0);
        Some(Self {
            as_of: TimeJson(snapshot.taken_at),
            namespaces: NamespacesJson::from(&snapshot.joins.coverage),
            nodes,
            problems: problems(snapshot),
        })
    }

    /// Renders the screen.
    pub fn screen(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 9] = [
            Column::text("CLIENT", 0),
            Column::text("ID", 6),
            Column::text("STATE", 0),
            Column::text("POOL", 3),
            Column::number("RUNNING", 1),
            Column::text("CPU", 2),
            Column::text("MEMORY", 2),
            Column::text("HOST CPU", 4),
            Column::text("HOST MEMORY", 5),
        ];
        let row = |node: &NodeRow| {
            let levels = &node.shown_levels;
            vec![
                node.name.as_str().into(),
                node.id.get(..8).unwrap_or(&node.id).into(),
                Cell::toned(node.state.0.as_str(), state_tone(node.state.0)),
                node.pool.as_str().into(),
                node.running.into(),
                Cell::level(levels.cpu),
                Cell::level(levels.memory),
                Cell::level(levels.host_cpu),
                Cell::level(levels.host_memory),
            ]
        };
        let mut by_state = ByTerm::<NodeState, u64>::default();
        self.nodes.iter().for_each(|node| by_state[node.state.0] += 1);
        let counts = by_state.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<Cell> =
            counts.map(|(state, count)| counted(Some(*count), state.as_str(), state_tone(state))).collect();
        let rows: Vec<_> = self.nodes.iter().map(row).collect();
        let list = match rows.is_empty() {
            true => format!("{}\n", terminal.paint(Tone::Muted, "no such client")),
            false => table(terminal, &COLUMNS, rows) + "\n" + &line(terminal, "Clients", &counts),
        };
        list + &partial_line(terminal, &self.namespaces) + &problem_lines(terminal, &self.problems)
    }
}
