//! `drain`: drains a client, and waits until it is safe to terminate. The only command that changes anything.

mod progress;
mod state;
mod watch;

use std::future::pending;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::find::{self, FoundNode};
use super::terminal::{Tone, print};
use super::{Error, live, own};
use crate::collect;
use crate::config::{Config, DrainArgs, NAMESPACE_FLAG};
use crate::human::{self, plain};
use crate::nomad::{Client, Drainer};
use crate::snapshot::{Scope, listed};
use crate::terms::NodeStatus;
use progress::{Progress, Step};
use state::{Phase, Seen};
use watch::{Watch, is_temporary, unstarted};

/// Exit code: still draining when the timeout expired or a signal arrived.
const DRAINING: u8 = 3;
/// Exit code: the node is down or purged.
const GONE: u8 = 4;
/// Exit code: the drain was cancelled by somebody else.
const CANCELLED: u8 = 5;

/// Maximum number of attempts to start a drain while Nomad's servers do not respond, and the first pause.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// State of the command.
struct Draining<'a> {
    drainer: &'a Drainer,
    node: &'a FoundNode,
    args: &'a DrainArgs,
    /// Namespaces whose allocations count.
    scope: Scope,
    watch: Watch<'a>,
    progress: Progress,
}

/// Starts, previews or cancels a drain.
pub(super) async fn run(config: Config, args: &DrainArgs) -> Result<ExitCode, Error> {
    if !args.yes && !args.dry_run && !std::io::stdin().is_terminal() {
        return Err(Error::Unconfirmed);
    }
    let timeout = config.nomad.timeout;
    let (settings, wanted) = own::selected_node(config.nomad, &args.choice, &args.agent).await?;
    let drainer = Drainer::new(settings, Arc::new(|_| {}))?;
    let node = find::node(drainer.client(), &wanted).await?;
    // NOMAD_NAMESPACE is the namespace that people work in, which says nothing about what a drain may stop.
    let scope = config.collect.namespaces.named_by(NAMESPACE_FLAG);
    if scope.is_all() && !args.cancel {
        require_all_namespaces(drainer.client(), &node).await?;
    }
    let watch = Watch::new(drainer.client(), &node, &scope, timeout);
    let progress = Progress::new(&node.name, args.color.color);
    let draining = Draining { drainer: &drainer, node: &node, args, scope: scope.clone(), watch, progress };
    match (args.cancel, args.dry_run) {
        (true, _) => draining.cancel().await,
        (_, true) => draining.dry_run().await,
        _ => draining.drain().await,
    }
}

/// Fails if the token is known not to see all allocations, because nobody could tell when the last of them
/// has stopped.
async fn require_all_namespaces(client: &Client, node: &FoundNode) -> Result<(), Error> {
    match collect::token_permissions(client).await?.coverage.partial() {
        None => Ok(()),
        Some(reason) => Err(Error::Unseen { node: node.name.clone(), reason: reason.to_owned() }),
    }
}

impl Draining<'_> {
    async fn drain(mut self) -> Result<ExitCode, Error> {
        // Handle signals from before the first write, so that the command can report that the drain
        // continues.
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
        let until = self.args.timeout.map(|timeout| Instant::now() + timeout);
        if let Some(code) = self.begin().await? {
            return Ok(code);
        }
        if !self.args.wait {
            return self.report_state().await;
        }
        let time_is_up = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => pending().await,
            }
        };
        let name = format!("{} ({})", plain(&self.node.name), self.node.id);
        let why = tokio::select! {
            ended = self.wait() => return ended,
            () = time_is_up => "the timeout expired".to_owned(),
            _ = terminate.recv() => "received SIGTERM".to_owned(),
            _ = interrupt.recv() => "interrupted".to_owned(),
        };
        let text = format!("{why}: the drain of {name} continues; do not terminate it yet");
        self.progress.say(Tone::Warn, &text);
        Ok(ExitCode::from(DRAINING))
    }

    /// Starts the drain, or joins an active one. Returns an exit code if there is nothing to wait for.
    async fn begin(&mut self) -> Result<Option<ExitCode>, Error> {
        let (mut pause, mut asked) = (FIRST_PAUSE, false);
        for attempt in 1.. {
            let error = match self.watch.read().await {
                Ok(None) => return Ok(Some(self.gone("Nomad no longer has this client"))),
                Ok(Some(seen)) => match self.begin_or_join(&seen, &mut asked).await {
                    Err(Error::Nomad(error)) => error,
                    done => return done,
                },
                Err(Error::Nomad(error)) => error,
                Err(error) => return Err(error),
            };
            if !is_temporary(&error) || attempt == ATTEMPTS {
                return Err(Error::Nomad(error));
            }
            self.progress.say(Tone::Warn, &format!("{}; trying again", error.sentence()));
            sleep(pause).await;
            pause *= 2;
        }
        unreachable!("it tries a number of times");
    }

    async fn begin_or_join(&mut self, seen: &Seen, asked: &mut bool) -> Result<Option<ExitCode>, Error> {
        let now = SystemTime::now();
        let ignore_system = self.args.ignore_system;
        match seen.phase(ignore_system) {
            Phase::Down => return Ok(Some(self.gone("it is down"))),
            Phase::Draining => {
                let drain = seen.node.drain_strategy.as_ref();
                let since = drain.and_then(|drain| drain.started_at.0);
                let since = since.map_or_else(String::new, |at| format!(" since {}", human::ago(now, at)));
                let deadline = match seen.deadline() {
                    Some(deadline) => format!("the deadline is unchanged: {}", human::until(now, deadline)),
                    None => "it has no deadline".to_owned(),
                };
                let text = format!("{} is draining{since}; {deadline}", plain(&self.node.name));
                self.progress.say(Tone::Muted, &text);
                return Ok(None);
            }
            Phase::Stopping => return Ok(None),
            Phase::Drained => return Ok(Some(self.drained())),
            Phase::Idle | Phase::Cancelled => {}
        }
        if !self.args.yes && !*asked && !self.confirm(&self.question(seen)).await? {
            self.progress.say(Tone::Muted, "nothing was changed");
            return Ok(Some(ExitCode::FAILURE));
        }
        *asked = true;
        self.drainer.drain(&self.node.id, self.args.deadline.0, ignore_system).await?;
        Ok(None)
    }

    fn question(&self, seen: &Seen) -> String {
        let deadline = match self.args.deadline.0 {
            Some(deadline) => {
                format!("Nomad stops the remaining allocations after {}", human::duration(deadline))
            }
            None => "there is no deadline".to_owned(),
        };
        let count = seen.remaining(self.args.ignore_system).count();
        let name = plain(&self.node.name);
        format!("Drain {name} ({})? {} to finish; {deadline}.", self.node.id, allocations(count))
    }

    /// Asks for confirmation at the terminal. Everything but yes means no.
    async fn confirm(&mut self, question: &str) -> Result<bool, Error> {
        self.progress.say(Tone::Title, &format!("{question} [y/N]"));
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let line = answer.await.map_err(std::io::Error::other).flatten().map_err(Error::Input)?;
        Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Waits until the machine is safe to terminate, or the drain cannot achieve that any more.
    async fn wait(&mut self) -> Result<ExitCode, Error> {
        let name = plain(&self.node.name).into_owned();
        let mut ignore_system = self.args.ignore_system;
        let mut was_forced = false;
        loop {
            let (progress, watch) = (&std::cell::RefCell::new(&mut self.progress), &mut self.watch);
            let on_outage = |why: Option<String>| match why {
                Some(why) => progress
                    .borrow_mut()
                    .say(Tone::Warn, &format!("cannot read {name}: {why}; the drain and the wait continue")),
                None => progress.borrow_mut().say(Tone::Muted, "Nomad responds again"),
            };
            let Some(seen) = watch.next(on_outage).await? else {
                return Ok(self.gone("Nomad no longer has this client"));
            };
            ignore_system = seen.ignores_system(ignore_system);
            let left = seen.remaining(ignore_system).count();
            let phase = seen.phase(ignore_system);
            let note = match phase {
                Phase::Drained => return Ok(self.drained()),
                Phase::Down => return Ok(self.gone("it is down, and its allocations are lost")),
                Phase::Cancelled => return Ok(self.cancelled(left)),
                Phase::Draining if seen.node.status == NodeStatus::Disconnected => Some("disconnected"),
                Phase::Draining if unstarted(seen.remaining(ignore_system)) == left && left > 0 => {
                    Some("not started")
                }
                Phase::Draining => None,
                Phase::Stopping | Phase::Idle => {
                    if !std::mem::replace(&mut was_forced, true) {
                        let text =
                            format!("the drain of {name} is complete; {} still stopping", allocations(left));
                        self.progress.say(Tone::Warn, &text);
                    }
                    Some("stopping")
                }
            };
            let oldest = seen.remaining(ignore_system).next();
            let oldest = oldest.and_then(|it| Some((it.job_id.clone()?, it.created()?)));
            self.progress.show(Step { left, deadline: seen.deadline(), note, oldest }, SystemTime::now());
        }
    }

    /// Prints the state of the drain without waiting.
    async fn report_state(mut self) -> Result<ExitCode, Error> {
        let name = plain(&self.node.name).into_owned();
        let Some(seen) = self.watch.read().await? else {
            return Ok(self.gone("Nomad no longer has this client"));
        };
        let ignore_system = seen.ignores_system(self.args.ignore_system);
        if seen.phase(ignore_system) == Phase::Drained {
            return Ok(self.drained());
        }
        let left = seen.remaining(ignore_system).count();
        let deadline =
            seen.deadline().map(|at| format!(", deadline {}", human::until(SystemTime::now(), at)));
        let text = format!(
            "{name} is draining: {left} left{}; give --wait to wait for them",
            deadline.unwrap_or_default()
        );
        self.progress.say(Tone::Good, &text);
        Ok(ExitCode::SUCCESS)
    }

    /// Prints the allocations that must finish to stdout.
    async fn dry_run(mut self) -> Result<ExitCode, Error> {
        let Some(seen) = self.watch.read().await? else {
            return Ok(self.gone("Nomad no longer has this client"));
        };
        let ignore_system = seen.ignores_system(self.args.ignore_system);
        let terminal = super::terminal::Terminal::of(&std::io::stdout(), self.args.color.color);
        let count = seen.remaining(ignore_system).count();
        let name = plain(&self.node.name).into_owned();
        let phase = match seen.phase(ignore_system) {
            Phase::Draining => "it is draining",
            Phase::Drained => "it is drained",
            Phase::Stopping => "its drain is complete",
            Phase::Down => "it is down",
            Phase::Idle | Phase::Cancelled => "nothing was changed",
        };
        let title = format!("{name}: {} to finish ({phase})", allocations(count));
        let mut text = format!("{}\n", terminal.paint(Tone::Title, &title));
        text.push_str(&live::rows(seen.remaining(ignore_system), &terminal, SystemTime::now()));
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn cancel(mut self) -> Result<ExitCode, Error> {
        let name = plain(&self.node.name).into_owned();
        let Some(seen) = self.watch.read().await? else {
            return Ok(self.gone("Nomad no longer has this client"));
        };
        if seen.is_eligible() {
            self.progress.say(Tone::Good, &format!("{name} is eligible and not draining; nothing to cancel"));
            return Ok(ExitCode::SUCCESS);
        }
        let question = format!("Cancel the drain of {name} ({}) and make it eligible again?", self.node.id);
        if !self.args.yes && !self.confirm(&question).await? {
            self.progress.say(Tone::Muted, "nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        self.drainer.cancel(&self.node.id).await?;
        self.progress.say(
            Tone::Good,
            &format!("{name} is eligible again; allocations that are already stopping still stop"),
        );
        Ok(ExitCode::SUCCESS)
    }

    fn drained(&mut self) -> ExitCode {
        let name = plain(&self.node.name);
        let (tone, text) = match self.scope.is_all() {
            true => (Tone::Good, format!("{name} is drained: it is safe to terminate")),
            false => {
                let namespaces = listed(self.scope.names());
                let text = format!(
                    "{name} has no more allocations in {}: it is safe to terminate if no other namespace uses it",
                    plain(&namespaces)
                );
                (Tone::Warn, text)
            }
        };
        self.progress.say(tone, &text);
        ExitCode::SUCCESS
    }

    fn gone(&mut self, why: &str) -> ExitCode {
        self.progress.say(Tone::Bad, &format!("{} is gone: {why}", plain(&self.node.name)));
        ExitCode::from(GONE)
    }

    fn cancelled(&mut self, left: usize) -> ExitCode {
        let name = plain(&self.node.name);
        let text = format!("the drain of {name} was cancelled: {left} left; do not terminate it");
        self.progress.say(Tone::Bad, &text);
        ExitCode::from(CANCELLED)
    }
}

fn allocations(count: usize) -> String {
    match count {
        1 => "1 allocation".to_owned(),
        _ => format!("{count} allocations"),
    }
}
