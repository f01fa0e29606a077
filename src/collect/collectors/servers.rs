//! Servers of the region: members, leader, autopilot health, and scheduler configuration.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api::{AutopilotHealth, AutopilotServer, Member, Members, SchedulerConfiguration};
use crate::nomad::{Endpoint, Error, Request, Version};
use crate::snapshot::{Autopilot, Leader, SchedulerSettings, Sections, Server, ServerHealth, Servers};

/// Collector of the servers of the region.
pub(in crate::collect) struct ServersCollector;

reads!(ServersCollector:);

impl Collect for ServersCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let request = Request::new(Endpoint::Members, "/v1/agent/members");
        let (members, meta) = context.client.object::<Members>(request).await?;
        // Any server may respond, so the oldest version determines the supported features.
        let oldest = members.oldest_version(context.client.region());
        let mut servers = Servers {
            filter_lists: oldest.is_none_or(Version::filters_lists),
            filter_task_states: oldest.is_none_or(Version::filters_task_states),
            list_everywhere: oldest.is_none_or(Version::lists_evaluations_of_all_namespaces),
            ..Servers::default()
        };
        let mut members: Vec<&Member> = members.of_region(context.client.region()).collect();
        members.sort_by_key(|member| &member.name);
        // Two members with the same name would become duplicate series.
        members.dedup_by(|second, first| first.name.is_some() && second.name == first.name);
        for member in members {
            servers.by_state[member.status] += 1;
            servers.servers.extend(server(member));
        }
        let objects = servers.servers.len() as u64;
        Ok(Refresh {
            sections: Sections { servers: Some(Arc::new(servers)), ..Sections::default() },
            objects,
            meta,
        })
    }
}

fn server(member: &Member) -> Option<Server> {
    Some(Server {
        name: member.name.clone().filter(|name| !name.is_empty())?,
        rpc_address: member.rpc_address().unwrap_or_default(),
        address: member.host().unwrap_or_default().to_owned(),
        version: member.version().unwrap_or_default().to_owned(),
        datacenter: member.datacenter().unwrap_or_default().to_owned(),
    })
}

/// Collector of the leader. Without a leader, Nomad returns an empty address or an error.
pub(in crate::collect) struct LeaderCollector;

reads!(LeaderCollector:);

impl Collect for LeaderCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let request = Request::new(Endpoint::Leader, "/v1/status/leader");
        let rpc_address = match context.client.object::<Option<String>>(request).await {
            Ok((address, _)) => address.filter(|address| !address.is_empty()),
            Err(Error::Status { status: 500, message, .. }) if message.contains("No cluster leader") => None,
            Err(error) => return Err(error.into()),
        };
        let objects = u64::from(rpc_address.is_some());
        Ok(Refresh {
            sections: Sections { leader: Some(Arc::new(Leader { rpc_address })), ..Sections::default() },
            objects,
            ..Refresh::default()
        })
    }
}

/// Collector of autopilot's health report. It is empty if the servers do not support it.
pub(in crate::collect) struct AutopilotCollector;

reads!(AutopilotCollector:);

impl Collect for AutopilotCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let request = Request::new(Endpoint::Autopilot, "/v1/operator/autopilot/health");
        let (health, meta) = match context.client.object::<AutopilotHealth>(request).await {
            Err(error) if error.is_not_offered() => Default::default(),
            answer => answer?,
        };
        let servers = health.servers.into_iter().flatten().flatten().filter_map(server_health);
        let mut servers: Vec<ServerHealth> = servers.collect();
        servers.sort_by(|one, other| one.name.cmp(&other.name));
        servers.dedup_by(|second, first| second.name == first.name);
        let objects = servers.len() as u64;
        let autopilot = Autopilot {
            healthy: health.healthy,
            failure_tolerance: health.failure_tolerance.and_then(|count| u64::try_from(count).ok()),
            servers,
        };
        Ok(Refresh {
            sections: Sections { autopilot: Some(Arc::new(autopilot)), ..Sections::default() },
            objects,
            meta,
        })
    }
}

fn server_health(server: AutopilotServer) -> Option<ServerHealth> {
    let last_contact = server.last_contact();
    let name = server.name.filter(|name| !name.is_empty())?;
    Some(ServerHealth { name, healthy: server.healthy, voter: server.voter, last_contact })
}

/// Collector of the scheduler configuration, which an operator can change.
pub(in crate::collect) struct SchedulerCollector;

reads!(SchedulerCollector:);

impl Collect for SchedulerCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let request = Request::new(Endpoint::Scheduler, "/v1/operator/scheduler/configuration");
        let (configuration, meta) = context.client.object::<SchedulerConfiguration>(request).await?;
        let config = configuration.scheduler_config.unwrap_or_default();
        let settings = SchedulerSettings {
            eval_broker_paused: config.pause_eval_broker,
            job_registration_rejected: config.reject_job_registration,
        };
        Ok(Refresh {
            sections: Sections { scheduler: Some(Arc::new(settings)), ..Sections::default() },
            objects: 1,
            meta,
        })
    }
}
