//! Content negotiation by the `Accept` and `Accept-Encoding` headers.

/// Exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, which all scrapers support.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Uncompressed.
    Identity,
    /// Compressed.
    Gzip,
}

impl Format {
    /// Returns the media type. Prometheus 3 rejects a scrape with an unknown type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Chooses the format by an `Accept` header: OpenMetrics if it is preferred to text or equal, otherwise text.
pub fn format(accept: Option<&str>) -> Format {
    let Some(accept) = accept else { return Format::Text };
    let (mut openmetrics, mut text) = (0.0_f32, 0.0_f32);
    for choice in choices(accept) {
        // Version 0.0.1 was a draft; few scrapers still offer it besides 1.0.0.
        let is_current = || matches!(choice.parameter("version"), None | Some("1.0.0"));
        if choice.is("application/openmetrics-text") && is_current() {
            openmetrics = openmetrics.max(choice.weight);
        } else if ["text/plain", "text/*", "*/*"].into_iter().any(|name| choice.is(name)) {
            text = text.max(choice.weight);
        }
    }
    if openmetrics > 0.0 && openmetrics >= text { Format::OpenMetrics } else { Format::Text }
}

/// Chooses the encoding by an `Accept-Encoding` header.
pub fn encoding(accept_encoding: Option<&str>) -> Encoding {
    let Some(accept) = accept_encoding else { return Encoding::Identity };
    let named = choices(accept).find(|choice| choice.is("gzip"));
    match named.or_else(|| choices(accept).find(|choice| choice.is("*"))) {
        Some(choice) if choice.weight > 0.0 => Encoding::Gzip,
        _ => Encoding::Identity,
    }
}

struct Choice<'a> {
    value: &'a str,
    parameters: &'a str,
    weight: f32,
}

impl<'a> Choice<'a> {
    /// Compares without case, as for all media types and encodings.
    fn is(&self, name: &str) -> bool {
        self.value.eq_ignore_ascii_case(name)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    }
}

fn choices(header: &str) -> impl Iterator<Item = Choice<'_>> {
    header.split(',').map(|choice| {
        let (value, parameters) = choice.split_once(';').unwrap_or((choice, ""));
        let choice = Choice { value: value.trim(), parameters, weight: 1.0 };
        let weight = choice.parameter("q").map_or(1.0, |q| q.parse().unwrap_or(0.0));
        Choice { weight, ..choice }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                            q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.2";
        for (accept, expected) in [
            (None, Format::Text),
            (Some(""), Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"), Format::Text),
            (Some("text/plain;version=0.0.4"), Format::Text),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some("Application/OpenMetrics-Text"), Format::OpenMetrics),
            (Some("application/openmetrics-text;version=0.0.1"), Format::Text),
            (Some("application/openmetrics-text; version=\"1.0.0\""), Format::OpenMetrics),
            (Some("application/openmetrics-text;q=0,text/plain"), Format::Text),
            (Some("application/openmetrics-text;q=0.4,text/plain;q=0.5"), Format::Text),
            (Some(prometheus_2), Format::OpenMetrics),
            (Some(prometheus_3), Format::OpenMetrics),
            (Some(";;,,=;q=x"), Format::Text),
        ] {
            assert_eq!(format(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn encodings() {
        for (accept, expected) in [
            (None, Encoding::Identity),
            (Some("gzip"), Encoding::Gzip),
            (Some("deflate, GZIP;q=0.5"), Encoding::Gzip),
            (Some("gzip;q=0, *"), Encoding::Identity),
            (Some("*;q=0.1"), Encoding::Gzip),
            (Some("br, identity"), Encoding::Identity),
        ] {
            assert_eq!(encoding(accept), expected, "{accept:?}");
        }
    }
}
