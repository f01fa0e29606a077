//! What `job` shows, as a screen.

use super::view::{AllocationJson, ChildJson, EvaluationJson, GroupJson, JobView};
use crate::commands::lines::{and_more, counted, heading, line, problem_lines};
use crate::commands::table::{Cell, Column, table};
use crate::commands::task_events::Told;
use crate::commands::terminal::{Terminal, Tone};
use crate::human::{self, plain};
use crate::terms::{ClientStatus, JobStatus, Outcome, Term};

/// How many allocations are shown with their events.
const MAX_TOLD: usize = 3;

impl JobView {
    /// The screen.
    pub fn screen(&self, terminal: &Terminal) -> String {
        let parts = [
            self.about(terminal),
            self.groups(terminal),
            self.blocked(terminal),
            self.children(terminal),
            self.allocations(terminal),
            self.events(terminal),
            self.evaluations(terminal),
            self.logs(terminal),
            problem_lines(terminal, &self.problems),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }

    fn about(&self, terminal: &Terminal) -> String {
        let mut status = vec![match (self.template, self.status.0) {
            (Some(template), _) => format!("{} template", template.0.as_str()).as_str().into(),
            (_, JobStatus::Pending) => Cell::toned("pending", Tone::Warn),
            (_, JobStatus::Running) => Cell::toned("running", Tone::Good),
            (_, other) => other.as_str().into(),
        }];
        status.extend(
            self.outcome
                .filter(|outcome| outcome.0 != Outcome::Stopped)
                .map(|outcome| outcome_cell(outcome.0)),
        );
        if self.stopped {
            status.push("stopped".into());
        }
        let mut is = vec![format!("type {}", self.job_type.0.as_str())];
        is.extend(self.priority.map(|priority| format!("priority {priority}")));
        is.extend(self.node_pool.iter().map(|pool| format!("pool {pool}")));
        is.extend(self.version.map(|version| format!("version {version}")));
        is.extend(self.submitted.map(|at| format!("submitted {} ago", human::ago(self.as_of.0, at.0))));
        let is: Vec<Cell> = is.iter().map(|text| text.as_str().into()).collect();
        let mut lines = vec![
            heading(terminal, &plain(&self.id)),
            format!("namespace {}\n", plain(&self.namespace)),
            line(terminal, "Status", &status),
            line(terminal, "Job", &is),
        ];
        if let Some(waits) = &self.waits {
            let since = waits.since.map(|since| format!("for {}", human::ago(self.as_of.0, since.0)));
            let mut why = vec![Cell::toned(human::reason(waits.reason.0), Tone::Warn)];
            why.extend(since.map(|since| Cell::from(since.as_str())));
            lines.push(line(terminal, "Waits", &why));
        }
        lines.concat()
    }

    fn groups(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 6] = [
            Column::text("GROUP", 0),
            Column::number("DESIRED", 0),
            Column::number("RUNNING", 0),
            Column::number("STARTING", 1),
            Column::number("QUEUED", 0),
            Column::number("UNKNOWN", 2),
        ];
        if self.groups.is_empty() || self.template.is_some() {
            return String::new();
        }
        let row = |group: &GroupJson| {
            let is_short =
                group.desired.zip(group.running).is_some_and(|(desired, running)| running < desired);
            let mut running = Cell::from(group.running);
            if is_short {
                running.tone = Some(Tone::Warn);
            }
            vec![
                group.name.as_str().into(),
                group.desired.map_or_else(|| "".into(), |desired| Some(desired).into()),
                running,
                group.starting.into(),
                Some(group.queued).into(),
                group.unknown.into(),
            ]
        };
        table(terminal, &COLUMNS, self.groups.iter().map(row).collect())
    }

    /// Why allocations of each group could not be placed.
    fn blocked(&self, terminal: &Terminal) -> String {
        let mut lines = String::new();
        for group in &self.groups {
            let Some(blocked) = &group.blocked else { continue };
            let number = |count: Option<i64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
            let title = format!(
                "{}: {} nodes evaluated, {} filtered, {} full",
                plain(&group.name),
                number(blocked.nodes_evaluated),
                number(blocked.nodes_filtered),
                number(blocked.nodes_exhausted)
            );
            lines.push_str(&wrapped(terminal, "", &title));
            let constraints = blocked.constraints.iter().map(|(text, nodes)| ("filtered", text, nodes));
            let dimensions = blocked.dimensions.iter().map(|(text, nodes)| ("full", text, nodes));
            for (what, text, nodes) in constraints.chain(dimensions) {
                lines.push_str(&wrapped(
                    terminal,
                    "  ",
                    &format!("{} {what}: {}", number(*nodes), plain(text)),
                ));
            }
        }
        lines
    }

    fn children(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 4] = [
            Column::text("CHILD", 0),
            Column::text("STATUS", 0),
            Column::text("OUTCOME", 0),
            Column::number("AGE", 1),
        ];
        let Some(children) = &self.children else { return String::new() };
        let counts = [
            counted(Some(children.pending), "pending", Tone::Warn),
            counted(Some(children.running), "running", Tone::Good),
            counted(Some(children.dead), "dead", Tone::Muted),
        ];
        let row = |child: &ChildJson| {
            vec![
                child.id.as_str().into(),
                child.status.0.as_str().into(),
                child.outcome.map_or_else(|| "".into(), |outcome| outcome_cell(outcome.0)),
                child.submitted.map(|at| human::ago(self.as_of.0, at.0)).into(),
            ]
        };
        let summary = line(terminal, "Children", &counts);
        if children.newest.is_empty() {
            return summary;
        }
        let all = children.pending + children.running + children.dead;
        let rows = children.newest.iter().map(row).collect();
        format!(
            "{summary}{}{}",
            table(terminal, &COLUMNS, rows),
            and_more(terminal, children.newest.len(), all, "")
        )
    }

    fn allocations(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 7] = [
            Column::text("ALLOCATION", 0),
            Column::text("GROUP", 3),
            Column::text("STATUS", 0),
            Column::text("OUTCOME", 2),
            Column::text("NODE", 1),
            Column::number("RESTARTS", 4),
            Column::number("AGE", 0),
        ];
        let row = |it: &AllocationJson| {
            vec![
                it.short_id().into(),
                it.task_group.as_str().into(),
                status_cell(it.status.0),
                it.outcome.map_or_else(|| "".into(), |outcome| outcome_cell(outcome.0)),
                it.node.as_str().into(),
                Some(it.restarts).into(),
                it.created.map(|at| human::ago(self.as_of.0, at.0)).into(),
            ]
        };
        if self.allocations.is_empty() {
            return String::new();
        }
        let rows = self.allocations.iter().map(row).collect();
        let more = and_more(terminal, self.allocations.len(), self.all_allocations, "");
        format!("{}{more}", table(terminal, &COLUMNS, rows))
    }

    /// What happened to the tasks of the newest allocations that have something to tell.
    fn events(&self, terminal: &Terminal) -> String {
        let telling = self.allocations.iter().filter(|it| !it.events.is_empty()).take(MAX_TOLD);
        let mut lines = String::new();
        for it in telling {
            let mut task = None;
            for event in &it.events {
                if task != Some(&event.task) {
                    task = Some(&event.task);
                    let title = format!("{}, task {}", it.short_id(), plain(&event.task));
                    lines.push_str(&wrapped(terminal, "", &title));
                }
                let told = Told {
                    time: event.time.map(|time| time.0),
                    kind: event.kind.clone(),
                    message: event.message.clone(),
                };
                lines.push_str(&wrapped(terminal, "  ", &plain(&told.line())));
            }
        }
        lines
    }

    fn evaluations(&self, terminal: &Terminal) -> String {
        const COLUMNS: [Column; 5] = [
            Column::text("EVALUATION", 0),
            Column::text("STATUS", 0),
            Column::text("TRIGGERED BY", 0),
            Column::number("AGE", 1),
            Column::text("WAITS", 2),
        ];
        let row = |it: &EvaluationJson| {
            let waits = it.wait_until.filter(|until| it.status.0.waits() && until.0 > self.as_of.0);
            vec![
                it.id.split('-').next().unwrap_or_default().into(),
                it.status.0.as_str().into(),
                it.triggered_by.as_str().into(),
                it.created.map(|at| human::ago(self.as_of.0, at.0)).into(),
                waits.map(|until| human::until(self.as_of.0, until.0)).unwrap_or_default().as_str().into(),
            ]
        };
        if self.evaluations.is_empty() {
            return String::new();
        }
        let rows = self.evaluations.iter().map(row).collect();
        let more = and_more(terminal, self.evaluations.len(), self.all_evaluations, "");
        format!("{}{more}", table(terminal, &COLUMNS, rows))
    }

    /// The command that shows the log of its newest allocation, as a shell reads it.
    fn logs(&self, terminal: &Terminal) -> String {
        const BREAK: &str = " \\\n  ";
        let Some(newest) = self.allocations.first() else { return String::new() };
        let (mut command, mut used) = (String::new(), 0);
        for word in plain(&newest.logs).split(' ') {
            let length = word.chars().count();
            // A blank before it, and room for what ends the line.
            if used > 0 && terminal.width.is_some_and(|width| used + 1 + length + 2 > width) {
                command.push_str(BREAK);
                used = 2;
            } else if used > 0 {
                command.push(' ');
                used += 1;
            }
            command.push_str(word);
            used += length;
        }
        format!("{command}\n")
    }
}

fn status_cell(status: ClientStatus) -> Cell {
    match status {
        ClientStatus::Running => Cell::toned(status.as_str(), Tone::Good),
        ClientStatus::Failed | ClientStatus::Lost => Cell::toned(status.as_str(), Tone::Bad),
        ClientStatus::Complete => status.as_str().into(),
        _ => Cell::toned(status.as_str(), Tone::Warn),
    }
}

fn outcome_cell(outcome: Outcome) -> Cell {
    match outcome {
        Outcome::Complete | Outcome::Stopped | Outcome::Unknown => outcome.as_str().into(),
        _ => Cell::toned(outcome.as_str(), Tone::Bad),
    }
}

/// A text on as many lines as it takes, each of them indented.
fn wrapped(terminal: &Terminal, indent: &str, text: &str) -> String {
    let width = terminal.width.unwrap_or(usize::MAX).saturating_sub(indent.len()).max(1);
    let letters: Vec<char> = text.chars().collect();
    let lines = letters.chunks(width).map(|line| format!("{indent}{}\n", line.iter().collect::<String>()));
    lines.collect()
}
