//! Nomad API client: one client, its endpoints, and the response types.
//!
//! This module does not know what the responses are used for. Everything that waits has a deadline, every
//! body has a size limit, and every request ends in exactly one [`Reason`].

mod address;
pub mod api;
mod body;
mod client;
mod connections;
mod done;
mod drainer;
mod endpoint;
mod error;
mod events;
mod logs;
mod newest;
mod request;
mod servers;
mod settings;
mod token;
mod transport;
mod version;

pub use address::{Address, AddressError};
pub use body::Body;
pub use client::Client;
pub use done::{OnRequest, RequestDone};
pub use drainer::Drainer;
pub use endpoint::Endpoint;
pub use error::{ClientError, Error, Reason, found};
pub use events::{Event, EventStream, StreamEnd, Subject, Topic, Transaction};
pub use logs::{Frame, LogStream};
pub use request::{Index, Meta, Request};
pub use settings::ClientSettings;
pub use token::{Token, TokenFileError};
pub use transport::{Compression, Tls, TransportError};
pub use version::Version;
