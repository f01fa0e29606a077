//! What a collector is: a type that owns its state and names the sections of other collectors that it reads.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use super::context::Context;
use super::observers::Observers;
use super::report::FetchError;
use super::store::Store;
use crate::nomad::Meta;
use crate::snapshot::{CollectorId, Section, Sections};

/// Reads one thing from Nomad, again and again.
pub(super) trait Collect: Upstream + Send + Sized + 'static {
    /// A collector that has read nothing yet. It is also made anew after a panic.
    fn new(observers: &Observers) -> Self;

    /// Reads it once. After an error the sections of the last success stay in place until they expire.
    fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> impl Future<Output = Result<Refresh, FetchError>> + Send;
}

/// What one refresh of a collector read.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    /// The sections of this collector that are new; one that is left out is as it was.
    pub(super) sections: Sections,
    /// Rows read.
    pub(super) objects: u64,
    /// What the answers' headers told.
    pub(super) meta: Meta,
}

/// The collectors that a collector depends on. [`reads!`] implements it.
pub(super) trait Upstream {
    /// Those whose sections it reads. They stand before it in the table.
    const COLLECTORS: &'static [CollectorId];
}

/// Marks a section that a collector may read. [`reads!`] implements it, beside [`Upstream`].
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

/// The one collector that a section is made of: what is made of several is a join, and no collector reads those.
pub(super) const fn only(collectors: &[CollectorId]) -> CollectorId {
    assert!(collectors.len() == 1, "collectors read sections of one collector");
    collectors[0]
}

/// The newest sections of those that the collector `C` reads.
pub(super) struct Newest<'a, C> {
    store: &'a Store,
    reader: PhantomData<fn(C)>,
}

impl<'a, C> Newest<'a, C> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store, reader: PhantomData }
    }

    /// The newest section of this type, once its collector was tried for the first time; `None` if it is not known.
    pub(super) async fn get<T: Section>(&self) -> Option<Arc<T>>
    where
        C: Reads<T>,
    {
        T::of(&self.store.newest(only(T::COLLECTORS)).await).cloned()
    }

    /// Waits while the section's collector is being refreshed, for a moment if it is about to be: what is read after
    /// that is younger.
    pub(super) async fn settled<T: Section>(&self)
    where
        C: Reads<T>,
    {
        self.store.settled(only(T::COLLECTORS)).await;
    }

    /// The same for a collector that cannot do without it.
    pub(super) async fn need<T: Section>(&self) -> Result<Arc<T>, FetchError>
    where
        C: Reads<T>,
    {
        self.get().await.ok_or(FetchError::Needs(only(T::COLLECTORS)))
    }
}

/// A collector of any type.
pub(super) trait AnyCollector: Send {
    /// Reads it once.
    fn refresh<'a>(&'a mut self, context: &'a Arc<Context>, store: &'a Store) -> Refreshing<'a>;
}

/// A refresh under way.
pub(super) type Refreshing<'a> = Pin<Box<dyn Future<Output = Result<Refresh, FetchError>> + Send + 'a>>;

impl<C: Collect> AnyCollector for C {
    fn refresh<'a>(&'a mut self, context: &'a Arc<Context>, store: &'a Store) -> Refreshing<'a> {
        Box::pin(async move { self.collect(context, &Newest::of(store)).await })
    }
}
