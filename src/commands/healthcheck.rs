//! Whether the exporter that runs beside this command is well: for containers, which hold nothing else to ask with.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;
use reqwest::{Client, redirect};

use super::Error;
use crate::web::ServerSettings;

/// How long an answer may take. Container runtimes give up after 30 s and count no reason; this one is said.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the exporter on its own address once, and prints a sentence. It fails if the exporter is not well.
pub(super) async fn run(web: &ServerSettings, ready: bool) -> Result<ExitCode, Error> {
    let path = if ready { "/-/ready" } else { "/-/healthy" };
    match ask(web, path).await {
        Ok(said) => writeln!(std::io::stdout(), "{said}").map(|()| ExitCode::SUCCESS).map_err(Error::Output),
        Err(problem) => {
            complain(&problem);
            Ok(ExitCode::FAILURE)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the sentence is what the command is for")]
fn complain(problem: &str) {
    eprintln!("{problem}");
}

/// What the first address that answers says; else what went wrong with the last.
async fn ask(web: &ServerSettings, path: &str) -> Result<String, String> {
    // A second call finds the provider installed, which is what we want.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        // It is asked on an address of this machine, which no certificate names.
        .tls_danger_accept_invalid_certs(true)
        .build()
        .map_err(|error| sentence(&error))?;
    let mut problem = String::from("--web.listen-address: port 0 is chosen anew at each start: name a port");
    for address in web.listen.iter().filter(|address| address.port() != 0).flat_map(|of| reachable(*of)) {
        // Whoever speaks TLS refuses the first.
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{address}{path}");
            match client.get(&url).send().await {
                Ok(answer) => {
                    let (status, said) = (answer.status(), answer.text().await.unwrap_or_default());
                    return verdict(&url, status, said.trim());
                }
                Err(error) => problem = format!("{url} does not answer: {}", sentence(&error)),
            }
        }
    }
    Err(problem)
}

/// Where something that listens on an address can be reached from this machine.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let loopback = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![loopback(Ipv4Addr::LOCALHOST.into())],
        // Both families; a host without IPv6 has one of them.
        IpAddr::V6(ip) if ip.is_unspecified() => {
            vec![loopback(Ipv4Addr::LOCALHOST.into()), loopback(Ipv6Addr::LOCALHOST.into())]
        }
        _ => vec![address],
    }
}

fn verdict(url: &str, status: StatusCode, said: &str) -> Result<String, String> {
    match status {
        StatusCode::OK => Ok(format!("{url}: {said}")),
        // Whoever asks for a password works; more is not for us to know.
        StatusCode::UNAUTHORIZED if url.ends_with("/-/healthy") => {
            Ok(format!("{url}: healthy, and asks for a password"))
        }
        _ => Err(format!("{url} says {status}: {said}")),
    }
}

/// An error with its causes.
fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_means_loopback() {
        let of = |address: &str| {
            let found = reachable(address.parse().unwrap());
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("[::]:9441"), "127.0.0.1:9441 [::1]:9441");
        assert_eq!(of("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(of("192.0.2.1:9441"), "192.0.2.1:9441");
    }

    #[test]
    fn a_password_is_a_sign_of_health_and_not_of_readiness() {
        let said = |path: &str, code: u16| {
            verdict(&format!("http://a{path}"), StatusCode::from_u16(code).unwrap(), "so").is_ok()
        };
        assert!(said("/-/healthy", 200) && said("/-/ready", 200) && said("/-/healthy", 401));
        assert!(!said("/-/ready", 401) && !said("/-/ready", 503) && !said("/-/healthy", 404));
    }
}
