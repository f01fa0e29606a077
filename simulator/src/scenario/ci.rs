//! An hour of a CI system that runs each build as a batch job: a burst in the morning, clients that come late, an image
//! that cannot be pulled, a client that hangs, and a scale-in that kills builds. Then the hour begins anew.

use std::time::{Duration, SystemTime};

use super::Story;
use crate::cluster::{
    Cause, Cluster, JobKey, JobSpec, JobStatus, NodeId, NodeSpec, SeededNumbers, Settings, Span,
};

/// The story looks this often a minute whether something is to be done.
const BEATS: u64 = 60;
const HOUR: u64 = 60 * BEATS;
/// How many clients there are at night, and how many the autoscaling group has while builds wait.
const CLIENTS: usize = 6;
const MORE_CLIENTS: usize = 14;
/// The group starts one client at a time, this many beats after the one before.
const LAUNCH_EVERY: u64 = BEATS / 2;
/// The autoscaler's drain deadline, in minutes.
const DRAIN_DEADLINE: u32 = 5;
/// The place in the list of clients of the one that hangs.
const HANGS: usize = 1;

/// The story, and what it knows of the cluster.
#[derive(Debug)]
pub struct BuildDay {
    chance: SeededNumbers,
    /// How long a minute of the story takes.
    minute: Duration,
    /// Beats so far, and when the next one is.
    beat: u64,
    next: SystemTime,
    builds: u64,
    /// The clients of the group, the oldest first.
    clients: Vec<NodeId>,
    /// How many clients ever registered.
    registered: usize,
    /// How many the group should have.
    desired: usize,
    /// Clients that are being drained because the group is to shrink.
    leaving: Vec<NodeId>,
    terminated: Vec<NodeId>,
}

impl BuildDay {
    /// The cluster at the beginning of the hour, and the story that goes on with it. A minute of the story takes this long
    /// by the cluster's clock: 3 s make the hour pass in three minutes.
    pub fn new(settings: Settings, minute: Duration) -> (Cluster, BuildDay) {
        let chance = SeededNumbers::new(settings.seed ^ 0xc1_c1c1);
        let mut cluster = Cluster::new(settings);
        let mut story = BuildDay {
            chance,
            minute,
            beat: 0,
            next: cluster.now(),
            builds: 0,
            clients: Vec::new(),
            registered: 0,
            desired: CLIENTS,
            leaving: Vec::new(),
            terminated: Vec::new(),
        };
        for _ in 0..CLIENTS {
            story.launch(&mut cluster);
        }
        // A resource class that no client can take.
        cluster.submit(story.medium("build-gpu", (8, 12)).requiring("${node.class}", "linux-gpu"));
        (cluster, story)
    }

    fn act(&mut self, cluster: &mut Cluster) {
        let beat = self.beat % HOUR;
        self.submit_builds(cluster, beat / BEATS);
        match (beat / BEATS, beat % BEATS) {
            (0, 0) => self.submit_long_build(cluster),
            (22, 0) => self.desired = MORE_CLIENTS,
            (42, 0) => self.hang(cluster, true),
            (48, 0) => self.shrink(cluster),
            (52, 0) => self.hang(cluster, false),
            (55, 0) => self.terminate(cluster),
            (58, 0) => self.forget(cluster),
            _ => {}
        }
        if self.beat.is_multiple_of(LAUNCH_EVERY) && self.healthy(cluster) < self.desired {
            self.launch(cluster);
        }
    }

    /// Two builds a minute all day long, and more when the story says so.
    fn submit_builds(&mut self, cluster: &mut Cluster, minute: u64) {
        match minute {
            // Everybody starts to work. A build with parallelism is as many jobs.
            4..8 => self.submit(cluster, 45, (6, 14), |build| build),
            // An image was pushed that cannot be pulled, and everybody tries again.
            34..40 => self.submit(cluster, 120, (6, 14), |build| build.failing_with(Cause::Driver)),
            // Builds of a release, which take longer.
            44..47 => self.submit(cluster, 20, (12, 20), |build| build),
            _ => {}
        }
        self.submit(cluster, 2, (6, 14), |build| build.failing(0.05));
    }

    /// Submits so many builds a minute, by chance, each of which takes so many minutes.
    fn submit(
        &mut self,
        cluster: &mut Cluster,
        per_minute: u32,
        minutes: (u32, u32),
        change: impl Fn(JobSpec) -> JobSpec,
    ) {
        let expected = f64::from(per_minute) / BEATS as f64;
        let arrivals = expected.floor() as u64 + u64::from(self.chance.chance(expected.fract()));
        for _ in 0..arrivals {
            self.builds += 1;
            cluster.submit(change(self.medium(&format!("build-{}", self.builds), minutes)));
        }
    }

    /// Another client joins.
    fn launch(&mut self, cluster: &mut Cluster) {
        self.registered += 1;
        let name = name(self.registered);
        let instance = ("unique.platform.aws.instance-id".to_owned(), name.clone());
        let client = cluster.register_node(NodeSpec {
            datacenter: "default".to_owned(),
            node_class: "linux-64bit".to_owned(),
            cpu: 20_000,
            cores: 8,
            memory_mb: 32_768,
            attributes: [instance].into(),
            ..NodeSpec::new(&name)
        });
        self.clients.push(client);
    }

    /// A build of the resource class `medium` that takes so many minutes.
    fn medium(&self, id: &str, (min, max): (u32, u32)) -> JobSpec {
        let run_time = Span { min: self.minute * min, max: self.minute * max };
        JobSpec::batch(id).with_resources(2000, 4096).running_for(run_time)
    }

    /// A build just below the limit of 5 hours, submitted again once it has ended. It stays on the first client, so that
    /// others can be drained without waiting for it.
    fn submit_long_build(&self, cluster: &mut Cluster) {
        let key = JobKey::new("default", "build-long");
        if cluster.jobs.get(&key).is_none_or(|job| job.status == JobStatus::Dead) {
            let build = self.medium("build-long", (290, 290));
            cluster.submit(build.requiring("${node.unique.name}", &name(1)));
        }
    }

    /// How many clients the group takes for healthy. It does not look at heartbeats.
    fn healthy(&self, cluster: &Cluster) -> usize {
        let is_healthy =
            |node: &&NodeId| cluster.nodes.get(node).is_some_and(|it| it.eligible && it.drain.is_none());
        self.clients.iter().filter(is_healthy).count()
    }

    /// One client misses its heartbeats, or is back.
    fn hang(&self, cluster: &mut Cluster, hangs: bool) {
        match self.clients.get(HANGS) {
            Some(client) if hangs => cluster.node_down(*client),
            Some(client) => cluster.node_up(*client),
            None => {}
        }
    }

    /// The group is to shrink: the youngest clients are drained, whatever runs on them.
    fn shrink(&mut self, cluster: &mut Cluster) {
        self.desired = CLIENTS;
        self.leaving = self.clients.split_off(self.clients.len().min(CLIENTS));
        for client in &self.leaving {
            cluster.drain(*client, Some(self.minute * DRAIN_DEADLINE), false);
        }
    }

    fn terminate(&mut self, cluster: &mut Cluster) {
        self.terminated = std::mem::take(&mut self.leaving);
        self.terminated.iter().for_each(|client| cluster.node_down(*client));
    }

    fn forget(&mut self, cluster: &mut Cluster) {
        self.terminated.drain(..).for_each(|client| cluster.remove_node(client));
    }
}

impl Story for BuildDay {
    fn advance(&mut self, cluster: &mut Cluster, duration: Duration) {
        let end = cluster.now() + duration;
        while self.next <= end {
            cluster.advance(self.next.duration_since(cluster.now()).unwrap_or_default());
            self.next += self.minute / BEATS as u32;
            self.act(cluster);
            self.beat += 1;
        }
        cluster.advance(end.duration_since(cluster.now()).unwrap_or_default());
    }
}

/// The name of a client, which is the ID of its instance.
fn name(number: usize) -> String {
    format!("i-0a1b2c3d4e5f6{number:04}")
}
