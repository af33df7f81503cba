//! Extends the lease of a guard's lock while work is awaited.

use std::future::Future;
use std::pin::pin;

use crate::hold::guard::Lock;
use crate::run::gate::Gate;
use crate::values::error::LockError;
use crate::values::options::{KeepAlive, OnLost};

// Not in `hold::guard`: the layer of the guard does not know what runs under a lock.
impl Lock {
    /// Awaits `work` and extends the lease meanwhile. `work` is dropped if the lock is lost.
    ///
    /// The lease is extended at the period that the configuration sets for keep-alive, or else each time that half of `at_most` has passed.
    ///
    /// While `work` runs, `work` holds the lock as a locked function does: `lock_assert!` passes inside `work`, and
    /// [`lock::lost`](crate::lock::lost) resolves when the lock is lost. When the call returns `Ok`, the guard still holds the lock.
    ///
    /// The end of `work` is not the end of the run: [`complete`](Self::complete) marks a slot, instant or step as done, and
    /// [`unlock`](Self::unlock) does not.
    ///
    /// The extensions are part of the task that awaits this call, so no extension outlives that task. If the guard or the future is
    /// forgotten, nothing extends the lease, and the store frees the lock when the lease ends.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Lost`](crate::ErrorKind::Lost) if the lock was lost; `work` was dropped.
    /// - [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown) if the process shuts down; `work` was dropped.
    /// - [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `at_most` is shorter than 300 ms; `work` did not begin.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, `work` is dropped as well. The guard holds the lock until the lease ends.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// # use std::time::Duration;
    /// # use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
    /// # let provider = InMemoryLockProvider::new();
    /// if let Some(mut lock) = provider.try_lock(LockConfiguration::new("import", "1m")?).await? {
    ///     lock.keep_alive(async { tokio::time::sleep(Duration::from_secs(3600)).await }).await?;
    ///     assert!(lock.is_held());
    ///     lock.unlock().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep_alive<F: Future>(
        &mut self,
        work: F,
    ) -> impl Future<Output = Result<F::Output, LockError>> {
        // On the heap, so that the future of this call does not contain `work` twice; see `LockingTaskExecutor`.
        let work = Box::pin(work);
        async move {
            let at_most = self.state().at_most();
            let period = match self.state().keep_alive() {
                KeepAlive::Off => KeepAlive::HalfLease,
                chosen => chosen,
            };
            period.check(at_most)?;
            let work = pin!(Some(work));
            Gate::new(
                (work, |_: &_| None),
                self.state(),
                OnLost::Cancel,
                period.period(at_most),
            )
            .for_part_of_run()
            .await
        }
    }
}
