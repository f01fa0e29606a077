//! The answer of `GET /v1/agent/members`: the servers, as gossip knows them.

use serde::Deserialize;

use super::Map;
use crate::nomad::Version;

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
    status: Option<String>,
    tags: Option<Map<String>>,
}

impl Members {
    /// How many servers there are, of all regions.
    pub fn count(&self) -> u64 {
        self.members.iter().flatten().flatten().count() as u64
    }

    /// The oldest version among the living servers of a region, or of the answering server's own: any of them may
    /// be the one that answers a stale read.
    pub fn oldest_version(&self, region: Option<&str>) -> Option<Version> {
        let region = region.or(self.server_region.as_deref());
        let members = self.members.iter().flatten().flatten();
        members
            .filter(|member| member.status.as_deref() == Some("alive") && member.tag("region") == region)
            .filter_map(|member| member.tag("build")?.parse().ok())
            .min()
    }
}

impl Member {
    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.as_ref()?.get(name)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_living_server_of_the_region_counts() {
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
