//! Syntax of the file: the format of the Prometheus exporter toolkit. An unknown field is an error.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use serde_saphyr::{Error as YamlError, MessageFormatter, UserMessageFormatter};

use super::quoted;

/// The file. All fields are optional.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) tls_server_config: Option<TlsServerConfig>,
    pub(super) http_server_config: Option<HttpServerConfig>,
    pub(super) basic_auth_users: Option<BTreeMap<String, SecretString>>,
    pub(super) rate_limit: Option<RateLimitConfig>,
}

/// TLS and client certificates.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TlsServerConfig {
    pub(super) cert: Option<String>,
    pub(super) key: Option<SecretString>,
    pub(super) client_ca: Option<String>,
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_allowed_sans: Option<Vec<String>>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Option<Vec<String>>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Option<Vec<String>>,
}

/// HTTP settings.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HttpServerConfig {
    pub(super) http2: Option<bool>,
    pub(super) headers: Option<Headers>,
}

/// Headers of all responses. Others are not supported.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Headers {
    #[serde(rename = "Content-Security-Policy")]
    pub(super) content_security_policy: Option<String>,
    #[serde(rename = "X-Frame-Options")]
    pub(super) x_frame_options: Option<String>,
    #[serde(rename = "X-Content-Type-Options")]
    pub(super) x_content_type_options: Option<String>,
    #[serde(rename = "X-XSS-Protection")]
    pub(super) x_xss_protection: Option<String>,
    #[serde(rename = "Strict-Transport-Security")]
    pub(super) strict_transport_security: Option<String>,
}

/// Rate limit.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RateLimitConfig {
    pub(super) interval: Option<String>,
    pub(super) burst: Option<u32>,
}

impl File {
    /// Parses YAML. Errors have the position and the problem, but no values, because they may be secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str::<Option<Self>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|error| sentence(&error))
    }
}

fn sentence(error: &YamlError) -> String {
    let error = error.without_snippet();
    let problem = match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            format!("{} is not a field here; the fields are {}", quoted(field), expected.join(", "))
        }
        YamlError::SerdeInvalidType { expected, .. } | YamlError::SerdeInvalidValue { expected, .. } => {
            format!("{expected} is expected here")
        }
        other => {
            let message = UserMessageFormatter.format_message(other);
            message.lines().next().unwrap_or_default().chars().take(200).collect()
        }
    };
    match error.location() {
        Some(location) => format!("line {}, column {}: {problem}", location.line(), location.column()),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        File::parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"))
    }

    #[test]
    fn an_empty_file_is_valid() {
        for text in ["", "\n", "# nothing\n", "{}", "---\n", "tls_server_config:\nbasic_auth_users:\n"] {
            File::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
    }

    #[test]
    fn errors_have_a_position_and_quote_no_value() {
        for (text, expected) in [
            (
                "tls_server_config:\n  certfile: a\n",
                "line 2, column 3: `certfile` is not a field here; the fields are cert, key",
            ),
            (
                "http_server_config:\n  headers:\n    X-Me: a\n",
                "line 3, column 5: `X-Me` is not a field here",
            ),
            ("http_server_config: {http2: s3cret}\n", "line 1, column 29: "),
            ("basic_auth_users: s3cret\n", "line 1, column 19: "),
            ("basic_auth_users: [s3cret]\n", "line 1, column 19: "),
            ("basic_auth_users:\n  alice:\n", "line 2, column "),
            ("basic_auth_users:\n  a: s3cret\n  a: s3cret\n", "line 3, column 3: "),
            ("tls_server_config: s3cret\n", "line 1, column 20: "),
            ("tls_server_config: {key: [s3cret]}\n", "line 1, column 26: "),
            ("rate_limit: {burst: s3cret}\n", "line 1, column 21: "),
            ("rate_limit: {burst: -1}\n", "line 1, column 21: "),
            ("rate_limit: {", "line "),
            ("a: 1\n---\na: 2\n", "line "),
            ("\tx: s3cret", "line "),
            ("key: 's3cret\n", "line "),
        ] {
            let said = error(text);
            assert!(said.starts_with(expected), "{text:?}: {said}");
            assert!(!said.contains("s3cret") && !said.contains('\n'), "{text:?}: {said}");
        }
    }
}
