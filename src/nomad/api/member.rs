//! Response of `GET /v1/agent/members`: the servers according to gossip.

use serde::Deserialize;

use super::Map;
use crate::nomad::Version;
use crate::terms::ServerState;

/// Servers of all federated regions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Members {
    server_region: Option<String>,
    members: Option<Vec<Option<Member>>>,
}

/// One server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Member {
    /// Name, with the region as suffix.
    pub name: Option<String>,
    /// State according to gossip.
    pub status: ServerState,
    addr: Option<String>,
    tags: Option<Map<String>>,
}

impl Members {
    /// Returns the servers of a region, or of the responding server's own region. Gossip includes all
    /// federated regions.
    pub fn of_region(&self, region: Option<&str>) -> impl Iterator<Item = &Member> {
        let region = region.or(self.server_region.as_deref()).map(str::to_owned);
        let members = self.members.iter().flatten().flatten();
        members.filter(move |member| member.tag("region") == region.as_deref())
    }

    /// Returns the oldest version of the alive servers of a region, because any of them may respond.
    pub fn oldest_version(&self, region: Option<&str>) -> Option<Version> {
        let alive = self.of_region(region).filter(|member| member.status == ServerState::Alive);
        alive.filter_map(|member| member.version()?.parse().ok()).min()
    }
}

impl Member {
    /// Returns its version.
    pub fn version(&self) -> Option<&str> {
        self.tag("build")
    }

    /// Returns its datacenter.
    pub fn datacenter(&self) -> Option<&str> {
        self.tag("dc")
    }

    /// Returns the host of its address.
    pub fn host(&self) -> Option<&str> {
        self.tag("rpc_addr").or(self.addr.as_deref())
    }

    /// Returns its RPC address, in the same form as that of the leader.
    pub fn rpc_address(&self) -> Option<String> {
        let (host, port) = (self.host()?, self.tag("port")?);
        Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.as_ref()?.get(name)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_alive_server_of_the_region_counts() {
        let members: Members = serde_json::from_str(
            r#"{"ServerRegion":"eu","Members":[null,{"Status":null,"Tags":null},
                {"Status":"alive","Tags":{"region":"eu","build":"1.11.3"}},
                {"Status":"alive","Tags":{"region":"eu","build":"1.2.0"}},
                {"Status":"left","Tags":{"region":"eu","build":"1.0.0"}},
                {"Status":"alive","Tags":{"region":"us","build":"0.12.0"}}]}"#,
        )
        .unwrap();
        assert_eq!(members.oldest_version(None), Some(Version::new(1, 2, 0)));
        assert_eq!(members.oldest_version(Some("us")), Some(Version::new(0, 12, 0)));
        assert_eq!(members.oldest_version(Some("mars")), None);
    }
}
