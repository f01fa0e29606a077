//! Serves a simulated Nomad cluster, or recorded responses, until it is interrupted.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use nomad_simulator::cluster::GcSettings;
use nomad_simulator::{
    Backend, BuildDay, Cluster, Load, Recording, Scenario, Settings, SharedCluster, Simulator, Size, Story,
    Version,
};
use tracing_subscriber::EnvFilter;

/// Simulated time before the server starts.
const PRELUDE: Duration = Duration::from_secs(3600);
/// A minute of the scenario ci. Two of its minutes pass before the server starts.
const MINUTE: Duration = Duration::from_secs(60);
/// Interval at which the cluster's clock follows the real one.
const TICK: Duration = Duration::from_millis(200);

/// A Nomad API without Nomad: a simulated build farm, or recorded responses of real agents.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Listen address.
    #[arg(long, default_value = "127.0.0.1:4646")]
    listen: SocketAddr,
    /// Random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nomad version to simulate.
    #[arg(long, default_value_t = Version::LATEST)]
    nomad_version: Version,
    /// Simulated seconds per real second. The scenario ci is shortened instead, so that its timestamps are
    /// real times.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Scenario: a build farm with all features, or an hour of a CI system.
    #[arg(long, default_value = "farm")]
    scenario: ScenarioName,
    /// Number of clients of the build farm.
    #[arg(long, default_value_t = 12)]
    clients: usize,
    /// Number of servers.
    #[arg(long, default_value_t = 3)]
    servers: usize,
    /// Folder of recorded responses to serve instead.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Size of a large, constant cluster to serve instead: s, m, l or c2m.
    #[arg(long, conflicts_with = "replay")]
    load: Option<Size>,
    /// With --load: factor for the number of dead jobs and terminal allocations.
    #[arg(long, default_value_t = 1, requires = "load")]
    dead_factor: u64,
    /// With --load: keep all data and indexes constant.
    #[arg(long, requires = "load")]
    quiet: bool,
    /// With --load: number of builds per minute that start and end. Nothing else changes.
    #[arg(long, requires = "load", conflicts_with = "quiet")]
    builds: Option<u64>,
    /// Log filter, such as `debug` or `nomad_simulator=trace`.
    #[arg(long, default_value = "warn")]
    log: String,
}

/// Scenario.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ScenarioName {
    /// Jobs of all kinds, node pools, outages and drains.
    Farm,
    /// One batch job for each build: a burst, a broken image, a client that hangs, a scale-in that kills
    /// builds.
    Ci,
}

fn speed(text: &str) -> Result<f64, String> {
    let valid = |speed: &f64| speed.is_finite() && (0.0..=3600.0).contains(speed);
    text.parse().ok().filter(valid).ok_or_else(|| "not a number from 0 to 3600".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(EnvFilter::new(&args.log))
        .init();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot serve");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> std::io::Result<()> {
    let (backend, version) = match &args.replay {
        Some(folder) => {
            let recording = Recording::load(folder)?;
            let version = recording.version();
            (Backend::Replay(recording), version)
        }
        None => match args.load {
            Some(size) => {
                let load = Load::new(size, args.dead_factor);
                let load = match args.builds {
                    Some(builds) => load.with_builds(builds),
                    None if args.quiet => load.quiet(),
                    None => load,
                };
                (load.into(), Version::LATEST)
            }
            None => (Backend::Cluster(demonstrate(args)), args.nomad_version),
        },
    };
    let simulator = Simulator::start_on(args.listen, backend).await?;
    announce(version, &simulator.url());
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}

/// Prints the address, independently of the log level.
#[expect(clippy::print_stderr, reason = "this line is output, not log")]
fn announce(version: Version, url: &str) {
    eprintln!("Nomad {version} is simulated at {url}");
}

/// Starts the scenario some time ago, and lets it follow the real clock.
fn demonstrate(args: &Args) -> SharedCluster {
    let minute = match args.scenario {
        ScenarioName::Farm => MINUTE,
        ScenarioName::Ci => MINUTE.div_f64(args.speed.max(1.0)),
    };
    let (prelude, speed) = match args.scenario {
        ScenarioName::Farm => (PRELUDE, args.speed),
        ScenarioName::Ci => (2 * minute, 1.0),
    };
    let settings = Settings {
        seed: args.seed,
        version: args.nomad_version,
        servers: args.servers,
        start: SystemTime::now() - prelude,
        memory_oversubscription: true,
        // Nomad would retain finished builds for hours; a few hundred are enough.
        gc: GcSettings {
            interval: 5 * minute,
            job: 20 * minute,
            batch_evaluation: 20 * minute,
            ..GcSettings::default()
        },
        ..Settings::default()
    };
    let (mut cluster, mut story): (Cluster, Box<dyn Story>) = match args.scenario {
        ScenarioName::Farm => {
            let (cluster, scenario) = Scenario::new(settings, args.clients);
            (cluster, Box::new(scenario))
        }
        ScenarioName::Ci => {
            let (cluster, day) = BuildDay::new(settings, minute);
            (cluster, Box::new(day))
        }
    };
    story.advance(&mut cluster, prelude);
    let shared: SharedCluster = Arc::new(Mutex::new(cluster));
    let cluster = Arc::clone(&shared);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        let mut last = Instant::now();
        loop {
            ticks.tick().await;
            let elapsed = last.elapsed();
            last += elapsed;
            let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            story.advance(&mut cluster, elapsed.mul_f64(speed));
        }
    });
    shared
}
