//! Lists, which are folded while they are decoded. An unchanged list is not decoded. A long list is not even
//! requested if a small probe shows that it is unchanged.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::collector::Refresh;
use super::report::FetchError;
use crate::nomad::api::fold_rows;
use crate::nomad::{Client, Index, Meta, Request};
use crate::snapshot::Sections;

/// Result of folding the rows of one or several lists.
pub(super) struct Folded<F> {
    pub(super) fold: F,
    objects: u64,
    /// Data from the response headers. `None` before the first response.
    meta: Option<Meta>,
    /// Lowest Raft index of the lists, with the first token. `None` if any list has no index.
    index: Option<Index>,
}

impl<F> Folded<F> {
    /// Creates a result without any rows.
    pub(super) fn new(fold: F) -> Self {
        Self { fold, objects: 0, meta: None, index: None }
    }

    /// Returns a fold of the rows of one list.
    pub(super) fn of(fold: F, objects: u64, meta: Meta) -> Self {
        Self { fold, objects, meta: Some(meta), index: meta.index }
    }

    /// Sends the requests one after another and adds every row.
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
            let lowest = |index: Index| told.index.map(|told| index.at(index.raft().min(told.raft())));
            self = Self {
                fold,
                objects: self.objects + rows,
                index: if self.meta.is_some() { self.index.and_then(lowest) } else { told.index },
                meta: Some(self.meta.map_or(told, |meta| meta.and(told))),
            };
        }
        Ok(self)
    }

    /// Returns the data from the response headers and the number of rows.
    pub(super) fn told(&self) -> (Meta, u64) {
        (self.meta.unwrap_or_default(), self.objects)
    }

    /// Returns a Raft index that all the lists include.
    pub(super) fn index(&self) -> Option<Index> {
        self.index
    }

    /// Returns a refresh with sections built from the fold.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Sections) -> Refresh {
        let meta = self.meta.unwrap_or_default();
        Refresh { sections: sections(self.fold), objects: self.objects, meta }
    }
}

impl<F, G> Folded<(F, G)> {
    /// Separates two folds of the same rows.
    pub(super) fn split(self) -> (Folded<F>, G) {
        let Self { fold: (fold, other), objects, meta, index } = self;
        (Folded { fold, objects, meta, index }, other)
    }
}

/// Sends the requests one after another and adds every row to the fold.
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

/// Time after which a list is read again even if its index is unchanged. The same index does not always mean
/// the same list: a rebuilt cluster may reach it by coincidence. With a shorter time, these reads would be
/// most of the load on an idle cluster.
const DECODE_AFTER: Duration = Duration::from_secs(3600);

/// Number of rows from which a list counts as long. Such a list costs the servers more than the probe that
/// can avoid it.
const LONG_ROWS: u64 = 100;
/// Time to the first byte from which a list counts as long too. A filter may examine many rows and return
/// few.
const LONG_WAIT: Duration = Duration::from_millis(20);
/// Number of consecutive probes that found a changed list, after which probing stops. The list apparently
/// changes all the time, so every probe is an extra request. Probing resumes once a list is unchanged.
const MAX_IN_VAIN: u32 = 2;

/// Last response to a list request that is sent periodically. While its index is unchanged, so is the list.
/// The section built from it is then still correct, provided that its only other input, `K`, is unchanged
/// too. Before a long list is requested, a probe requests only its index.
#[derive(Debug)]
pub(super) struct Known<K> {
    last: Option<Last<K>>,
    /// Number of probes since the index was last found unchanged.
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

/// Result of requesting a list again, or of probing it.
pub(super) enum Again<F> {
    /// The list was decoded.
    New(Folded<F>),
    /// The list is unchanged: a refresh without new sections.
    Same(Box<Refresh>),
}

impl<F> Again<F> {
    /// Returns a Raft index that the decoded list includes.
    pub(super) fn index(&self) -> Option<u64> {
        match self {
            Self::New(folded) => folded.index().map(Index::raft),
            Self::Same(_) => None,
        }
    }

    /// Returns a refresh with sections built from the fold, or without sections if the list is unchanged.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Sections) -> Refresh {
        match self {
            Self::New(folded) => folded.refresh(sections),
            Self::Same(refresh) => *refresh,
        }
    }
}

impl<K: PartialEq> Known<K> {
    /// Forgets the last response, so that the next list is decoded.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Requests lists as [`fold`] does. A single list is not decoded if its index and `beside`, the other
    /// inputs of the fold, are unchanged. Several lists are always decoded. Only servers that support
    /// pagination (`pages`) are probed.
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
                Again::New(Folded::of(fold, objects, meta))
            }
            None => {
                self.in_vain = 0;
                let objects = known.map_or(0, |(_, objects)| objects);
                Again::Same(Box::new(Refresh { objects, meta, ..Refresh::default() }))
            }
        })
    }

    /// Requests only the index of a list, if that may avoid requesting the list. Returns a refresh without
    /// new sections if the list is unchanged.
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
        // The servers built no list, so the refresh cost them no time.
        let meta = Meta { served: Duration::ZERO, ..meta };
        Ok(Some(Refresh { objects, meta, ..Refresh::default() }))
    }

    /// Remembers a decoded list.
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
