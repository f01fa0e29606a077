//! An exposition, ready to be handed out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::assembly::Assembly;
use super::negotiate::{Encoding, Format};
use crate::metrics::{Own, Selection, View};
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
    assembly: OnceLock<Assembly>,
    asked_for: AtomicBool,
    /// For how many renderings more it is prepared, unless it is asked for again.
    prepare: u32,
}

impl Rendered {
    /// Renders what scrapers of the previous one asked for, as far as it changed since. Blocking work: gzip is most of it.
    pub fn new(snapshot: Arc<Snapshot>, own: Own, selection: Selection, previous: Option<&Self>) -> Self {
        let variants = match previous {
            Some(previous) => previous.variants.each_ref().map(Variant::next),
            None => Default::default(),
        };
        let rendered = Self { snapshot, own, selection, variants };
        for (format, encoding) in ALL {
            if rendered.variant(format, encoding).prepare > 0 {
                let previous = previous.and_then(|all| all.variant(format, encoding).assembly.get());
                rendered.render(format, encoding, previous);
            }
        }
        rendered
    }

    /// The bytes of one format and encoding, if they are ready.
    pub fn ready(&self, format: Format, encoding: Encoding) -> Option<Bytes> {
        let variant = self.variant(format, encoding);
        variant.asked_for.store(true, Ordering::Relaxed);
        variant.assembly.get().map(|assembly| assembly.whole().clone())
    }

    /// The bytes of one format and encoding, rendered now if they are not ready. Blocking work.
    pub fn bytes(&self, format: Format, encoding: Encoding) -> Bytes {
        self.ready(format, encoding).unwrap_or_else(|| self.render(format, encoding, None))
    }

    fn variant(&self, format: Format, encoding: Encoding) -> &Variant {
        let at = ALL.iter().position(|variant| *variant == (format, encoding));
        &self.variants[at.expect("all variants are listed")]
    }

    /// Whoever asks meanwhile waits for the same bytes.
    fn render(&self, format: Format, encoding: Encoding, previous: Option<&Assembly>) -> Bytes {
        let assemble = || {
            let view = View::new(&self.snapshot, &self.own);
            Assembly::new(format, encoding, &view, &self.selection, previous)
        };
        self.variant(format, encoding).assembly.get_or_init(assemble).whole().clone()
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
        Self { prepare, ..Self::default() }
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
        assert!(
            ALL.iter().all(|(format, encoding)| first.variants.iter().all(|v| v.assembly.get().is_none())
                && first.variant(*format, *encoding).prepare == 0)
        );
        assert!(first.ready(Format::OpenMetrics, Encoding::Gzip).is_none());
        let bytes = first.bytes(Format::OpenMetrics, Encoding::Gzip);
        assert_eq!(first.ready(Format::OpenMetrics, Encoding::Gzip), Some(bytes));

        let mut last = rendered(Some(&first));
        for _ in 1..KEEP_PREPARING {
            let ready = last.variant(Format::OpenMetrics, Encoding::Gzip).assembly.get();
            assert!(ready.is_some() && last.variant(Format::Text, Encoding::Gzip).assembly.get().is_none());
            last = rendered(Some(&last));
        }
        // Nobody asked for it all the while.
        last = rendered(Some(&last));
        assert!(last.variants.iter().all(|variant| variant.assembly.get().is_none()));
    }
}
