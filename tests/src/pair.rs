//! A Rust node and a JVM node that share locks, and what each must grant and refuse while the other one is there.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockProvider, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::servers::Unavailable;
use tokio::time::sleep;

use crate::fuzz::mixed_contenders_never_overlap;
use crate::jvm::{JavaClock, JavaNode, JavaPeer, NodeOptions};

/// Longer than a test takes.
pub const LONG: Duration = Duration::from_mins(10);
/// Is waited for.
pub const SHORT: Duration = Duration::from_secs(2);
/// No time at all.
pub const NONE: Duration = Duration::ZERO;
const ACQUISITIONS: usize = 2000;

/// A node of each kind on one store. The checks take locks of names of their own, under the JVM node's ids from 1 to 9.
pub struct Pair {
    /// The published ShedLock.
    pub java: JavaNode,
    /// The node of ours.
    pub rust: Arc<dyn LockProvider>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    /// Starts the JVM node beside `rust`. The project of the JVM node is built into `target`.
    ///
    /// # Errors
    ///
    /// As [`JavaPeer::build`].
    ///
    /// # Panics
    ///
    /// As [`JavaPeer::build`] and [`JavaPeer::start`].
    ///
    /// # Cancel safety
    ///
    /// As [`JavaPeer::start`].
    pub async fn start(
        target: &Path,
        url: String,
        table: &str,
        rust: impl LockProvider,
    ) -> Result<Self, Unavailable> {
        let peer = JavaPeer::build(target).await?;
        let options = NodeOptions {
            url,
            table: table.to_owned(),
            clock: JavaClock::ForcedUtc,
            zone: "Asia/Tokyo".to_owned(),
        };
        Ok(Self {
            java: peer.start(&options).await,
            rust: Arc::new(rust),
        })
    }

    /// Has the Rust node ask once for the lock `name`.
    ///
    /// # Panics
    ///
    /// If the store fails.
    ///
    /// # Cancel safety
    ///
    /// As [`try_lock`](shedlock_runtime::LockProviderExt::try_lock).
    pub async fn rust_lock(
        &self,
        name: &str,
        at_most: Duration,
        at_least: Duration,
    ) -> Option<Lock> {
        let config = LockConfiguration::new(name, at_most).unwrap();
        let config = config.with_at_least(at_least).unwrap();
        self.rust.try_lock(config).await.unwrap()
    }

    /// Each side skips the lock `name` while the other one holds it.
    ///
    /// # Panics
    ///
    /// If it is not so.
    ///
    /// # Cancel safety
    ///
    /// Locks may stay taken until their leases end.
    pub async fn each_side_skips_while_the_other_holds(&self, name: &str) {
        let java = &self.java;
        assert!(java.lock("1", name, LONG, NONE).await);
        assert!(self.rust_lock(name, LONG, NONE).await.is_none());
        java.unlock("1").await;
        let mut lock = self.rust_lock(name, LONG, NONE).await.unwrap();
        assert!(!java.lock("2", name, LONG, NONE).await);
        lock.extend(LONG * 2, NONE).await.unwrap();
        assert!(!java.lock("2", name, LONG, NONE).await);
        assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
        assert!(java.lock("2", name, LONG, NONE).await);
    }

    /// Each side leaves a lock taken for the `at_least` of the other one.
    ///
    /// # Panics
    ///
    /// If it is not so.
    ///
    /// # Cancel safety
    ///
    /// Locks may stay taken until their leases end.
    pub async fn each_side_honours_the_at_least_of_the_other(&self) {
        let java = &self.java;
        assert!(java.lock("3", "least-jvm", LONG, LONG).await);
        java.unlock("3").await;
        assert!(self.rust_lock("least-jvm", LONG, NONE).await.is_none());
        let lock = self.rust_lock("least-rust", LONG, LONG).await.unwrap();
        assert_eq!(lock.unlock().await.unwrap(), Ownership::Ours);
        assert!(!java.lock("4", "least-rust", LONG, NONE).await);
    }

    /// Each side takes over what the other one let run out, and a late release of ours frees nothing.
    ///
    /// # Panics
    ///
    /// If it is not so.
    ///
    /// # Cancel safety
    ///
    /// Locks may stay taken until their leases end.
    pub async fn each_side_takes_over_after_expiry(&self) {
        let (name, java) = ("expiry", &self.java);
        assert!(java.lock("5", name, SHORT, NONE).await);
        sleep(SHORT + Duration::from_millis(50)).await;
        let lock = self.rust_lock(name, SHORT, NONE).await.unwrap();
        sleep(SHORT + Duration::from_millis(50)).await;
        assert!(java.lock("6", name, LONG, NONE).await);
        // Late, it finds the JVM's name in place of its own.
        assert_eq!(lock.unlock().await.unwrap(), Ownership::Lost);
        assert!(self.rust_lock(name, LONG, NONE).await.is_none());
    }

    /// JVM nodes see a lock with a position as any other, and leave the position as it is. Returns the fencing tokens of the two runs.
    ///
    /// # Panics
    ///
    /// If it is not so.
    ///
    /// # Cancel safety
    ///
    /// Locks may stay taken until their leases end.
    pub async fn a_jvm_run_leaves_the_position(&self) -> [Option<u64>; 2] {
        let (name, java) = ("chain", &self.java);
        let step = |number| {
            LockConfiguration::new(name, LONG)
                .unwrap()
                .with_step(number)
                .unwrap()
        };
        let first = self.rust.try_lock(step(1)).await.unwrap().unwrap();
        let token = first.fencing_token();
        assert!(!java.lock("7", name, LONG, NONE).await);
        assert_eq!(first.complete().await.unwrap(), Ownership::Ours);
        assert!(java.lock("7", name, LONG, NONE).await);
        java.unlock("7").await;
        let again = self.rust.lock(step(1)).await.unwrap().unwrap_err();
        assert_eq!(again.reason, SkipReason::AlreadyRan);
        let second = self.rust.try_lock(step(2)).await.unwrap().unwrap();
        [token, second.fencing_token()]
    }

    /// ShedLock releases on condition of the name alone, as the READMEs of the providers say: what a JVM node releases late is free, and
    /// our holder is told.
    ///
    /// # Panics
    ///
    /// If it is not so.
    ///
    /// # Cancel safety
    ///
    /// Locks may stay taken until their leases end.
    pub async fn a_late_jvm_release_frees_the_lock_and_the_holder_is_told(&self) {
        let (name, java) = ("late", &self.java);
        assert!(java.lock("8", name, SHORT, NONE).await);
        sleep(SHORT + Duration::from_millis(50)).await;
        let mut lock = self.rust_lock(name, LONG, NONE).await.unwrap();
        java.unlock("8").await;
        // What has ended at this very millisecond has ended at the next.
        sleep(Duration::from_millis(5)).await;
        let lost = lock.extend(LONG, NONE).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Lost);
    }

    /// Contenders of both sides, all at once.
    ///
    /// # Panics
    ///
    /// As [`mixed_contenders_never_overlap`].
    ///
    /// # Cancel safety
    ///
    /// As [`mixed_contenders_never_overlap`].
    pub async fn mixed_contenders_never_overlap(&self) {
        mixed_contenders_never_overlap(&self.java, &self.rust, ACQUISITIONS).await;
    }
}
