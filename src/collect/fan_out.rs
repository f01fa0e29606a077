//! One request for each of several nodes.

use tokio::task::JoinSet;

/// Runs a task for each item, at most `limit` at once, and hands over what each yields, in no order. The first
/// error ends them all.
pub(super) async fn each<I, T, E, F>(
    items: impl IntoIterator<Item = I>,
    limit: usize,
    task: impl Fn(I) -> F,
    mut done: impl FnMut(T),
) -> Result<(), E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut running = JoinSet::new();
    for item in items {
        if running.len() >= limit.max(1) {
            finish(running.join_next().await, &mut done)?;
        }
        running.spawn(task(item));
    }
    while !running.is_empty() {
        finish(running.join_next().await, &mut done)?;
    }
    Ok(())
}

fn finish<T, E>(
    ended: Option<Result<Result<T, E>, tokio::task::JoinError>>,
    done: &mut impl FnMut(T),
) -> Result<(), E> {
    match ended {
        Some(Ok(result)) => result.map(done),
        Some(Err(error)) => {
            tracing::error!(%error, "a request to a node ended in a bug");
            Ok(())
        }
        None => Ok(()),
    }
}
