//! Settings of the client.

use std::time::Duration;

use secrecy::SecretString;

use super::address::Address;
use super::token::Token;
use super::transport::{Compression, Tls};

/// Settings of the client.
#[derive(Debug)]
pub struct ClientSettings {
    /// Addresses of agents; if one fails, the next is used.
    pub addresses: Vec<Address>,
    /// The ACL token.
    pub token: Token,
    /// User and password for a proxy in front of Nomad (`user` or `user:password`).
    pub http_auth: Option<SecretString>,
    /// TLS settings for `https` addresses.
    pub tls: Tls,
    /// Region, if it is not the agent's own.
    pub region: Option<String>,
    /// Timeout for the first byte, and for pauses.
    pub timeout: Duration,
    /// Accept responses from any server, not only from the leader.
    pub allow_stale: bool,
    /// Maximum time since a server's last contact with the leader; its responses are rejected beyond that.
    /// `None` accepts all.
    pub max_last_contact: Option<Duration>,
    /// Maximum number of concurrent requests. Nomad allows 100 connections from one address, including idle
    /// ones.
    pub max_connections: usize,
    /// Content encoding of responses.
    pub compression: Compression,
    /// Maximum size of a list in bytes, after decompression.
    pub max_list_bytes: u64,
    /// Maximum size of any other response in bytes, after decompression.
    pub max_object_bytes: u64,
    /// Maximum size of a compressed response in bytes, as transferred.
    pub max_compressed_bytes: u64,
}
