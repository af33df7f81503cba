//! A guard whose lock is kept while its work is awaited.

use std::future::Future;
use std::pin::pin;

use crate::hold::guard::Lock;
use crate::run::gate::Gate;
use crate::values::error::LockError;
use crate::values::options::{KeepAlive, OnLost};

// Not in `guard`, which knows nothing of what runs under its lock.
impl Lock {
    /// Awaits `work` while the lease is extended every half `at_most`, and drops it if the lock is lost.
    ///
    /// For as long as it takes `work` holds the lock as a task does: `lock_assert!` passes in it, and
    /// [`lock::lost`](crate::lock::lost) tells it. The extensions are made by the task that awaits, so that they end with it:
    /// of a guard or a future that was forgotten nothing remains, and the store frees the lock. The guard still holds the
    /// lock afterwards.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Lost`](crate::ErrorKind::Lost) if the lock was lost, and [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown) if the process shuts down: `work` was dropped.
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `at_most` is under 300 ms; `work` was not begun.
    ///
    /// # Cancel safety
    ///
    /// A dropped call drops `work`; the guard keeps the lock until its lease ends.
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
        // On the heap, as a task of an executor is.
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
                (work, |_| false),
                self.state(),
                OnLost::Cancel,
                period.period(at_most),
            )
            .looking_first()
            .await
        }
    }
}
