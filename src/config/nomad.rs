//! Settings of the Nomad client.

use secrecy::SecretString;

use super::args::AcceptEncoding;
use super::{Args, ConfigError, Env, duration};
use crate::nomad::{Address, ClientSettings, Compression, Tls, Token};

const DEFAULT_ADDRESS: &str = "http://127.0.0.1:4646";

pub(super) fn settings(args: Args, env: Env<'_>) -> Result<ClientSettings, ConfigError> {
    Ok(ClientSettings {
        addresses: addresses(&args, env)?,
        token: token(&args, env)?,
        http_auth: env("NOMAD_HTTP_AUTH").map(SecretString::from),
        tls: tls(&args, env)?,
        region: args.nomad.region.or_else(|| env("NOMAD_REGION")),
        timeout: duration("--nomad.timeout", args.nomad.timeout)?,
        allow_stale: args.nomad.allow_stale,
        max_last_contact: Some(args.nomad.max_last_contact).filter(|limit| !limit.is_zero()),
        max_connections: args.nomad.max_connections.into(),
        compression: match args.nomad.accept_encoding {
            AcceptEncoding::Identity => Compression::Identity,
            AcceptEncoding::Gzip => Compression::Gzip,
        },
        max_list_bytes: args.nomad.max_list_bytes,
        max_object_bytes: args.nomad.max_object_bytes,
        max_compressed_bytes: args.nomad.max_compressed_bytes,
    })
}

fn addresses(args: &Args, env: Env<'_>) -> Result<Vec<Address>, ConfigError> {
    let parse = |setting: &str, address: &str| {
        address.parse::<Address>().map_err(|error| ConfigError::new(setting, error.to_string()))
    };
    if !args.nomad.address.is_empty() {
        return args.nomad.address.iter().map(|address| parse("--nomad.address", address)).collect();
    }
    let of_env = env("NOMAD_ADDR");
    Ok(vec![parse("NOMAD_ADDR", of_env.as_deref().unwrap_or(DEFAULT_ADDRESS))?])
}

fn token(args: &Args, env: Env<'_>) -> Result<Token, ConfigError> {
    if let Some(path) = &args.nomad.token_file {
        return Token::file(path.clone())
            .map_err(|error| ConfigError::new("--nomad.token-file", error.to_string()));
    }
    let Some(token) = env("NOMAD_TOKEN") else { return Ok(Token::None) };
    match token.trim() {
        token if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Token::Fixed(token.into())),
        _ => Err(ConfigError::new("NOMAD_TOKEN", "it contains spaces or control characters; give one token")),
    }
}

fn tls(args: &Args, env: Env<'_>) -> Result<Tls, ConfigError> {
    let path = |flag: &Option<_>, name: &str| flag.clone().or_else(|| env(name).map(Into::into));
    let tls = Tls {
        ca_file: path(&args.nomad.ca_file, "NOMAD_CACERT"),
        ca_path: path(&args.nomad.ca_path, "NOMAD_CAPATH"),
        client_cert: path(&args.nomad.client_cert, "NOMAD_CLIENT_CERT"),
        client_key: path(&args.nomad.client_key, "NOMAD_CLIENT_KEY"),
        server_name: args.nomad.tls_server_name.clone().or_else(|| env("NOMAD_TLS_SERVER_NAME")),
        skip_verify: args.nomad.tls_skip_verify || skip_verify(env)?,
    };
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        let problem = "a certificate needs its key; give both --nomad.client-cert and --nomad.client-key";
        return Err(ConfigError::new("--nomad.client-cert", problem));
    }
    Ok(tls)
}

fn skip_verify(env: Env<'_>) -> Result<bool, ConfigError> {
    let Some(value) = env("NOMAD_SKIP_VERIFY") else { return Ok(false) };
    match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(ConfigError::new(
            "NOMAD_SKIP_VERIFY",
            format!("`{value}` is not a boolean; give true or false"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn of(line: &[&str], env: &[(&str, &str)]) -> Result<ClientSettings, String> {
        let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
        let lookup =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        settings(args, &lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_take_precedence_over_nomads_variables() {
        let env =
            [("NOMAD_ADDR", "http://from.env:4646"), ("NOMAD_REGION", "eu"), ("NOMAD_SKIP_VERIFY", "1")];
        let settings = of(&[], &env).unwrap();
        assert_eq!(settings.addresses, ["http://from.env:4646".parse().unwrap()]);
        assert_eq!(settings.region.as_deref(), Some("eu"));
        assert!(settings.tls.skip_verify);
        let settings = of(&["--nomad.address", "http://a,http://b", "--nomad.region", "us"], &env).unwrap();
        assert_eq!(settings.addresses, ["http://a".parse().unwrap(), "http://b".parse().unwrap()]);
        assert_eq!(settings.region.as_deref(), Some("us"));
    }

    #[test]
    fn the_local_agent_is_the_default() {
        let settings = of(&[], &[]).unwrap();
        assert_eq!(settings.addresses[0].to_string(), DEFAULT_ADDRESS);
        assert!(matches!(settings.token, Token::None));
    }

    #[test]
    fn errors_name_the_setting_and_no_secret() {
        for (line, env, expected) in [
            (
                &["--nomad.address", "localhost:4646"][..],
                &[][..],
                "--nomad.address: `localhost:4646` is not a Nomad address",
            ),
            (&[], &[("NOMAD_ADDR", "ftp://nomad")], "NOMAD_ADDR: `ftp://nomad`"),
            (
                &["--nomad.token-file", "/nowhere/token"],
                &[],
                "--nomad.token-file: cannot read /nowhere/token",
            ),
            (&["--nomad.timeout", "0s"], &[], "--nomad.timeout: "),
            (&["--nomad.timeout", "1000y"], &[], "--nomad.timeout: it is longer than a day"),
            (&["--nomad.client-cert", "cert.pem"], &[], "--nomad.client-cert: a certificate needs its key"),
            (&[], &[("NOMAD_SKIP_VERIFY", "maybe")], "NOMAD_SKIP_VERIFY: `maybe`"),
            (&[], &[("NOMAD_TOKEN", "s3cret one")], "NOMAD_TOKEN: it contains spaces"),
        ] {
            let error = of(line, env).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn settings_print_no_secret() {
        let env = [("NOMAD_TOKEN", "s3cret"), ("NOMAD_HTTP_AUTH", "me:s3cret")];
        assert!(!format!("{:?}", of(&[], &env).unwrap()).contains("s3cret"));
    }
}
