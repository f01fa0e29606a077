//! A lively demonstration: a small build farm whose backlog grows and clears, whose clients come and go.

use std::time::{Duration, SystemTime};

use crate::cluster::{
    Cause, ClientStatus, Cluster, JobKey, JobSpec, Lifecycle, NodeId, NodeSpec, NodeState, SeededNumbers,
    Settings, Span, Task, TaskGroup,
};

/// How often the scenario looks whether something is to be done.
const BEAT: Duration = Duration::from_secs(1);
/// A burst of builds arrives this often, and clears in less.
const BURST_EVERY: u64 = 120;
/// A node goes down this often, and is back or replaced two minutes later.
const OUTAGE_EVERY: u64 = 420;
/// A node is drained this often, until it is empty; later it takes work again.
const DRAIN_EVERY: u64 = 300;
/// How long a build uploads its results.
const UPLOAD: Duration = Duration::from_secs(4);
/// A template is dispatched this often.
const DISPATCH_EVERY: u64 = 25;

/// The scenario: a cluster and what happens to it.
#[derive(Debug)]
pub struct Scenario {
    chance: SeededNumbers,
    /// Beats so far, and when the next one is.
    beat: u64,
    next: SystemTime,
    builds: u64,
    /// How many clients there should be.
    clients: usize,
    builders: Vec<NodeId>,
    /// How many clients ever registered.
    registered: usize,
    drained: Option<NodeId>,
    outage: Option<Outage>,
}

/// A node that is down.
#[derive(Debug)]
struct Outage {
    node: NodeId,
    /// Whether it comes back; if not, another one takes its place.
    returns: bool,
}

impl Scenario {
    /// A cluster of this many clients with its long-lived jobs, and the scenario that goes on with it.
    pub fn new(settings: Settings, clients: usize) -> (Cluster, Scenario) {
        let chance = SeededNumbers::new(settings.seed ^ 0x5ce4_a410);
        let mut cluster = Cluster::new(settings);
        for namespace in ["ci", "default"] {
            cluster.create_namespace(namespace);
        }
        let mut scenario = Scenario {
            chance,
            beat: 0,
            next: cluster.now(),
            builds: 0,
            clients,
            builders: Vec::new(),
            registered: 0,
            drained: None,
            outage: None,
        };
        // Every third client is a general one; only builders come and go.
        for number in 1..=clients.max(3) {
            scenario.add_client(&mut cluster, if number % 3 == 0 { "default" } else { "builders" });
        }
        submit_long_lived(&mut cluster);
        (cluster, scenario)
    }

    /// The same as of any story.
    pub fn advance(&mut self, cluster: &mut Cluster, duration: Duration) {
        let end = cluster.now() + duration;
        while self.next <= end {
            cluster.advance(self.next.duration_since(cluster.now()).unwrap_or_default());
            self.next += BEAT;
            self.beat += 1;
            self.act(cluster);
        }
        cluster.advance(end.duration_since(cluster.now()).unwrap_or_default());
    }

    fn act(&mut self, cluster: &mut Cluster) {
        self.submit_builds(cluster);
        if self.beat.is_multiple_of(DISPATCH_EVERY) {
            cluster.dispatch(&JobKey::new("ci", "deploy"));
        }
        match self.beat % OUTAGE_EVERY {
            200 => self.begin_outage(cluster),
            320 => self.end_outage(cluster),
            _ => {}
        }
        match self.beat % DRAIN_EVERY {
            60 => self.begin_drain(cluster),
            240 => self.end_drain(cluster),
            _ => {}
        }
    }

    /// A burst at the beginning of each period, a trickle between.
    fn submit_builds(&mut self, cluster: &mut Cluster) {
        let burst = self.beat % BURST_EVERY < 10;
        let expected = if burst { 0.45 } else { 0.02 } * self.clients as f64;
        let certain = expected.floor();
        let arrivals = certain as u64 + u64::from(self.chance.chance(expected - certain));
        for _ in 0..arrivals {
            self.builds += 1;
            let wide = self.chance.chance(0.1);
            let pool = if self.chance.chance(0.7) { "builders" } else { "default" };
            let id = format!("build-{}", self.builds);
            let run_time = Span { min: Duration::from_secs(15), max: Duration::from_secs(50) };
            let build =
                JobSpec::batch(&id).in_namespace("ci").in_pool(pool).running_for(run_time).failing(0.08);
            let build = build.with_resources(2200, 1800).with_count(if wide { 4 } else { 1 });
            cluster.submit(of_a_kind(build, self.builds));
        }
    }

    fn begin_outage(&mut self, cluster: &mut Cluster) {
        let Some(node) = self.pick_active(cluster) else { return };
        cluster.node_down(node);
        self.outage = Some(Outage { node, returns: self.chance.chance(0.5) });
    }

    fn end_outage(&mut self, cluster: &mut Cluster) {
        match self.outage.take() {
            Some(Outage { node, returns: true }) => cluster.node_up(node),
            Some(Outage { node, returns: false }) => {
                cluster.remove_node(node);
                self.builders.retain(|builder| *builder != node);
                self.add_client(cluster, "builders");
            }
            None => {}
        }
    }

    fn begin_drain(&mut self, cluster: &mut Cluster) {
        let Some(node) = self.pick_active(cluster) else { return };
        cluster.drain(node, Some(Duration::from_secs(90)), false);
        self.drained = Some(node);
    }

    fn end_drain(&mut self, cluster: &mut Cluster) {
        if let Some(node) = self.drained.take() {
            cluster.cancel_drain(node, true);
            cluster.set_eligibility(node, true);
        }
    }

    /// The active builder with the most running allocations.
    fn pick_active(&self, cluster: &Cluster) -> Option<NodeId> {
        let loads = cluster.ledger().loads;
        let builders = self.builders.iter().filter_map(|node| loads.get(node).map(|load| (node, load)));
        let active = builders.filter(|(_, load)| load.state == NodeState::Active);
        let busiest = active.max_by_key(|(_, load)| load.live.get(&ClientStatus::Running).copied());
        busiest.map(|(node, _)| *node)
    }

    fn add_client(&mut self, cluster: &mut Cluster, node_pool: &str) {
        self.registered += 1;
        let number = self.registered;
        let node = cluster.register_node(NodeSpec {
            datacenter: if number.is_multiple_of(2) { "dc2" } else { "dc1" }.to_owned(),
            node_pool: node_pool.to_owned(),
            node_class: if node_pool == "builders" { "large" } else { "general" }.to_owned(),
            ..NodeSpec::new(&format!("client-{number}"))
        });
        if node_pool == "builders" {
            self.builders.push(node);
        }
    }
}

/// Builds differ by their number, not by chance, so that a new kind leaves the story as it was: every fifth uploads its
/// results, and what makes them fail is not always the build's own fault.
fn of_a_kind(build: JobSpec, number: u64) -> JobSpec {
    let build = if number.is_multiple_of(5) { build.with_poststop(UPLOAD) } else { build };
    let cause = match number % 4 {
        0 => Cause::Driver,
        1 => Cause::OutOfMemory,
        _ => Cause::Exit(1),
    };
    JobSpec { cause, ..build }
}

fn submit_long_lived(cluster: &mut Cluster) {
    let minute = Duration::from_secs(60);
    let short = Span { min: Duration::from_secs(5), max: Duration::from_secs(20) };
    cluster.submit(JobSpec::system("node-agent").with_resources(100, 64));
    cluster.submit(JobSpec::service("web").with_count(3).with_resources(300, 256).in_pool("all"));
    cluster.submit(cache());
    let rare = Span { min: 2 * minute, max: 10 * minute };
    cluster.submit(
        JobSpec::service("crashy").with_resources(50, 32).in_pool("all").failing(1.0).running_for(rare),
    );
    cluster.submit(JobSpec::batch("cleanup").every(2 * minute).with_resources(200, 128).running_for(short));
    let deploy = JobSpec::batch("deploy").in_namespace("ci").dispatched().with_resources(500, 512);
    cluster.submit(deploy.in_pool("all").running_for(short).failing(0.1));
    cluster.submit(
        JobSpec::batch("release-all").in_namespace("ci").in_pool("builders").with_resources(2000, 96_000),
    );
}

/// A service with all a group can have.
fn cache() -> JobSpec {
    let task = |name: &str, lifecycle, cpu| Task { cpu, lifecycle, ..Task::new(name) };
    let main = Task { memory_mb: 256, memory_max_mb: 512, ..task("cache", None, 400) };
    let tasks = vec![
        task("warm-up", Some(Lifecycle::Prestart), 600),
        task("metrics", Some(Lifecycle::Sidecar), 100),
        main,
    ];
    let disconnect = Some(Duration::from_secs(600));
    let group = TaskGroup { tasks, max_client_disconnect: disconnect, ..TaskGroup::new("cache") };
    JobSpec { groups: vec![group], ..JobSpec::service("cache") }.in_pool("all")
}
