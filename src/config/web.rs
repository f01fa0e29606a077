//! Settings of the web server.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::{Args, ConfigError};
use crate::web::{AccessFile, Deadlines, ServerLimits, ServerSettings};

pub(super) fn settings(args: &Args) -> Result<ServerSettings, ConfigError> {
    let path = &args.web.telemetry_path;
    if !path.starts_with('/') || path.contains(['?', '#']) || path.contains(char::is_whitespace) {
        let problem = format!("`{path}` is not a path; give one such as /metrics");
        return Err(ConfigError::new("--web.telemetry-path", problem));
    }
    if path == "/" || path.starts_with("/-/") {
        let problem = format!("`{path}` is used by the exporter's own pages; give another path");
        return Err(ConfigError::new("--web.telemetry-path", problem));
    }
    let addresses = args.web.listen_address.iter().map(|address| listen_address(address));
    Ok(ServerSettings {
        listen: addresses.collect::<Result<Vec<_>, _>>()?.concat(),
        systemd_socket: args.web.systemd_socket,
        telemetry_path: path.clone(),
        access: access(args)?,
        limits: limits(args)?,
    })
}

fn access(args: &Args) -> Result<Option<AccessFile>, ConfigError> {
    let Some(path) = &args.web.config_file else { return Ok(None) };
    AccessFile::open(path.clone())
        .map(Some)
        .map_err(|error| ConfigError::new("--web.config.file", error.to_string()))
}

fn limits(args: &Args) -> Result<ServerLimits, ConfigError> {
    let positive = |flag: &str, duration: Duration| match duration.is_zero() {
        true => Err(ConfigError::new(flag, "it is 0 s; give a duration such as 30s")),
        false => Ok(duration),
    };
    Ok(ServerLimits {
        max_connections: args.web.max_connections.into(),
        max_requests: args.web.max_requests.into(),
        max_header_bytes: args.web.max_header_bytes,
        deadlines: Deadlines {
            head: positive("--web.header-timeout", args.web.header_timeout)?,
            idle: positive("--web.idle-timeout", args.web.idle_timeout)?,
            response: positive("--web.response-timeout", args.web.response_timeout)?,
        },
    })
}

/// Resolves a listen address. `:9441` means every IPv4 and IPv6 address of the host.
fn listen_address(address: &str) -> Result<Vec<SocketAddr>, ConfigError> {
    let error = |problem: String| {
        let problem = format!("cannot listen on `{address}`: {problem}; give HOST:PORT or :PORT");
        ConfigError::new("--web.listen-address", problem)
    };
    if let Some(port) = address.strip_prefix(':') {
        let port = port.parse().map_err(|_| error(format!("`{port}` is not a port")))?;
        return Ok(vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]);
    }
    Ok(address.to_socket_addrs().map_err(|cause| error(cause.to_string()))?.collect())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn of(flag: &str, value: &str) -> Result<ServerSettings, String> {
        settings(&parse(["nomad-exporter", flag, value]).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn listen_addresses_are_parsed() {
        let listen = |value| of("--web.listen-address", value).unwrap().listen;
        assert_eq!(listen(":9441"), ["[::]:9441".parse().unwrap()]);
        assert_eq!(
            listen("127.0.0.1:0,[::1]:1"),
            ["127.0.0.1:0".parse().unwrap(), "[::1]:1".parse().unwrap()]
        );
        for wrong in ["9441", ":http", ":70000", "127.0.0.1"] {
            let error = of("--web.listen-address", wrong).unwrap_err();
            assert!(error.starts_with("--web.listen-address: cannot listen on"), "{error}");
        }
    }

    #[test]
    fn the_path_of_the_metrics_is_validated() {
        assert_eq!(of("--web.telemetry-path", "/nomad").unwrap().telemetry_path, "/nomad");
        for wrong in ["metrics", "/", "/-/ready", "/a b", "/m?x"] {
            let error = of("--web.telemetry-path", wrong).unwrap_err();
            assert!(error.starts_with("--web.telemetry-path: "), "{error}");
        }
    }

    #[test]
    fn limits_and_the_file_are_checked() {
        for (flag, value) in [
            ("--web.header-timeout", "0s"),
            ("--web.idle-timeout", "0s"),
            ("--web.response-timeout", "0s"),
            ("--web.config.file", "/nowhere/web.yml"),
        ] {
            let error = of(flag, value).unwrap_err();
            assert!(error.starts_with(&format!("{flag}: ")), "{error}");
        }
        for (flag, value) in [("--web.max-requests", "0"), ("--web.max-header-bytes", "100")] {
            assert!(parse(["nomad-exporter", flag, value]).is_err());
        }
    }
}
