//! Lists, folded while they are decoded; not decoded while nothing in them changed, and not even asked for if something
//! shorter shows that.

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
    /// What the answers told, once there is one.
    meta: Option<Meta>,
    /// The lowest Raft index of the lists, if each has one.
    index: Option<u64>,
}

impl<F> Folded<F> {
    /// Nothing was asked yet.
    pub(super) fn new(fold: F) -> Self {
        Self { fold, objects: 0, meta: None, index: None }
    }

    /// What was made of rows that are known.
    pub(super) fn of(fold: F, objects: u64, meta: Meta) -> Self {
        Self { fold, objects, meta: Some(meta), index: meta.index.map(Index::raft) }
    }

    /// Asks one request after the other and adds every row.
    pub(super) async fn and<R>(
        mut self,
        client: &Client,
        requests: Vec<Request>,
        add: impl Fn(&mut F, R) + Copy + Send + 'static,
    ) -> Result<Self, FetchError>
    where
        R: DeserializeOwned + 'static,
        F: Send + 'static,
    {
        for request in requests {
            let ((fold, rows), told) = client.fetch(request, fold_rows(self.fold, add)).await?;
            let index = told.index.map(Index::raft);
            self = Self {
                fold,
                objects: self.objects + rows,
                index: if self.meta.is_some() { self.index.min(index) } else { index },
                meta: Some(self.meta.map_or(told, |meta| meta.and(told))),
            };
        }
        Ok(self)
    }

    /// What is known of what was read: what the answers told, and how many rows there were.
    pub(super) fn told(&self) -> (Meta, u64) {
        (self.meta.unwrap_or_default(), self.objects)
    }

    /// The Raft index that what was read has at least.
    pub(super) fn index(&self) -> Option<u64> {
        self.index
    }

    /// A refresh with the sections made of the fold.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Sections) -> Refresh {
        let meta = self.meta.unwrap_or_default();
        Refresh { sections: sections(self.fold), objects: self.objects, meta }
    }
}

impl<F, G> Folded<(F, G)> {
    /// Takes two folds of the same rows apart.
    pub(super) fn split(self) -> (Folded<F>, G) {
        let Self { fold: (fold, other), objects, meta, index } = self;
        (Folded { fold, objects, meta, index }, other)
    }
}

/// Asks one request after the other and adds every row to the fold.
pub(super) async fn fold<R, F>(
    client: &Client,
    requests: Vec<Request>,
    fold: F,
    add: impl Fn(&mut F, R) + Copy + Send + 'static,
) -> Result<Folded<F>, FetchError>
where
    R: DeserializeOwned + 'static,
    F: Send + 'static,
{
    Folded::new(fold).and(client, requests, add).await
}

/// After how long a list is read again although its index stayed, should an index ever lie: a cluster that was built
/// anew may happen to reach the same one. More often, and it would be most of what a cluster at rest is asked for.
const DECODE_AFTER: Duration = Duration::from_secs(3600);

/// From so many rows on, a list is long: it costs the servers more than the probe that may spare it.
const LONG_ROWS: u64 = 100;
/// Or if the answer took so long to begin: a filter may have looked at many rows to send few.
const LONG_WAIT: Duration = Duration::from_millis(20);
/// After so many probes in a row that spared no list, something changes all the time, and each costs a request. There
/// are none until a list is as it was.
const MAX_IN_VAIN: u32 = 2;

/// The last answer to a request that is sent again and again. As long as its index stays, so does what it says, and
/// the section that was made of it is still right if it was made of nothing else but `K`. Before a long list, a probe
/// asks for the index alone.
#[derive(Debug)]
pub(super) struct Known<K> {
    last: Option<Last<K>>,
    /// Probes since the index was last as it had been.
    in_vain: u32,
}

#[derive(Debug)]
struct Last<K> {
    index: Index,
    objects: u64,
    beside: K,
    decoded: Instant,
    is_long: bool,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self { last: None, in_vain: 0 }
    }
}

/// A list that was asked for again, or about.
pub(super) enum Again<F> {
    /// It was decoded.
    New(Folded<F>),
    /// It is as it was: a refresh without a new section.
    Same(Box<Refresh>),
}

impl<F> Again<F> {
    /// The Raft index that what was decoded has at least.
    pub(super) fn index(&self) -> Option<u64> {
        match self {
            Self::New(folded) => folded.index(),
            Self::Same(_) => None,
        }
    }

    /// A refresh with the sections made of the fold, or without any if they are as they were.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Sections) -> Refresh {
        match self {
            Self::New(folded) => folded.refresh(sections),
            Self::Same(refresh) => *refresh,
        }
    }
}

impl<K: PartialEq> Known<K> {
    /// Forgets the list: the next one is decoded.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Requests lists as [`fold`] does. A single list is known if its index and `beside`, the other inputs of the fold,
    /// have not changed; several lists are always read. Servers that know `pages` can be probed.
    pub(super) async fn fold<R, F>(
        &mut self,
        client: &Client,
        requests: Vec<Request>,
        pages: bool,
        beside: K,
        fold: F,
        add: impl Fn(&mut F, R) + Copy + Send + 'static,
    ) -> Result<Again<F>, FetchError>
    where
        R: DeserializeOwned + 'static,
        F: Send + 'static,
    {
        let [request] = match <[Request; 1]>::try_from(requests) {
            Ok(one) => one,
            Err(requests) => return Ok(Again::New(Folded::new(fold).and(client, requests, add).await?)),
        };
        if let Some(same) = self.probe(client, &request, pages, &beside).await? {
            return Ok(Again::Same(Box::new(same)));
        }
        let known = self.known(&beside).map(|last| (last.index, last.objects));
        let index = known.map(|(index, _)| index);
        let (folded, meta) = client.fetch_unless_known(request, index, fold_rows(fold, add)).await?;
        Ok(match folded {
            Some((fold, objects)) => {
                self.remember(meta, objects, beside);
                let index = meta.index.map(Index::raft);
                Again::New(Folded { fold, objects, index, meta: Some(meta) })
            }
            None => {
                self.in_vain = 0;
                let objects = known.map_or(0, |(_, objects)| objects);
                Again::Same(Box::new(Refresh { objects, meta, ..Refresh::default() }))
            }
        })
    }

    /// Asks for the index of a list, if that may spare the list. Returns a refresh without a new section if it does.
    pub(super) async fn probe(
        &mut self,
        client: &Client,
        list: &Request,
        pages: bool,
        beside: &K,
    ) -> Result<Option<Refresh>, FetchError> {
        let known = self.known(beside).filter(|last| last.is_long);
        let Some((index, objects)) = known.map(|last| (last.index, last.objects)) else { return Ok(None) };
        if !pages || self.in_vain >= MAX_IN_VAIN {
            return Ok(None);
        }
        let meta = client.meta(list.clone().probe()).await?;
        if meta.index != Some(index) {
            self.in_vain += 1;
            return Ok(None);
        }
        self.in_vain = 0;
        // The servers did not take the time of a list.
        let meta = Meta { served: Duration::ZERO, ..meta };
        Ok(Some(Refresh { objects, meta, ..Refresh::default() }))
    }

    /// Takes in what was decoded.
    pub(super) fn remember(&mut self, meta: Meta, objects: u64, beside: K) {
        let is_long = objects >= LONG_ROWS || meta.served >= LONG_WAIT;
        let decoded = Instant::now();
        self.last = meta.index.map(|index| Last { index, objects, beside, decoded, is_long });
    }

    fn known(&self, beside: &K) -> Option<&Last<K>> {
        let last = self.last.as_ref().filter(|last| last.beside == *beside);
        last.filter(|last| last.decoded.elapsed() < DECODE_AFTER)
    }
}
