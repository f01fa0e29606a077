//! Response of `GET /v1/agent/self`: the client that the agent runs.

use serde::Deserialize;

use super::Map;

/// An agent. Its keys are lower-case, unlike those of all other responses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Agent {
    stats: Option<Map<Map<String>>>,
}

impl Agent {
    /// Returns the node ID of this agent; `None` if it is only a server.
    pub fn node_id(&self) -> Option<&str> {
        let client = self.stats.as_ref()?.get("client")?.as_ref()?;
        client.get("node_id")?.as_deref().filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_has_a_node_id() {
        let id = |json: &str| {
            let agent: Agent = serde_json::from_str(json).unwrap();
            agent.node_id().map(str::to_owned)
        };
        let client =
            r#"{"config":{},"stats":{"client":{"node_id":"c1","known_servers":"s"},"runtime":null}}"#;
        assert_eq!(id(client).as_deref(), Some("c1"));
        assert_eq!(id(r#"{"stats":{"nomad":{"server":"true"}}}"#), None);
        assert_eq!(id(r#"{"stats":null}"#), None);
    }
}
