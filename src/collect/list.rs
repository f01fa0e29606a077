//! Lists, folded while they are decoded.

use serde::de::DeserializeOwned;

use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::each_row;
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
    R: DeserializeOwned,
    F: Send + 'static,
{
    let (mut objects, mut meta) = (0, Meta::default());
    for request in requests {
        let decode = move |body| {
            let rows = each_row(body, |row: R| add(&mut fold, row))?;
            Ok((fold, rows))
        };
        let ((folded, rows), told) = client.fetch(request, decode).await?;
        fold = folded;
        objects += rows;
        meta = meta.or_older(told);
    }
    Ok(Folded { fold, objects, meta })
}
