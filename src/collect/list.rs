//! Lists, folded while they are decoded; and not decoded at all while nothing in them changed.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::collector::Refresh;
use super::report::FetchError;
use crate::nomad::api::fold_rows;
use crate::nomad::{Client, Index, Meta, Request};
use crate::snapshot::Sections;

/// What became of the rows of one or several lists.
pub(super) struct Folded<F> {
    pub(super) fold: F,
    objects: u64,
    meta: Meta,
}

impl<F> Folded<F> {
    /// The Raft index of the list, if it was one.
    pub(super) fn index(&self) -> Option<u64> {
        self.meta.index.map(Index::raft)
    }

    /// A refresh with the sections made of the fold.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Sections) -> Refresh {
        Refresh { sections: sections(self.fold), objects: self.objects, meta: self.meta }
    }
}

/// Asks one request after the other and adds every row to the fold.
pub(super) async fn fold<R, F>(
    client: &Client,
    requests: Vec<Request>,
    mut fold: F,
    add: impl Fn(&mut F, R) + Copy + Send + 'static,
) -> Result<Folded<F>, FetchError>
where
    R: DeserializeOwned + 'static,
    F: Send + 'static,
{
    let (mut objects, mut meta) = (0, None::<Meta>);
    for request in requests {
        let ((folded, rows), told) = client.fetch(request, fold_rows(fold, add)).await?;
        fold = folded;
        objects += rows;
        meta = Some(meta.map_or(told, |meta| meta.or_older(told)));
    }
    Ok(Folded { fold, objects, meta: meta.unwrap_or_default() })
}

/// After how long an answer is decoded again although its index stayed, should an index ever lie: a cluster that was
/// built anew may happen to reach the same one.
const DECODE_AFTER: Duration = Duration::from_secs(600);

/// The last answer to a request that is sent again and again. As long as its index stays, so does what it says, and
/// the section that was made of it is still right if it was made of nothing else but `K`.
#[derive(Debug)]
pub(super) struct Known<K>(Option<Last<K>>);

#[derive(Debug)]
struct Last<K> {
    index: Index,
    objects: u64,
    beside: K,
    decoded: Instant,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(None)
    }
}

/// A list that was asked for again.
pub(super) enum Again<F> {
    /// It was decoded.
    New(Folded<F>),
    /// It is as it was: a refresh without a new section.
    Same(Box<Refresh>),
}

impl<F> Again<F> {
    /// A refresh with the sections made of the fold, or without any if they are as they were.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Sections) -> Refresh {
        match self {
            Self::New(folded) => folded.refresh(sections),
            Self::Same(refresh) => *refresh,
        }
    }
}

impl<K: PartialEq> Known<K> {
    /// Asks as [`fold`] does, for one list. It is known only if what the fold is made of `beside` is as it was.
    pub(super) async fn fold<R, F>(
        &mut self,
        client: &Client,
        request: Request,
        beside: K,
        fold: F,
        add: impl Fn(&mut F, R) + Copy + Send + 'static,
    ) -> Result<Again<F>, FetchError>
    where
        R: DeserializeOwned + 'static,
        F: Send + 'static,
    {
        let known = self.0.as_ref().filter(|last| last.beside == beside);
        let known = known.filter(|last| last.decoded.elapsed() < DECODE_AFTER);
        let known = known.map(|last| (last.index, last.objects));
        let index = known.map(|(index, _)| index);
        let (folded, meta) = client.fetch_unless_known(request, index, fold_rows(fold, add)).await?;
        Ok(match folded {
            Some((fold, objects)) => {
                let decoded = Instant::now();
                self.0 = meta.index.map(|index| Last { index, objects, beside, decoded });
                Again::New(Folded { fold, objects, meta })
            }
            None => {
                let objects = known.map_or(0, |(_, objects)| objects);
                Again::Same(Box::new(Refresh { objects, meta, ..Refresh::default() }))
            }
        })
    }
}
