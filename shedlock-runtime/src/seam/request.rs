//! A request for a lock.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::seam::answer::{Acquisition, Refusal};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::trail::Trail;
use crate::values::clock::BootInstant;
use crate::values::config::LockConfiguration;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::owner::{Owner, OwnerWrite, Standing};
use crate::values::position::PositionRule;

/// One request to take a lock: what is asked for, since when, and for which owner.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::{AcquireRequest, BootInstant, LockConfiguration, ProviderInfo};
///
/// let info = ProviderInfo::new("toy").with_node_name("web-2");
/// let config = LockConfiguration::new("mail", "5m")?;
/// let request = AcquireRequest::new(config, info.clock().boot());
/// assert_eq!(request.name().as_str(), "mail");
/// assert_eq!(request.at_most(), Duration::from_secs(300));
/// assert_eq!(request.owner(&info)?.node(), "web-2");
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug)]
pub struct AcquireRequest {
    config: LockConfiguration,
    requested_at: BootInstant,
    /// Made when first asked for: a lock in memory has none.
    trail: OnceCell<Arc<Trail>>,
}

/// A clone is the same request: both have one owner, whichever is asked for it first.
impl Clone for AcquireRequest {
    fn clone(&self) -> Self {
        self.renamed(self.name().clone())
    }
}

impl AcquireRequest {
    /// A request that counts its lease from `requested_at`, a reading taken before the store is asked.
    #[must_use]
    pub fn new(config: LockConfiguration, requested_at: BootInstant) -> Self {
        Self {
            config,
            requested_at,
            trail: OnceCell::new(),
        }
    }

    /// What is asked for.
    #[must_use]
    pub fn config(&self) -> &LockConfiguration {
        &self.config
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &LockName {
        self.config.name()
    }

    /// The lease asked for.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.config.at_most()
    }

    /// When the request began, on the provider's forward clock.
    #[must_use]
    pub fn requested_at(&self) -> BootInstant {
        self.requested_at
    }

    /// What this request asks of the position in the record, if anything: a provider that declares
    /// [`with_positions`](crate::Capabilities::with_positions) grants the lock only as [`PositionRule::next`] says, and writes the position.
    #[must_use]
    pub fn position_rule(&self) -> Option<PositionRule> {
        self.config.position_rule()
    }

    /// The owner of this request on the node that `info` names, the same each time it is asked for.
    ///
    /// The owner is made when a provider first asks for it: a request that never had an owner cannot have reached a store.
    ///
    /// # Errors
    ///
    /// As [`Owner::generate`].
    pub fn owner(&self, info: &ProviderInfo) -> Result<&Owner, LockError> {
        self.trail()
            .owner
            .get_or_try_init(|| Owner::generate(info.node_name()))
    }

    /// This request as a write, the same each time it is asked for: what a provider stores as the owner when it grants the lock, and
    /// compares with the owner in the record; see [`OwnerWrite`].
    ///
    /// # Errors
    ///
    /// As [`Owner::generate`].
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo, Standing};
    ///
    /// let info = ProviderInfo::new("toy");
    /// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// let write = request.write(&info)?;
    /// // Asked again after a lost answer, it finds its own record.
    /// let in_the_record = write.stored();
    /// assert_eq!(request.write(&info)?.standing(in_the_record), Standing::Same);
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn write(&self, info: &ProviderInfo) -> Result<OwnerWrite, LockError> {
        self.owner(info).map(Owner::first_write)
    }

    /// Keeps `value` for the provider that `info` describes, in place of a `T` that it kept before. The lease that this request wins keeps it,
    /// too, and so does what is looked for if the answer to this request is lost: a provider notes here what it must know to find or to
    /// give back what the store may have granted.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo};
    ///
    /// struct SessionId(i64);
    ///
    /// let info = ProviderInfo::new("toy");
    /// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// request.note(&info, SessionId(7));
    /// let lease = request.grant(None);
    /// assert_eq!(lease.noted::<SessionId>(&info).expect("was noted").0, 7);
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn note<T: Any + Send + Sync>(&self, info: &ProviderInfo, value: T) {
        self.trail().notes.set(info.id(), value);
    }

    /// What the provider that `info` describes has noted with [`note`](Self::note), if it is a `T`.
    #[must_use]
    pub fn noted<T: Any + Send + Sync>(&self, info: &ProviderInfo) -> Option<Arc<T>> {
        self.trail.get()?.notes.get(info.id())
    }

    /// Whether this request has been asked for its owner before, as by a provider that sent it to a store and got no answer. Asked again,
    /// a provider may find that the first request was granted.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.known_owner().is_some()
    }

    /// What a provider answers when it could not write because of the record that it found: `stored_owner` with a lease that lasts for
    /// `remaining`, which is zero if the lease has ended.
    ///
    /// - Another holder's live lease, or an operator's pause: refused.
    /// - This request's own live lease: granted, with `fencing_token`. The request was carried out before, and its answer was lost.
    /// - This request's own lease that has ended: the error [`too_late`](Self::too_late).
    ///
    /// # Errors
    ///
    /// [`too_late`](Self::too_late), or as [`Owner::generate`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use shedlock_runtime::{AcquireRequest, Acquisition, ErrorKind, LockConfiguration, ProviderInfo};
    ///
    /// let info = ProviderInfo::new("toy");
    /// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, info.clock().boot());
    /// let minute = Duration::from_secs(60);
    ///
    /// let theirs = request.answer_from_record(&info, "app.example", minute, None)?;
    /// assert!(matches!(theirs, Acquisition::Refused(_)));
    ///
    /// let stored = request.owner(&info)?.stored();
    /// let ours = request.answer_from_record(&info, &stored, minute, None)?;
    /// assert!(matches!(ours, Acquisition::Granted(_)));
    ///
    /// let late = request.answer_from_record(&info, &stored, Duration::ZERO, None).unwrap_err();
    /// assert_eq!(late.kind(), ErrorKind::Timeout);
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn answer_from_record(
        &self,
        info: &ProviderInfo,
        stored_owner: &str,
        remaining: Duration,
        fencing_token: Option<u64>,
    ) -> Result<Acquisition, LockError> {
        let is_ours = self.write(info)?.standing(stored_owner) != Standing::Foreign;
        match (is_ours, remaining.is_zero()) {
            (true, false) => Ok(Acquisition::Granted(self.grant(fencing_token))),
            (true, true) => Err(self.too_late()),
            // It ended between the write that failed and the look at the record.
            (false, true) => Ok(Acquisition::Refused(Refusal::contended())),
            (false, false) => Ok(Acquisition::Refused(Refusal::from_stored(
                stored_owner,
                remaining,
            ))),
        }
    }

    /// What a provider answers if the record bears this request's owner, and its lease has ended or was released. The same request
    /// was carried out before and has arrived a second time. To grant it again would take the lock for a holder that is gone.
    ///
    /// It is an error of kind [`Timeout`](ErrorKind::Timeout): if somebody does wait, the lease was shorter than the way to the store.
    #[must_use]
    pub fn too_late(&self) -> LockError {
        LockError::new(
            ErrorKind::Timeout,
            "the lease that this request was granted before has ended",
        )
        .with_remedy("give the lock a longer `at_most`")
    }

    /// The same request under another name, for a wrapper that gives its locks names of their own.
    ///
    /// Both have one owner and the same notes, whichever is asked first: what a lost answer granted to the one, the other can give back.
    #[must_use]
    pub fn renamed(&self, name: LockName) -> Self {
        self.trail();
        Self {
            config: self.config.clone().with_name(name),
            requested_at: self.requested_at,
            trail: self.trail.clone(),
        }
    }

    /// The lease that this request won.
    #[must_use]
    pub fn grant(&self, fencing_token: Option<u64>) -> Lease {
        Lease {
            name: self.config.name().clone(),
            trail: self.trail.clone(),
            fencing_token,
            requested_at: self.requested_at,
            acquired: self.requested_at,
            at_least: self.config.at_least(),
            valid_for: self.config.at_most(),
        }
    }

    /// What a lost or late answer may have granted, or `None` if no store was reached.
    pub(crate) fn orphan(&self) -> Option<Lease> {
        self.known_owner()?;
        Some(Lease {
            at_least: Duration::ZERO,
            ..self.grant(None)
        })
    }

    fn trail(&self) -> &Arc<Trail> {
        self.trail.get_or_init(Arc::default)
    }

    fn known_owner(&self) -> Option<&Owner> {
        self.trail.get()?.owner.get()
    }

    pub(crate) fn ends(&self) -> BootInstant {
        self.requested_at.saturating_add(self.config.at_most())
    }
}
