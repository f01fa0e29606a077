//! Headers of all responses.

use http::{HeaderName, HeaderValue};

use super::file::Headers;
use super::quoted;

/// Returns names and values, in a fixed order.
pub(super) fn headers(typed: &Headers) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    use http::header::{
        CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        X_XSS_PROTECTION,
    };
    let any: &[&str] = &[];
    let rows = [
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY, &typed.content_security_policy, any),
        ("X-Frame-Options", X_FRAME_OPTIONS, &typed.x_frame_options, &["deny", "sameorigin"]),
        ("X-Content-Type-Options", X_CONTENT_TYPE_OPTIONS, &typed.x_content_type_options, &["nosniff"]),
        ("X-XSS-Protection", X_XSS_PROTECTION, &typed.x_xss_protection, any),
        ("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY, &typed.strict_transport_security, any),
    ];
    let mut headers = Vec::new();
    for (typed_name, name, value, allowed) in rows {
        let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { continue };
        let problem = |what: String| format!("http_server_config.headers.{typed_name}: {what}");
        if !allowed.is_empty() && !allowed.contains(&value) {
            return Err(problem(format!(
                "{} is not a valid value; give {}",
                quoted(value),
                allowed.join(" or ")
            )));
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_| problem("it contains control characters; give one line of text".to_owned()))?;
        headers.push((name, value));
    }
    Ok(headers)
}
