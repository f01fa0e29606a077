//! Tasks of an allocation, as reported by its client.

use std::time::{Duration, SystemTime};

use super::spec::{Cause, Lifecycle, Task};

/// Number of events that a client keeps per task.
const EVENTS_KEPT: usize = 10;

/// State of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    Pending,
    Running,
    Dead,
}

impl TaskState {
    /// Returns Nomad's name of the state.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TaskState::Pending => "pending",
            TaskState::Running => "running",
            TaskState::Dead => "dead",
        }
    }
}

/// A task event.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Received,
    SetUp,
    DownloadsArtifacts,
    Started,
    Terminated {
        exit_code: u8,
        signal: u8,
        oom_killed: bool,
    },
    /// A cause that prevents the start, or makes the task fail without other events.
    FailedBy(Cause),
    Restarting(Duration),
    NotRestarting,
    SiblingFailed(String),
    MainTasksDead,
    /// Told to stop, with the kill timeout, and the reason if its allocation exceeded `max_run_duration`.
    Killing(Duration, Option<&'static str>),
    Killed,
    /// Its deployment marked the allocation as unhealthy.
    Unhealthy,
    Reconnected,
}

impl Happened {
    /// A program that exited successfully, by itself or because it was told to.
    pub(crate) const DONE: Happened = Happened::Terminated { exit_code: 0, signal: 0, oom_killed: false };

    /// Returns the events of a failing task, in order.
    pub(crate) fn of_failure(cause: Cause) -> Vec<Happened> {
        let terminated =
            |exit_code, signal, oom_killed| Happened::Terminated { exit_code, signal, oom_killed };
        match cause {
            Cause::Exit(code) => vec![terminated(code, 0, false)],
            Cause::Signal(signal) => vec![terminated(0, signal, false)],
            Cause::OutOfMemory => vec![terminated(137, 0, true)],
            Cause::Artifact => vec![Happened::DownloadsArtifacts, Happened::FailedBy(cause)],
            Cause::Driver | Cause::Validation | Cause::Setup | Cause::Hook => vec![Happened::FailedBy(cause)],
            Cause::Disk | Cause::Unhealthy => vec![Happened::FailedBy(cause), terminated(137, 9, false)],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TaskEvent {
    pub(crate) time: SystemTime,
    pub(crate) what: Happened,
}

/// A task of an allocation.
#[derive(Clone, Debug)]
pub(crate) struct TaskRun {
    pub(crate) name: String,
    pub(crate) lifecycle: Option<Lifecycle>,
    pub(crate) state: TaskState,
    pub(crate) failed: bool,
    pub(crate) restarts: u32,
    pub(crate) last_restart: Option<SystemTime>,
    /// When it last started.
    pub(crate) started: Option<SystemTime>,
    pub(crate) finished: Option<SystemTime>,
    pub(crate) oom_kills: u32,
    pub(crate) events: Vec<TaskEvent>,
}

impl TaskRun {
    pub(crate) fn new(task: &Task) -> TaskRun {
        TaskRun {
            name: task.name.clone(),
            lifecycle: task.lifecycle,
            state: TaskState::Pending,
            failed: false,
            restarts: 0,
            last_restart: None,
            started: None,
            finished: None,
            oom_kills: 0,
            events: Vec::new(),
        }
    }

    pub(crate) fn is_main(&self) -> bool {
        self.lifecycle.is_none()
    }

    pub(crate) fn is_poststop(&self) -> bool {
        self.lifecycle == Some(Lifecycle::Poststop)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state == TaskState::Running
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state == TaskState::Dead
    }

    pub(super) fn note(&mut self, time: SystemTime, what: Happened) {
        self.oom_kills += u32::from(matches!(what, Happened::Terminated { oom_killed: true, .. }));
        self.events.push(TaskEvent { time, what });
        let excess = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..excess);
    }

    /// Prepares the task, if that was not done before.
    pub(super) fn set_up(&mut self, time: SystemTime) {
        let done = self.restarts > 0 || self.events.iter().any(|event| matches!(event.what, Happened::SetUp));
        if !done {
            self.note(time, Happened::SetUp);
        }
    }

    pub(super) fn start(&mut self, time: SystemTime) {
        self.set_up(time);
        self.note(time, Happened::Started);
        self.state = TaskState::Running;
        self.started = Some(time);
    }

    /// Ends the task successfully.
    pub(super) fn complete(&mut self, time: SystemTime) {
        self.note(time, Happened::DONE);
        self.die(time);
    }

    pub(super) fn die(&mut self, time: SystemTime) {
        self.state = TaskState::Dead;
        self.finished = Some(time);
    }

    /// Tells the task to stop. Has no effect the second time.
    pub(super) fn be_told_to_stop(
        &mut self,
        time: SystemTime,
        timeout: Duration,
        reason: Option<&'static str>,
    ) {
        if !self.events.last().is_some_and(|event| matches!(event.what, Happened::Killing(..))) {
            self.note(time, Happened::Killing(timeout, reason));
        }
    }

    /// Ends the task after it was told to stop.
    pub(super) fn be_killed(&mut self, time: SystemTime) {
        if self.is_running() {
            self.note(time, Happened::DONE);
            self.note(time, Happened::Killed);
        }
        self.die(time);
    }

    /// Marks the task for a later restart.
    pub(super) fn wait_for_restart(&mut self, time: SystemTime, delay: Duration) {
        self.note(time, Happened::Restarting(delay));
        self.state = TaskState::Pending;
        self.restarts += 1;
        self.last_restart = Some(time);
    }

    /// Marks the task as permanently failed.
    pub(super) fn fail(&mut self, time: SystemTime) {
        self.note(time, Happened::NotRestarting);
        self.failed = true;
        self.die(time);
    }
}
