//! The trait of collectors. A collector owns its state and declares the sections of other collectors that it
//! reads.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use super::context::Context;
use super::observers::Observers;
use super::report::FetchError;
use super::store::Store;
use crate::nomad::Meta;
use crate::snapshot::{CollectorId, Section, Sections};

/// A collector, which reads one kind of data from Nomad periodically.
pub(super) trait Collect: Upstream + Send + Sized + 'static {
    /// Creates a collector without data. Also called after a panic.
    fn new(observers: &Observers) -> Self;

    /// Reads the data once. After an error, the sections of the last success are kept until they expire.
    fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> impl Future<Output = Result<Refresh, FetchError>> + Send;
}

/// Result of a refresh.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    /// New sections of this collector. Sections that are absent here are unchanged.
    pub(super) sections: Sections,
    /// Number of rows read.
    pub(super) objects: u64,
    /// Data from the response headers.
    pub(super) meta: Meta,
}

/// Dependencies of a collector. Implemented by [`reads!`].
pub(super) trait Upstream {
    /// Collectors whose sections it reads. They come before it in the table.
    const COLLECTORS: &'static [CollectorId];
}

/// Marker for a section that a collector may read. Implemented by [`reads!`], together with [`Upstream`].
pub(super) trait Reads<T: Section>: Upstream {}

/// Declares the sections of other collectors that a collector reads.
macro_rules! reads {
    ($collector:ty: $($section:ty),*) => {
        impl $crate::collect::collector::Upstream for $collector {
            const COLLECTORS: &'static [$crate::snapshot::CollectorId] =
                &[$($crate::collect::collector::only(<$section as $crate::snapshot::Section>::COLLECTORS)),*];
        }
        $(impl $crate::collect::collector::Reads<$section> for $collector {})*
    };
}
pub(super) use reads;

/// Returns the only collector of a section. Sections of several collectors are joins, which collectors do not
/// read.
pub(super) const fn only(collectors: &[CollectorId]) -> CollectorId {
    assert!(collectors.len() == 1, "collectors read sections of one collector");
    collectors[0]
}

/// Access to the newest sections that collector `C` reads.
pub(super) struct Newest<'a, C> {
    store: &'a Store,
    reader: PhantomData<fn(C)>,
}

impl<'a, C> Newest<'a, C> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store, reader: PhantomData }
    }

    /// Returns the newest section of this type, or `None` if it is unknown. Waits for the first refresh of
    /// its collector.
    pub(super) async fn get<T: Section>(&self) -> Option<Arc<T>>
    where
        C: Reads<T>,
    {
        T::of(&self.store.newest(only(T::COLLECTORS)).await).cloned()
    }

    /// Waits while the section's collector is being refreshed, and briefly if a refresh is about to begin, so
    /// that later requests return newer data.
    pub(super) async fn settled<T: Section>(&self)
    where
        C: Reads<T>,
    {
        self.store.settled(only(T::COLLECTORS)).await;
    }

    /// Like [`get`](Self::get), but an unknown section is an error.
    pub(super) async fn need<T: Section>(&self) -> Result<Arc<T>, FetchError>
    where
        C: Reads<T>,
    {
        self.get().await.ok_or(FetchError::Needs(only(T::COLLECTORS)))
    }
}

/// A type-erased collector.
pub(super) trait AnyCollector: Send {
    /// Refreshes it once.
    fn refresh<'a>(&'a mut self, context: &'a Arc<Context>, store: &'a Store) -> Refreshing<'a>;
}

/// A refresh in progress.
pub(super) type Refreshing<'a> = Pin<Box<dyn Future<Output = Result<Refresh, FetchError>> + Send + 'a>>;

impl<C: Collect> AnyCollector for C {
    fn refresh<'a>(&'a mut self, context: &'a Arc<Context>, store: &'a Store) -> Refreshing<'a> {
        Box::pin(async move { self.collect(context, &Newest::of(store)).await })
    }
}
