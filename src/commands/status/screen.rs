//! Terminal output of `status`.

use super::{ClientCount, DrainJson, PendingJobJson, PoolStatus, Status};
use crate::commands::lines::{
    and_more, counted, heading, level, line, partial_line, problem_lines, state_tone,
};
use crate::commands::table::{Cell, Column, table};
use crate::commands::terminal::{Terminal, Tone};
use crate::human;
use crate::snapshot::{Level, Missing, ResourceTotals};
use crate::terms::Term;

/// Maximum number of pending jobs.
const MAX_PENDING: usize = 5;
/// Maximum number of pools and drains.
const MAX_ROWS: usize = 20;

impl Status {
    /// Renders the screen.
    pub fn screen(&self, terminal: &Terminal) -> String {
        let parts = [
            self.summary(terminal),
            partial_line(terminal, &self.namespaces),
            problem_lines(terminal, &self.problems),
            self.pending(terminal),
            self.pools(terminal),
            self.drains(terminal),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }

    fn summary(&self, terminal: &Terminal) -> String {
        let jobs = &self.jobs;
        let levels = &self.shown_levels;
        let with_host = |allocated: Option<Level>, host: Option<Level>, unit| {
            let host = host.map(|host| format!("{} used by hosts", human::percent(host.ratio())));
            [level(terminal, allocated, unit, "allocated")]
                .into_iter()
                .chain(host.map(|host| host.as_str().into()))
        };
        [
            heading(terminal, &format!("Nomad as of {}", human::clock(self.as_of()))),
            line(
                terminal,
                "Jobs",
                &[
                    counted(jobs.pending, "pending", Tone::Warn),
                    counted(jobs.running, "running", Tone::Good),
                    counted(jobs.dead, "dead", Tone::Muted),
                    counted(jobs.queued_allocations, "queued", Tone::Warn),
                ],
            ),
            self.scheduling(terminal),
            line(terminal, "Clients", &self.clients()),
            line(terminal, "CPU", &with_host(levels.cpu, levels.host_cpu, human::hertz).collect::<Vec<_>>()),
            line(
                terminal,
                "Memory",
                &with_host(levels.memory, levels.host_memory, human::bytes).collect::<Vec<_>>(),
            ),
        ]
        .concat()
    }

    /// Renders the number of evaluations that wait for a scheduler, if there are any, because jobs then wait
    /// for the schedulers.
    fn scheduling(&self, terminal: &Terminal) -> String {
        match self.jobs.pending_evaluations.filter(|count| *count > 0) {
            Some(count) => {
                line(terminal, "Scheduling", &[counted(Some(count), "waiting for a scheduler", Tone::Warn)])
            }
            None => String::new(),
        }
    }

    fn clients(&self) -> Vec<Cell> {
        let Some(clients) = &self.clients else { return vec![Cell::toned("?", Tone::Muted)] };
        let count = |client: &ClientCount| {
            counted(Some(client.count), client.state.0.as_str(), state_tone(client.state.0))
        };
        clients.iter().map(count).collect()
    }

    fn pending(&self, terminal: &Terminal) -> String {
        let Some(pending) = self.oldest_pending.as_ref().filter(|pending| !pending.is_empty()) else {
            return String::new();
        };
        let columns = [
            Column::text("OLDEST PENDING", 0),
            Column::text("NAMESPACE", 1),
            Column::number("WAITING", 0),
            Column::text("REASON", 0),
        ];
        let row = |job: &PendingJobJson| {
            let reason = job.reason.map_or("?", |reason| human::reason(reason.0));
            let waits = human::ago(self.as_of(), job.since.0);
            vec![job.id.as_str().into(), job.namespace.as_str().into(), waits.as_str().into(), reason.into()]
        };
        let shown = pending.iter().take(MAX_PENDING).map(row).collect();
        let all = self.jobs.pending.unwrap_or_default();
        table(terminal, &columns, shown) + &and_more(terminal, pending.len().min(MAX_PENDING), all, "")
    }

    fn pools(&self, terminal: &Terminal) -> String {
        let Some(pools) = self.pools.as_ref().filter(|pools| !pools.is_empty()) else { return String::new() };
        let mut columns = vec![
            Column::text("POOL", 0),
            Column::number("ACTIVE", 1),
            Column::number("QUEUED", 0),
            Column::number("CPU REQ/FREE", 2),
            Column::number("MEM REQ/FREE", 2),
            Column::number("CLIENTS MISSING", 0),
        ];
        let mut shown: Vec<_> = pools.iter().take(MAX_ROWS).map(pool_row).collect();
        if pools.iter().any(|status| status.pool.unplaceable > 0) {
            columns.push(Column::number("UNPLACEABLE", 1));
            for (row, status) in shown.iter_mut().zip(pools) {
                row.push(match status.pool.unplaceable {
                    0 => "0".into(),
                    count => Cell::toned(&count.to_string(), Tone::Bad),
                });
            }
        }
        let count = pools.len();
        table(terminal, &columns, shown) + &and_more(terminal, count.min(MAX_ROWS), count as u64, "")
    }

    fn drains(&self, terminal: &Terminal) -> String {
        let Some(drains) = self.drains.as_ref().filter(|drains| !drains.is_empty()) else {
            return String::new();
        };
        let columns = [
            Column::text("DRAIN", 0),
            Column::number("SINCE", 2),
            Column::number("DEADLINE", 1),
            Column::number("REMAINING", 0),
            Column::text("", 0),
        ];
        let row = |drain: &DrainJson| {
            let since = drain.started.map(|started| human::ago(self.as_of(), started.0)).unwrap_or_default();
            let deadline = drain.deadline.map(|deadline| human::until(self.as_of(), deadline.0));
            let remaining = drain.remaining_allocations.into();
            let deadline = deadline.unwrap_or_default();
            vec![
                drain.name.as_str().into(),
                since.as_str().into(),
                deadline.as_str().into(),
                remaining,
                drain.safety(),
            ]
        };
        let shown = drains.iter().take(MAX_ROWS).map(row).collect();
        let count = drains.len();
        table(terminal, &columns, shown) + &and_more(terminal, count.min(MAX_ROWS), count as u64, "")
    }
}

fn pool_row(status: &PoolStatus) -> Vec<Cell> {
    let pool = &status.pool;
    let active = match pool.other_nodes {
        0 => pool.active_nodes.to_string(),
        others => format!("{} of {}", pool.active_nodes, pool.active_nodes + others),
    };
    let requested = |totals: &ResourceTotals, unit: fn(f64) -> String| match (
        pool.is_requested_known(),
        pool.unsized_allocations,
    ) {
        (false, _) => format!("?/{}", unit(totals.free())),
        (true, 0) => format!("{}/{}", unit(totals.requested), unit(totals.free())),
        (true, _) => format!("{}+/{}", unit(totals.requested), unit(totals.free())),
    };
    let missing = match pool.missing() {
        Missing::Clients(0) => "0".into(),
        Missing::Clients(missing) => Cell::toned(&missing.to_string(), Tone::Warn),
        Missing::All => Cell::toned("no active client", Tone::Bad),
        Missing::Unknown => Cell::toned("?", Tone::Muted),
    };
    vec![
        if status.name.is_empty() { "(none)".into() } else { status.name.as_str().into() },
        active.as_str().into(),
        Some(pool.queued).into(),
        requested(&pool.cpu, human::hertz).as_str().into(),
        requested(&pool.memory, human::bytes).as_str().into(),
        missing,
    ]
}
