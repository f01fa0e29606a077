//! What a client needs to know.

use std::time::Duration;

use secrecy::SecretString;

use super::address::Address;
use super::token::Token;
use super::transport::{Compression, Tls};

/// What a client needs to know.
#[derive(Debug)]
pub struct ClientSettings {
    /// Agents to ask; the next one is asked when one fails.
    pub addresses: Vec<Address>,
    /// The ACL token.
    pub token: Token,
    /// User and password for a proxy in front of Nomad (`user` or `user:password`).
    pub http_auth: Option<SecretString>,
    /// TLS towards `https` addresses.
    pub tls: Tls,
    /// Ask about this region instead of the agent's own.
    pub region: Option<String>,
    /// How long an answer may take to begin, and how long it may pause.
    pub timeout: Duration,
    /// Let any server answer, not only the leader.
    pub allow_stale: bool,
    /// An answer from a server that has not heard its leader for longer than this is refused; `None` takes any.
    pub max_last_contact: Option<Duration>,
    /// Requests in flight at most. Nomad allows 100 connections from one address, idle ones included.
    pub max_connections: usize,
    /// How answers are sent.
    pub compression: Compression,
    /// Bytes of one list at most, after decompression.
    pub max_list_bytes: u64,
    /// Bytes of any other answer at most, after decompression.
    pub max_object_bytes: u64,
    /// Bytes of one compressed answer at most, as it is sent.
    pub max_compressed_bytes: u64,
}
