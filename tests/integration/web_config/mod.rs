//! `--web.config.file`: who may come in, and how.

mod damaged;
mod handshakes;
mod health;
mod limits;
mod passing;
mod reload;
pub(crate) mod requests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nomad_exporter::config::{self, Config};
use nomad_exporter::publish::Publication;
use nomad_exporter::snapshot::Trends;
use nomad_exporter::web::Listener;
use tokio::sync::watch;

use crate::support::authority::Authority;
use crate::support::collect::Collector;

/// An authority whose folder holds `server.crt` and `server.key` for localhost.
fn authority() -> Authority {
    let authority = Authority::new();
    authority.write("server", "localhost");
    authority
}

/// Serves in this process by a file with this text, in this folder; returns the address.
async fn serve(folder: &Path, text: &str, arguments: &[&str]) -> SocketAddr {
    let file = folder.join("web.yml");
    std::fs::write(&file, text).unwrap();
    let fixed = ["nomad-exporter", "--web.listen-address", "127.0.0.1:0", "--web.config.file"];
    let line = [&fixed[..], &[file.to_str().unwrap()], arguments].concat();
    let config = Config::new(config::parse(line).unwrap(), &|_| None).unwrap();
    let listener = Listener::bind(config.web).await.unwrap();
    let address = listener.addresses()[0];
    // Nobody has been asked anything yet.
    let collector = Collector::new("http://127.0.0.1:1", &[]);
    let content = Arc::new(Publication::new(
        collector.render(),
        Arc::new(collector.snapshot()),
        &Trends::new(collector.context.settings.interval),
    ));
    tokio::spawn(async move {
        let (_sender, content) = watch::channel(content);
        listener.serve(content, std::future::pending()).await;
    });
    address
}

/// The header that says who asks.
fn basic(name: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")))
}

/// What a file stores of a password.
pub(crate) fn hash(password: &str, cost: u32) -> String {
    use base64::Engine;
    let (salt, mut bytes) = (*b"sixteen of bytes", password.as_bytes().to_vec());
    bytes.push(0);
    let computed = bcrypt::bcrypt(cost, salt, &bytes);
    let encode = |bytes: &[u8]| bcrypt::BASE_64.encode(bytes);
    format!("$2y${cost:02}${}{}", encode(&salt), encode(&computed[..23]))
}
