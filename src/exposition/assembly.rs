//! An exposition put together of its families. One whose samples would be the same as last time is not made again: its
//! bytes are, compressed or not, a part of the last exposition.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

use super::negotiate::{Encoding, Format};
use super::{OpenMetrics, Text};
use crate::metrics::{Emitted, Exposition, Family, Inputs, Selection, Sink, View};

/// The first bytes of a gzip file without a name or a time, compressed at the fastest level by whatever system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// A last and empty block of DEFLATE.
const DEFLATE_END: [u8; 2] = [3, 0];
/// How much the buffer grows at a time, at least.
const ROOM: usize = 4 << 10;

/// An exposition in one format and encoding, and where each family stands in it.
pub(super) struct Assembly {
    whole: Bytes,
    parts: Vec<FamilyBytes>,
}

/// The bytes of one family.
struct FamilyBytes {
    family: &'static str,
    /// What its samples were made of; `None` where they are always made anew.
    inputs: Option<Inputs>,
    range: Range<usize>,
    checksum: Arc<Crc>,
    emitted: Emitted,
}

/// A format that writes to a coder.
pub(super) trait Written: Exposition + Sized {
    /// Passes on what was written so far, and lends the coder.
    fn coder(&mut self) -> io::Result<&mut Coder>;
    /// Ends the exposition.
    fn end(self) -> io::Result<Coder>;
}

impl Assembly {
    /// The exposition of a view, as far as possible of parts of the previous one.
    pub(super) fn new(
        format: Format,
        encoding: Encoding,
        view: &View<'_>,
        selection: &Selection,
        previous: Option<&Self>,
    ) -> Self {
        // Some room, since clusters grow.
        let coder = Coder::new(encoding, previous.map_or(0, |previous| previous.whole.len() * 9 / 8));
        match format {
            Format::Text => Self::write(Text::new(coder), view, selection, previous),
            Format::OpenMetrics => Self::write(OpenMetrics::new(coder), view, selection, previous),
        }
        .expect("writing to memory does not fail")
    }

    /// All of it.
    pub(super) fn whole(&self) -> &Bytes {
        &self.whole
    }

    fn write(
        mut format: impl Written,
        view: &View<'_>,
        selection: &Selection,
        previous: Option<&Self>,
    ) -> io::Result<Self> {
        let mut sink = Sink::new(selection);
        let mut parts = Vec::new();
        for family in selection.families() {
            let view = view.of(family);
            let part = match previous.and_then(|previous| previous.same(family, &view)) {
                Some((known, bytes)) => {
                    sink.count(family, known.emitted);
                    let range = format.coder()?.again(bytes, &known.checksum);
                    let (checksum, inputs) = (known.checksum.clone(), known.inputs.clone());
                    FamilyBytes { family: family.name, inputs, range, checksum, emitted: known.emitted }
                }
                None => {
                    let emitted = sink.emit(family, &view, &mut format);
                    let (range, checksum) = format.coder()?.end_part()?;
                    FamilyBytes { family: family.name, inputs: view.inputs(family), range, checksum, emitted }
                }
            };
            parts.push(part);
        }
        Ok(Self { whole: format.end()?.finish()?, parts })
    }

    /// The part of a family, if its samples would be the same in this view.
    fn same(&self, family: &Family, view: &View<'_>) -> Option<(&FamilyBytes, &[u8])> {
        let inputs = view.inputs(family)?;
        let part = self.parts.iter().find(|part| part.family == family.name)?;
        let is_same = part.inputs.as_ref().is_some_and(|known| known.is_same(&inputs));
        is_same.then(|| (part, &self.whole[part.range.clone()]))
    }
}

/// Gathers parts, compressed or not. Compressed parts know nothing of those before them, so that each can stand in any
/// exposition; together they are one gzip member, which every reader of gzip reads.
pub(super) struct Coder {
    out: Vec<u8>,
    deflate: Option<Compress>,
    part_begins: usize,
    part: Crc,
    whole: Crc,
}

impl Coder {
    fn new(encoding: Encoding, expected_bytes: usize) -> Self {
        let mut out = Vec::with_capacity(expected_bytes);
        let deflate = match encoding {
            Encoding::Identity => None,
            Encoding::Gzip => {
                out.extend(GZIP_HEAD);
                Some(Compress::new(Compression::fast(), false))
            }
        };
        Self { part_begins: out.len(), out, deflate, part: Crc::new(), whole: Crc::new() }
    }

    /// A part as it was.
    fn again(&mut self, bytes: &[u8], checksum: &Crc) -> Range<usize> {
        self.out.extend_from_slice(bytes);
        self.whole.combine(checksum);
        self.range()
    }

    /// What was written since the last part is one.
    fn end_part(&mut self) -> io::Result<(Range<usize>, Arc<Crc>)> {
        if self.part.amount() > 0 {
            self.flush()?;
        }
        let checksum = Arc::new(std::mem::take(&mut self.part));
        self.whole.combine(&checksum);
        Ok((self.range(), checksum))
    }

    /// From the end of the last part to here.
    fn range(&mut self) -> Range<usize> {
        let begins = std::mem::replace(&mut self.part_begins, self.out.len());
        begins..self.out.len()
    }

    fn finish(mut self) -> io::Result<Bytes> {
        self.end_part()?;
        if self.deflate.is_some() {
            self.out.extend(DEFLATE_END);
            self.out.extend(self.whole.sum().to_le_bytes());
            self.out.extend(self.whole.amount().to_le_bytes());
        }
        Ok(self.out.into())
    }
}

impl Write for Coder {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let Some(deflate) = &mut self.deflate else {
            self.out.extend_from_slice(text);
            return Ok(text.len());
        };
        let before = deflate.total_in();
        // Where much waits to be put out, that may take all the room there is.
        while deflate.total_in() == before && !text.is_empty() {
            self.out.reserve(ROOM);
            deflate.compress_vec(text, &mut self.out, FlushCompress::None)?;
        }
        let taken = (deflate.total_in() - before) as usize;
        self.part.update(&text[..taken]);
        Ok(taken)
    }

    /// Ends a block at a whole byte, and makes the next one know nothing of it.
    fn flush(&mut self) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else { return Ok(()) };
        loop {
            self.out.reserve(ROOM);
            deflate.compress_vec(&[], &mut self.out, FlushCompress::Full)?;
            // All of it is out when there is room left.
            if self.out.len() < self.out.capacity() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::SystemTime;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::metrics::Own;
    use crate::snapshot::{AllocationCounts, Deployments, FinishedAllocations, Sections, Snapshot};

    /// What is shown of this many namespaces with allocations and with deployments.
    fn sections(allocations: usize, deployments: usize) -> Sections {
        let mut counts = AllocationCounts::default();
        let mut all = Deployments::default();
        for number in 0..allocations {
            counts.by_namespace.entry(format!("namespace-{number}")).or_default();
        }
        for number in 0..deployments {
            all.by_namespace.entry(format!("namespace-{number}")).or_default();
        }
        Sections {
            finished_allocations: Some(Arc::new(FinishedAllocations { counts, ..Default::default() })),
            deployments: Some(all.into()),
            ..Sections::default()
        }
    }

    fn assembled(sections: Sections, variant: (Format, Encoding), previous: Option<&Assembly>) -> Assembly {
        let snapshot = Snapshot::new(SystemTime::UNIX_EPOCH, Vec::new(), sections);
        let own = Own::default();
        let view = View::new(&snapshot, &own);
        Assembly::new(variant.0, variant.1, &view, &Selection::default(), previous)
    }

    fn text(assembly: &Assembly, encoding: Encoding) -> String {
        let mut text = String::new();
        match encoding {
            Encoding::Identity => text.push_str(std::str::from_utf8(assembly.whole()).unwrap()),
            // Reads one member, and its checksum with it.
            Encoding::Gzip => drop(GzDecoder::new(&assembly.whole()[..]).read_to_string(&mut text).unwrap()),
        }
        text
    }

    fn checksum(assembly: &Assembly, family: &str) -> Arc<Crc> {
        assembly.parts.iter().find(|part| part.family == family).unwrap().checksum.clone()
    }

    /// An exposition of old and new parts reads as one that was made at once, and only what changed is new.
    #[test]
    fn parts_that_stay_are_used_again() {
        for format in [Format::Text, Format::OpenMetrics] {
            for encoding in [Encoding::Identity, Encoding::Gzip] {
                let variant = (format, encoding);
                let first = sections(3, 3);
                let before = assembled(first.clone(), variant, None);
                // The first part is much longer, and the second one stays.
                let then = Sections { finished_allocations: sections(500, 0).finished_allocations, ..first };
                let new_names = assembled(then.clone(), variant, Some(&before));
                let after = assembled(then, variant, Some(&new_names));
                let afresh = assembled(sections(500, 3), variant, None);
                assert_eq!(text(&new_names, encoding), text(&afresh, encoding));
                assert_eq!(text(&after, encoding), text(&afresh, encoding));

                let is_again =
                    |one, other, family| Arc::ptr_eq(&checksum(one, family), &checksum(other, family));
                for family in ["nomad_allocations", "nomad_deployments"] {
                    // Zeros are shown for all namespaces: with a new one everything is new.
                    assert!(!is_again(&before, &new_names, family), "{family}");
                    assert!(is_again(&new_names, &after, family), "{family}");
                }
                assert!(!is_again(&new_names, &after, "nomad_exporter_series"));
            }
        }
    }

    #[test]
    fn only_families_whose_sources_changed_are_made_anew() {
        let variant = (Format::OpenMetrics, Encoding::Gzip);
        let first = sections(3, 3);
        let before = assembled(first.clone(), variant, None);
        let deployments = sections(0, 3).deployments;
        let after = assembled(Sections { deployments, ..first }, variant, Some(&before));
        let is_again = |family| Arc::ptr_eq(&checksum(&before, family), &checksum(&after, family));
        assert!(is_again("nomad_allocations") && !is_again("nomad_deployments"));
    }
}
