//! Lookup of the client on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use super::Error;
use super::find::FindError;
use crate::config::{AgentArgs, NodeChoice};
use crate::nomad::api::Agent;
use crate::nomad::{Address, Client, ClientSettings, Endpoint, Reason, Request};

/// Default address of a Nomad agent.
const AGENT: &str = "127.0.0.1:4646";

/// Returns the given node, or the ID of the client on this machine, and the unchanged settings.
pub(super) async fn selected_node(
    settings: ClientSettings,
    choice: &NodeChoice,
    agent: &AgentArgs,
) -> Result<(ClientSettings, String), Error> {
    match &choice.node {
        Some(node) => Ok((settings, node.clone())),
        None => local_node(settings, agent.address()?).await,
    }
}

/// Asks the agents on this machine one after the other, and returns the first that is a client.
async fn local_node(
    mut settings: ClientSettings,
    given: Option<Address>,
) -> Result<(ClientSettings, String), Error> {
    let agents = match given {
        Some(agent) => vec![agent],
        None => agents(&settings.addresses).await,
    };
    let usual = std::mem::take(&mut settings.addresses);
    let mut problem = None;
    for agent in &agents {
        settings.addresses = vec![agent.clone()];
        let client = Client::new(settings, Arc::new(|_| {}))?;
        match client.object::<Agent>(Request::new(Endpoint::Agent, "/v1/agent/self")).await {
            Ok((agent, _)) => {
                if let Some(id) = agent.node_id() {
                    return Ok((
                        ClientSettings { addresses: usual, ..client.into_settings() },
                        id.to_owned(),
                    ));
                }
            }
            // There need not be an agent behind every address.
            Err(error) if error.reason() == Reason::Connect && agents.len() > 1 => {}
            Err(error) => problem = problem.or(Some(error)),
        }
        settings = client.into_settings();
    }
    Err(match problem {
        Some(error) => error.into(),
        None => FindError::NoClient { asked: agents.iter().map(ToString::to_string).collect() }.into(),
    })
}

/// Returns the addresses of agents that may be on this machine: those of the flag that lead here, then
/// Nomad's default port.
async fn agents(addresses: &[Address]) -> Vec<Address> {
    let mut agents = Vec::new();
    for address in addresses {
        if is_local(address).await {
            agents.push(address.clone());
        }
    }
    // Agents that use TLS for others use it locally too.
    let scheme = if addresses.iter().any(Address::is_https) { "https" } else { "http" };
    let usual: Address = format!("{scheme}://{AGENT}").parse().expect("a valid address");
    if !agents.contains(&usual) {
        agents.push(usual);
    }
    agents
}

/// Returns whether an address leads to this machine only, whatever its name.
async fn is_local(address: &Address) -> bool {
    let Address::Http(url) = address else { return true };
    let Some((host, port)) = url.host_str().zip(url.port_or_known_default()) else { return false };
    let host = host.trim_matches(['[', ']']);
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => {
            let found: Vec<SocketAddr> = found.collect();
            !found.is_empty() && found.iter().all(|address| is_own(address.ip()))
        }
        Err(_) => false,
    }
}

/// Returns whether this machine has the address. Packets to an own address are sent from that address; the
/// kernel decides that without sending any.
fn is_own(ip: IpAddr) -> bool {
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    ip.is_loopback() || from().is_ok_and(|from| from.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<Address> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        agents(&addresses).await.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn only_agents_on_this_machine_are_asked() {
        assert_eq!(of(&["http://127.0.0.1:4646"]).await, ["http://127.0.0.1:4646"]);
        assert_eq!(of(&["http://192.0.2.1:4646"]).await, ["http://127.0.0.1:4646"]);
        assert_eq!(of(&["https://192.0.2.1:4646"]).await, ["https://127.0.0.1:4646"]);
        let several = of(&["https://192.0.2.1", "https://[::1]:4747", "unix:///api.sock"]).await;
        assert_eq!(several, ["https://[::1]:4747", "unix:///api.sock", "https://127.0.0.1:4646"]);
        // The name does not resolve, so it does not lead to this machine.
        assert_eq!(of(&["http://nomad.invalid:4646"]).await, ["http://127.0.0.1:4646"]);
    }

    #[test]
    fn an_address_is_local_if_the_machine_sends_from_it() {
        assert!(is_own("127.0.0.2".parse().unwrap()) && is_own("::1".parse().unwrap()));
        assert!(!is_own("192.0.2.1".parse().unwrap()));
    }
}
