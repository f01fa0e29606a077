//! An exposition, ready to be handed out.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiate::{Encoding, Format};
use super::{OpenMetrics, Text};
use crate::metrics::{self, Selection, Sink, View};

/// The bytes for every format and encoding. A scrape only clones a handle of one of them.
#[derive(Clone, Debug)]
pub struct Rendered {
    text: Encoded,
    openmetrics: Encoded,
}

#[derive(Clone, Debug)]
struct Encoded {
    plain: Bytes,
    gzip: Bytes,
}

impl Rendered {
    /// Renders every format. Blocking work: gzip is most of it.
    pub fn new(view: &View<'_>, selection: &Selection, previous: Option<&Self>) -> Self {
        // The last exposition tells how large this one will be.
        let capacity = |encoded: fn(&Self) -> &Encoded| {
            previous.map_or(16 << 10, |previous| encoded(previous).plain.len() * 9 / 8)
        };
        let mut text = Text::with_capacity(capacity(|rendered| &rendered.text));
        let mut openmetrics = OpenMetrics::with_capacity(capacity(|rendered| &rendered.openmetrics));
        metrics::emit(view, &mut Sink::new(vec![&mut text, &mut openmetrics], selection));
        Self { text: Encoded::new(text.finish()), openmetrics: Encoded::new(openmetrics.finish()) }
    }

    /// The bytes of one format and encoding.
    pub fn bytes(&self, format: Format, encoding: Encoding) -> Bytes {
        let encoded = match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        };
        match encoding {
            Encoding::Identity => encoded.plain.clone(),
            Encoding::Gzip => encoded.gzip.clone(),
        }
    }
}

impl Encoded {
    fn new(plain: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
        let gzip = encoder.write_all(plain.as_bytes()).and_then(|()| encoder.finish());
        Self { gzip: gzip.expect("writing to memory does not fail").into(), plain: plain.into() }
    }
}
