// SPDX-License-Identifier: GPL-2.0-only

//! As many things at a time as there are CPUs.

use anyhow::Result;
use std::{
    panic,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Does it to each of them, begun in their order, and returns what comes of each in that order.
///
/// # Errors
///
/// The first that any of them has; what is running by then is waited for.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(n) else {
                return Ok(());
            };
            let result = work(item).inspect_err(|_| next.store(items.len(), Ordering::Relaxed))?;
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((n, result));
        }
    };
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cpus).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|why| panic::resume_unwind(why))
        })
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(n, _)| *n);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;

    #[test]
    fn order_is_kept_and_an_error_ends_it() {
        let items: Vec<_> = (0..100).collect();
        let doubled = each(&items, |n| Ok(2 * n)).unwrap();
        assert_eq!(doubled, (0..100).map(|n| 2 * n).collect::<Vec<_>>());

        let begun = AtomicUsize::new(0);
        let failed = each(&items, |_| {
            ensure!(begun.fetch_add(1, Ordering::Relaxed) > 0, "the first");
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        });
        assert_eq!(failed.unwrap_err().to_string(), "the first");
        assert!(begun.into_inner() < items.len());
    }
}
