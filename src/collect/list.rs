//! Lists, folded while they are decoded; and not decoded at all while nothing in them changed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::fold_rows;
use crate::nomad::{Client, Meta, Request};

/// What became of the rows of one or several lists.
pub(super) struct Folded<F> {
    pub(super) fold: F,
    objects: u64,
    meta: Meta,
}

impl<F> Folded<F> {
    /// A refresh that replaces the sections made of the fold.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Vec<Section>) -> Refresh {
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
    let (mut objects, mut meta) = (0, Meta::default());
    for request in requests {
        let ((folded, rows), told) = client.fetch(request, fold_rows(fold, add)).await?;
        fold = folded;
        objects += rows;
        meta = meta.or_older(told);
    }
    Ok(Folded { fold, objects, meta })
}

/// After how long an answer is decoded again although its index stayed, should an index ever lie: a cluster that was
/// built anew may happen to reach the same one.
const DECODE_AFTER: Duration = Duration::from_secs(600);

/// The last answer to a request that is sent again and again. As long as its index stays, so does what it says, and
/// the section that was made of it is still right if it was made of nothing else but `K`.
#[derive(Debug)]
pub(super) struct Known<K>(Mutex<Option<Last<K>>>);

#[derive(Debug)]
struct Last<K> {
    index: u64,
    objects: u64,
    beside: K,
    decoded: Instant,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A list that was asked for again.
pub(super) enum Again<F> {
    /// It was decoded.
    New(Folded<F>),
    /// It is as it was: a refresh that renews this section.
    Same(Refresh),
}

impl<F> Again<F> {
    /// A refresh that replaces the sections made of the fold, or renews the one that stayed.
    pub(super) fn refresh(self, sections: impl FnOnce(F) -> Vec<Section>) -> Refresh {
        match self {
            Self::New(folded) => folded.refresh(sections),
            Self::Same(refresh) => refresh,
        }
    }
}

impl<K: PartialEq> Known<K> {
    /// Asks as [`fold`] does, for one list. It is known only if what the fold is made of `beside` is as it was;
    /// `same` is the section to renew then.
    pub(super) async fn fold<R, F>(
        &self,
        client: &Client,
        request: Request,
        beside: K,
        fold: F,
        add: impl Fn(&mut F, R) + Copy + Send + 'static,
        same: Section,
    ) -> Result<Again<F>, FetchError>
    where
        R: DeserializeOwned + 'static,
        F: Send + 'static,
    {
        let known = self.last(|last| {
            let last = last.as_ref().filter(|last| last.beside == beside)?;
            (last.decoded.elapsed() < DECODE_AFTER).then_some((last.index, last.objects))
        });
        let index = known.map(|(index, _)| index);
        let (folded, meta) = client.fetch_unless_known(request, index, fold_rows(fold, add)).await?;
        Ok(match folded {
            Some((fold, objects)) => {
                let decoded = Instant::now();
                self.last(|last| *last = meta.index.map(|index| Last { index, objects, beside, decoded }));
                Again::New(Folded { fold, objects, meta })
            }
            None => {
                let objects = known.map_or(0, |(_, objects)| objects);
                Again::Same(Refresh { sections: vec![same], objects, meta })
            }
        })
    }

    fn last<T>(&self, with: impl FnOnce(&mut Option<Last<K>>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
