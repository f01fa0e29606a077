//! Which bytes a scraper wants, by its `Accept` and `Accept-Encoding` headers.

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, which everybody reads.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// A content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

impl Format {
    /// The media type. Prometheus 3 refuses a scrape whose type it does not know.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The format for an `Accept` header. Where OpenMetrics is asked for at least as much as text, it is given;
/// whoever asks for neither gets text.
pub fn format(accept: Option<&str>) -> Format {
    let Some(accept) = accept else { return Format::Text };
    let (mut openmetrics, mut text) = (0.0_f32, 0.0_f32);
    for choice in choices(accept) {
        // Version 0.0.1 was the draft that few scrapers still name beside 1.0.0.
        let is_current = || matches!(choice.parameter("version"), None | Some("1.0.0"));
        if choice.is("application/openmetrics-text") && is_current() {
            openmetrics = openmetrics.max(choice.weight);
        } else if ["text/plain", "text/*", "*/*"].into_iter().any(|name| choice.is(name)) {
            text = text.max(choice.weight);
        }
    }
    if openmetrics > 0.0 && openmetrics >= text { Format::OpenMetrics } else { Format::Text }
}

/// The encoding for an `Accept-Encoding` header.
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
    /// Names of media types and encodings have no case.
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
