//! The operator's seam: seeing every lock of a store, and steering it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use humantime::format_duration;

use crate::seam::provider::LockProvider;
use crate::values::clock::Clock;
use crate::values::duration::ToDuration as _;
use crate::values::error::{ErrorKind, LockError};
use crate::values::moment::Moment;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;
use crate::values::owner::Owner;
use crate::values::printable::{Printable, printable};

/// What an operator does to the locks of a store.
///
/// None of it asks the holder: a lock that is paused or released by hand is lost to whoever held it. The holder finds out
/// when it extends or releases the lock, and whoever must not run beside it compares fencing tokens.
///
/// # Errors
///
/// A name that cannot name a lock in this store is refused before the store is asked. Otherwise the store's error: it
/// could not say, or may not do this.
///
/// # Cancel safety
///
/// Each future may be dropped at any await; the store may then have carried out the request.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::time::{Duration, SystemTime};
/// use shedlock_runtime::{InMemoryLockProvider, LockAdmin, LockConfiguration, LockProviderExt as _};
///
/// let provider = InMemoryLockProvider::new();
/// let tonight = SystemTime::now() + Duration::from_secs(3600);
/// provider.pause("nightly_report", tonight, "moving the mail server").await?;
///
/// assert!(provider.try_lock(LockConfiguration::new("nightly_report", "10m")?).await?.is_none());
/// assert!(provider.get("nightly_report").await?.expect("is known").paused);
///
/// provider.resume("nightly_report").await?;
/// assert!(provider.try_lock(LockConfiguration::new("nightly_report", "10m")?).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait LockAdmin: LockProvider {
    /// Every lock that the store has a record of, free ones included, by name, byte by byte.
    ///
    /// A record that says nothing of use is in the list too, with its [`problem`](LockInfo::problem).
    async fn list(&self) -> Result<Vec<LockInfo>, LockError>;

    /// One lock, or `None` if the store has no record of it.
    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError>;

    /// Frees a lock at once, whoever holds it, `at_least` and pauses included; says whether it was taken.
    ///
    /// The `reason` is kept in the record until the next acquisition, cut to 200 characters. The holder's owner is replaced
    /// by it, so a release or an extension that the holder still has on its way changes nothing.
    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError>;

    /// Has every node skip this lock until then, those on the JVM too; in place of an earlier pause, if there is one.
    ///
    /// `until` is a time of day. A run in progress goes on, but has lost its lock: one with `keep_alive` is told at its
    /// next extension, one without runs to its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidDuration`] if `until` has passed, or is more than a hundred years away; nothing was sent then.
    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError>;

    /// Ends a pause; says whether there was one. A lock that is held stays held.
    async fn resume(&self, name: &str) -> Result<bool, LockError>;

    /// Forgets locks that have been free for `unused_for`, and says how many. Names made from data would otherwise stay
    /// for ever.
    ///
    /// Nodes on the JVM remember which records exist, and do not make one that was deleted again before they restart: with
    /// them on the store, choose a time longer than any of their jobs pauses.
    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        self.prune_prefix("", unused_for).await
    }

    /// As [`prune`](Self::prune), of those locks alone whose names begin with `prefix`; every name begins with the empty one.
    ///
    /// Prefixes are compared byte by byte as names are, and no character stands for others: `prod:` is the prefix neither
    /// of `PROD:a` nor of `prod2:a`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`] for a prefix that, unless it is empty, cannot itself name a lock; nothing was sent then.
    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError>;
}

/// What a store knows of a lock.
///
/// All times are the store's, where it has a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockInfo {
    /// Its name, as it is; [`printable`] shows it.
    pub name: String,
    /// Who holds it or held it last; empty where the store does not know, or where an operator had the last word.
    pub node: String,
    /// Since when.
    pub since: SystemTime,
    /// When it is free again, or became free.
    pub until: SystemTime,
    /// How long it stays taken if nobody extends or releases it; zero if it is free.
    pub remaining: Duration,
    /// The fencing token of the last acquisition, where the store keeps one.
    pub token: Option<u64>,
    /// Whether an operator has paused it and the pause lasts.
    pub paused: bool,
    /// What the operator said who paused or released it last, as it is.
    pub reason: Option<String>,
    /// What is wrong with its record, if anything; what the record does not say is then empty, zero or 1970.
    pub problem: Option<String>,
}

impl LockInfo {
    /// What a record says at `now`, by the same clock as its times.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        stored_owner: &str,
        since: SystemTime,
        until: SystemTime,
        now: SystemTime,
    ) -> Self {
        let (name, mark) = (name.into(), OperatorMark::parse(stored_owner));
        let remaining = until.duration_since(now).unwrap_or_default();
        Self {
            // Whoever writes to the store past us may write anything.
            problem: LockName::new(&name).err().map(|error| error.to_string()),
            name,
            node: match &mark {
                Some(_) => String::new(),
                None => printable(Owner::node_of(stored_owner)).into_owned(),
            },
            since,
            until,
            remaining,
            token: None,
            paused: !remaining.is_zero() && mark.as_ref().is_some_and(OperatorMark::is_pause),
            reason: mark.map(|mark| mark.reason().to_owned()),
        }
    }

    /// Adds the fencing token.
    #[must_use]
    pub fn with_token(mut self, token: Option<u64>) -> Self {
        self.token = token;
        self
    }

    /// Adds what is wrong with the record; the first problem stays.
    #[must_use]
    pub fn with_problem(mut self, problem: impl Into<String>) -> Self {
        self.problem.get_or_insert_with(|| problem.into());
        self
    }

    /// Whether it is taken: by a holder, by the `at_least` of a run that ended, or by a pause.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.remaining.is_zero()
    }
}

/// One line for an operator: what, who, since and until when; with names and reasons as [`printable`] shows them.
impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Moment;
        let left = Duration::from_secs(self.remaining.as_secs());
        write!(f, "{}: ", Printable(&self.name))?;
        if self.paused {
            let until = time(self.until);
            write!(f, "paused until {until} ({} left)", format_duration(left))?;
        } else if self.is_held() {
            let (since, until) = (time(self.since), time(self.until));
            let by = if self.node.is_empty() { "" } else { " by " };
            write!(f, "held{by}{} since {since}", Printable(&self.node))?;
            write!(f, " until {until} ({} left)", format_duration(left))?;
        } else {
            write!(f, "free since {}", time(self.until))?;
        }
        if let Some(token) = self.token {
            write!(f, ", token {token}")?;
        }
        if let Some(reason) = self.reason.as_deref().filter(|reason| !reason.is_empty()) {
            write!(f, ", {}", Printable(reason))?;
        }
        if let Some(problem) = &self.problem {
            write!(f, "; {}", Printable(problem))?;
        }
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockAdmin + ?Sized> LockAdmin for Arc<P> {
    async fn list(&self) -> Result<Vec<LockInfo>, LockError> {
        (**self).list().await
    }

    async fn get(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        (**self).get(name).await
    }

    async fn force_release(&self, name: &str, reason: &str) -> Result<bool, LockError> {
        (**self).force_release(name, reason).await
    }

    async fn pause(&self, name: &str, until: SystemTime, reason: &str) -> Result<(), LockError> {
        (**self).pause(name, until, reason).await
    }

    async fn resume(&self, name: &str) -> Result<bool, LockError> {
        (**self).resume(name).await
    }

    async fn prune(&self, unused_for: Duration) -> Result<u64, LockError> {
        (**self).prune(unused_for).await
    }

    async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        (**self).prune_prefix(prefix, unused_for).await
    }
}

/// How long a pause until then would last, for implementors of [`LockAdmin::pause`].
///
/// # Errors
///
/// As [`LockAdmin::pause`].
pub fn pause_length(clock: &dyn Clock, until: SystemTime) -> Result<Duration, LockError> {
    match until.duration_since(clock.utc()) {
        Ok(left) if !left.is_zero() => Ok(left.to_duration()?),
        _ => {
            let past = LockError::new(
                ErrorKind::InvalidDuration,
                "the end of the pause has passed",
            );
            Err(past.with_remedy("give a time that is still to come"))
        }
    }
}
