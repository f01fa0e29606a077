//! Concurrent requests, for example one per node.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Runs a task for each item, at most `limit` concurrently, and passes each result to `done`, in no
/// particular order. The starts are spread evenly over `spread`; zero starts them as soon as possible. After
/// the first error, no more tasks start. Running ones end by themselves: a canceled request would lose its
/// connection, and count as timed out.
pub(super) async fn each<I, T, E, F>(
    items: Vec<I>,
    limit: usize,
    spread: Duration,
    task: impl Fn(I) -> F,
    mut done: impl FnMut(T),
) -> Result<(), E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut running = JoinSet::new();
    let mut result = Ok(());
    let (started, step) = (Instant::now(), spread.div_f64(items.len().max(1) as f64));
    for (position, item) in items.into_iter().enumerate() {
        if running.len() >= limit.max(1) {
            result = finish(running.join_next().await, &mut done);
            if result.is_err() {
                break;
            }
        }
        if !step.is_zero() {
            sleep_until(started + step.mul_f64(position as f64)).await;
        }
        running.spawn(task(item));
    }
    while !running.is_empty() {
        let ended = finish(running.join_next().await, &mut done);
        result = result.and(ended);
    }
    result
}

fn finish<T, E>(
    ended: Option<Result<Result<T, E>, tokio::task::JoinError>>,
    done: &mut impl FnMut(T),
) -> Result<(), E> {
    match ended {
        Some(Ok(result)) => result.map(done),
        // Only the end of the program cancels requests.
        Some(Err(error)) if error.is_cancelled() => Ok(()),
        Some(Err(error)) => {
            tracing::error!(%error, "a request to a client panicked; please report this");
            Ok(())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Returns when each task began, in milliseconds. Each item is the duration of its task.
    async fn beginnings(items: Vec<u64>, limit: usize, spread: u64) -> Vec<u128> {
        let started = Instant::now();
        let task = |takes| async move {
            let began = started.elapsed().as_millis();
            tokio::time::sleep(Duration::from_millis(takes)).await;
            Ok::<_, Infallible>(began)
        };
        let mut all = Vec::new();
        each(items, limit, Duration::from_millis(spread), task, |began| all.push(began)).await.unwrap();
        all.sort_unstable();
        all
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_begin_evenly_over_the_spread() {
        assert_eq!(beginnings(vec![1; 5], 2, 1000).await, [0, 200, 400, 600, 800]);
        assert_eq!(beginnings(vec![1; 5], 5, 0).await, [0; 5]);
        assert_eq!(beginnings(Vec::new(), 5, 1000).await, [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_error_running_tasks_end_and_no_more_start() {
        let task = |takes| async move {
            tokio::time::sleep(Duration::from_millis(takes)).await;
            if takes == 10 { Err("failed") } else { Ok(takes) }
        };
        let mut ended = Vec::new();
        let result = each(vec![10, 30, 20, 40], 2, Duration::ZERO, task, |takes| ended.push(takes)).await;
        assert_eq!((result, ended), (Err("failed"), vec![30]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_delays_no_other() {
        assert_eq!(beginnings(vec![3000, 1, 1, 1, 1], 2, 1000).await, [0, 200, 400, 600, 800]);
    }
}
