//! `healthcheck`: checks the exporter on the same machine, for containers without other tools.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;
use reqwest::{Client, Identity, redirect};

use super::Error;
use crate::config::{HealthcheckArgs, Scheme};
use crate::web::ServerSettings;

/// Timeout of the request. Container runtimes kill the check after 30 s without a reason; this one prints it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Sends one request to the exporter's own address, and prints the result. Fails if the exporter is not
/// healthy.
pub(super) async fn run(web: &ServerSettings, args: &HealthcheckArgs) -> Result<ExitCode, Error> {
    match ask(web, args).await {
        Ok(said) => writeln!(std::io::stdout(), "{said}").map(|()| ExitCode::SUCCESS).map_err(Error::Output),
        Err(problem) => {
            print_problem(&problem);
            Ok(ExitCode::FAILURE)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the sentence is what the command is for")]
fn print_problem(problem: &str) {
    eprintln!("{problem}");
}

/// Returns the first response, otherwise the last error.
async fn ask(web: &ServerSettings, args: &HealthcheckArgs) -> Result<String, String> {
    let client = client(args)?;
    let password = args.password_file.as_deref().map(|file| read("--password-file", file)).transpose()?;
    let path = match (args.ready, args.all) {
        (false, _) => "/-/healthy",
        (true, false) => "/-/ready",
        (true, true) => "/-/ready?all",
    };
    // A TLS server rejects the first attempt.
    let schemes: &[&str] = match args.scheme {
        None => &["http", "https"],
        Some(Scheme::Http) => &["http"],
        Some(Scheme::Https) => &["https"],
    };
    let mut problem =
        String::from("--web.listen-address: port 0 is a different port after each start; give a port");
    for address in web.listen.iter().filter(|address| address.port() != 0).flat_map(|of| reachable(*of)) {
        for scheme in schemes {
            let url = format!("{scheme}://{address}{path}");
            let mut request = client.get(&url);
            if let (Some(user), Some(password)) = (&args.user, &password) {
                request = request.basic_auth(user, Some(password.trim_end_matches(['\r', '\n'])));
            }
            match request.send().await {
                Ok(answer) => {
                    let (status, said) = (answer.status(), answer.text().await.unwrap_or_default());
                    return result(&url, status, said.trim(), password.is_some());
                }
                Err(error) => problem = format!("{url} does not respond: {}", sentence(&error)),
            }
        }
    }
    Err(problem)
}

/// Returns the local addresses that reach a listener on this address.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let loopback = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![loopback(Ipv4Addr::LOCALHOST.into())],
        // IPv4 and IPv6; a host without IPv6 has only one of them.
        IpAddr::V6(ip) if ip.is_unspecified() => {
            vec![loopback(Ipv4Addr::LOCALHOST.into()), loopback(Ipv6Addr::LOCALHOST.into())]
        }
        _ => vec![address],
    }
}

fn client(args: &HealthcheckArgs) -> Result<Client, String> {
    // Fails if the provider is already installed, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        // The exporter is addressed by an IP address of this machine, which is in no certificate.
        .tls_danger_accept_invalid_certs(true);
    if let (Some(cert), Some(key)) = (&args.client_cert, &args.client_key) {
        let pem = read("--client-cert", cert)? + "\n" + &read("--client-key", key)?;
        let identity = Identity::from_pem(pem.as_bytes());
        builder = builder.identity(identity.map_err(|_| {
            format!(
                "--client-cert: {} and {} are not a PEM certificate and its key",
                cert.display(),
                key.display()
            )
        })?);
    }
    builder.build().map_err(|error| sentence(&error))
}

fn read(flag: &str, file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{flag}: cannot read {}: {error}", file.display()))
}

fn result(url: &str, status: StatusCode, said: &str, has_password: bool) -> Result<String, String> {
    match status {
        StatusCode::OK => Ok(format!("{url}: {said}")),
        // An exporter that requires a password is up. More cannot be checked without it.
        StatusCode::UNAUTHORIZED if url.ends_with("/-/healthy") && !has_password => {
            Ok(format!("{url}: healthy, requires a password"))
        }
        _ => Err(format!("{url} responded {status}: {said}")),
    }
}

/// Formats an error with its causes.
fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_checked_on_loopback() {
        let of = |address: &str| {
            let found = reachable(address.parse().unwrap());
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("[::]:9441"), "127.0.0.1:9441 [::1]:9441");
        assert_eq!(of("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(of("192.0.2.1:9441"), "192.0.2.1:9441");
    }

    #[test]
    fn a_required_password_means_healthy_but_not_ready() {
        let said = |path: &str, code: u16| {
            let url = format!("http://a{path}");
            let with = |password| result(&url, StatusCode::from_u16(code).unwrap(), "so", password).is_ok();
            assert_eq!(with(true), code == 200, "a password that is refused is a mistake");
            with(false)
        };
        assert!(said("/-/healthy", 200) && said("/-/ready", 200) && said("/-/healthy", 401));
        assert!(!said("/-/ready", 401) && !said("/-/ready", 503) && !said("/-/healthy", 404));
    }
}
