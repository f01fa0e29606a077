//! An exposition, ready to be handed out.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiate::{Encoding, Format};
use super::{OpenMetrics, Text};
use crate::metrics::{self, Own, Selection, View};
use crate::snapshot::Snapshot;

/// How many renderings a variant is prepared for after somebody last asked for it: 10 minutes at an interval of
/// 15 s, so that scrapers with long intervals find it ready.
const KEEP_PREPARING: u32 = 40;

/// One moment, and its bytes in the formats and encodings that scrapers ask for.
///
/// Scrapers ask for one variant again and again, most often gzipped OpenMetrics; on a large cluster each variant is
/// tens of megabytes of work and memory. So only those are prepared that somebody asked for lately, and a scrape of
/// one of them only clones a handle. Any other is rendered when it is first asked for.
pub struct Rendered {
    snapshot: Arc<Snapshot>,
    own: Own,
    selection: Selection,
    variants: [Variant; 4],
}

/// The bytes of one format and encoding, where they are needed.
#[derive(Default)]
struct Variant {
    bytes: OnceLock<Bytes>,
    asked_for: AtomicBool,
    /// For how many renderings more it is prepared, unless it is asked for again.
    prepare: u32,
    /// How many bytes it had last time.
    last_length: usize,
}

impl Rendered {
    /// Renders what scrapers of the previous one asked for. Blocking work: gzip is most of it.
    pub fn new(snapshot: Arc<Snapshot>, own: Own, selection: Selection, previous: Option<&Self>) -> Self {
        let variants = match previous {
            Some(previous) => previous.variants.each_ref().map(Variant::next),
            None => Default::default(),
        };
        let rendered = Self { snapshot, own, selection, variants };
        for (format, encoding) in ALL {
            if rendered.variant(format, encoding).prepare > 0 {
                rendered.render(format, encoding);
            }
        }
        rendered
    }

    /// The bytes of one format and encoding, if they are ready.
    pub fn ready(&self, format: Format, encoding: Encoding) -> Option<Bytes> {
        let variant = self.variant(format, encoding);
        variant.asked_for.store(true, Ordering::Relaxed);
        variant.bytes.get().cloned()
    }

    /// The bytes of one format and encoding, rendered now if they are not ready. Blocking work.
    pub fn bytes(&self, format: Format, encoding: Encoding) -> Bytes {
        self.ready(format, encoding).unwrap_or_else(|| self.render(format, encoding))
    }

    fn variant(&self, format: Format, encoding: Encoding) -> &Variant {
        let at = ALL.iter().position(|variant| *variant == (format, encoding));
        &self.variants[at.expect("all variants are listed")]
    }

    /// Whoever asks meanwhile waits for the same bytes.
    fn render(&self, format: Format, encoding: Encoding) -> Bytes {
        let variant = self.variant(format, encoding);
        let write = || {
            // Some room, since clusters grow.
            let out = Vec::with_capacity(variant.last_length * 9 / 8);
            let written = match encoding {
                Encoding::Identity => self.write(format, out),
                Encoding::Gzip => {
                    self.write(format, GzEncoder::new(out, Compression::fast())).and_then(GzEncoder::finish)
                }
            };
            written.expect("writing to memory does not fail").into()
        };
        variant.bytes.get_or_init(write).clone()
    }

    fn write<W: io::Write>(&self, format: Format, out: W) -> io::Result<W> {
        let view = View::new(&self.snapshot, &self.own);
        match format {
            Format::Text => {
                let mut text = Text::new(out);
                metrics::emit(&view, &mut text, &self.selection);
                text.finish()
            }
            Format::OpenMetrics => {
                let mut text = OpenMetrics::new(out);
                metrics::emit(&view, &mut text, &self.selection);
                text.finish()
            }
        }
    }
}

#[cfg(test)]
impl Rendered {
    /// Everything there is to show of a snapshot, by an exporter that has done nothing yet.
    pub(crate) fn of(snapshot: Arc<Snapshot>, previous: Option<&Self>) -> Self {
        Self::new(snapshot, Own::default(), Selection::default(), previous)
    }
}

/// Every variant, in the order of [`Rendered::variants`].
const ALL: [(Format, Encoding); 4] = [
    (Format::Text, Encoding::Identity),
    (Format::Text, Encoding::Gzip),
    (Format::OpenMetrics, Encoding::Identity),
    (Format::OpenMetrics, Encoding::Gzip),
];

impl Variant {
    /// The same of the next rendering.
    fn next(&self) -> Self {
        let prepare = match self.asked_for.load(Ordering::Relaxed) {
            true => KEEP_PREPARING,
            false => self.prepare.saturating_sub(1),
        };
        let last_length = self.bytes.get().map_or(self.last_length, Bytes::len);
        Self { prepare, last_length, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::snapshot::Sections;

    fn rendered(previous: Option<&Rendered>) -> Rendered {
        let snapshot = Snapshot::new(SystemTime::UNIX_EPOCH, Vec::new(), Sections::default());
        Rendered::of(Arc::new(snapshot), previous)
    }

    #[test]
    fn only_what_scrapers_ask_for_is_prepared() {
        let first = rendered(None);
        assert!(ALL.iter().all(|(format, encoding)| first.variants.iter().all(|v| v.bytes.get().is_none())
            && first.variant(*format, *encoding).prepare == 0));
        assert!(first.ready(Format::OpenMetrics, Encoding::Gzip).is_none());
        let bytes = first.bytes(Format::OpenMetrics, Encoding::Gzip);
        assert_eq!(first.ready(Format::OpenMetrics, Encoding::Gzip), Some(bytes));

        let mut last = rendered(Some(&first));
        for _ in 1..KEEP_PREPARING {
            let ready = last.variant(Format::OpenMetrics, Encoding::Gzip).bytes.get();
            assert!(ready.is_some() && last.variant(Format::Text, Encoding::Gzip).bytes.get().is_none());
            last = rendered(Some(&last));
        }
        // Nobody asked for it all the while.
        last = rendered(Some(&last));
        assert!(last.variants.iter().all(|variant| variant.bytes.get().is_none()));
    }
}
