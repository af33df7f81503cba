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

/// One request to take a lock: the lock's configuration, when the request was made, and for which owner.
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
    /// Made when a provider first needs it: a lock in memory has no owner and no notes.
    trail: OnceCell<Arc<Trail>>,
}

/// A clone is the same request: both have one owner, whichever is asked for it first.
impl Clone for AcquireRequest {
    fn clone(&self) -> Self {
        self.renamed(self.name().clone())
    }
}

impl AcquireRequest {
    /// A request whose lease is counted from `requested_at`: a reading of the provider's [`clock`](ProviderInfo::clock), taken before the store
    /// is asked.
    #[must_use]
    pub fn new(config: LockConfiguration, requested_at: BootInstant) -> Self {
        Self {
            config,
            requested_at,
            trail: OnceCell::new(),
        }
    }

    /// The request with which another process took the lock, by the owner that it [stored](Owner::stored). The lease that
    /// [`grant`](Self::grant) makes of it can be extended and released through the provider, as the other process could do it.
    ///
    /// For programs that take a lock in one process and release it in another. A provider that needs notes of its own for an extension, such
    /// as the number of a session, finds none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if `stored_owner` is not what an acquisition stores.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{AcquireRequest, LockConfiguration, ProviderInfo};
    ///
    /// let info = ProviderInfo::new("toy").with_node_name("web-2");
    /// let config = LockConfiguration::new("mail", "5m")?;
    /// let request = AcquireRequest::new(config.clone(), info.clock().boot());
    /// let secret = request.owner(&info)?.stored();
    ///
    /// // In another process:
    /// let resumed = AcquireRequest::resumed(config, info.clock().boot(), &secret)?;
    /// assert_eq!(resumed.owner(&info)?, request.owner(&info)?);
    /// assert!(resumed.grant(None).release_write()?.stored() > request.grant(None).next_write()?.stored());
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn resumed(
        config: LockConfiguration,
        requested_at: BootInstant,
        stored_owner: &str,
    ) -> Result<Self, LockError> {
        let Some(owner) = Owner::resumed(stored_owner) else {
            let problem = "the text is no owner of a lock";
            return Err(LockError::new(ErrorKind::Configuration, problem));
        };
        let request = Self::new(config, requested_at);
        // A request that was just made has no owner yet.
        let _set = request.trail().owner.set(owner);
        Ok(request)
    }

    /// The configuration of the lock: name, durations and options.
    #[must_use]
    pub fn config(&self) -> &LockConfiguration {
        &self.config
    }

    /// The name of the lock.
    #[must_use]
    pub fn name(&self) -> &LockName {
        self.config.name()
    }

    /// The length of the lease that is asked for.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.config.at_most()
    }

    /// When the request was made, by the provider's forward clock.
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

    /// The owner of this request, on the node that `info` names. Every call returns the same owner.
    ///
    /// The first call makes the owner. A request whose owner was never made cannot have reached a store, so the runtime need not look for a
    /// grant.
    ///
    /// # Errors
    ///
    /// As [`Owner::generate`].
    pub fn owner(&self, info: &ProviderInfo) -> Result<&Owner, LockError> {
        self.trail()
            .owner
            .get_or_try_init(|| Owner::generate(info.node_name()))
    }

    /// This request as a numbered write: the text that a provider stores as the owner when it grants the lock, and that it compares with the
    /// owner in the record; see [`OwnerWrite`]. Every call returns the same write.
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
    /// // A provider that sends the request again after a lost answer finds the request's own record.
    /// let in_the_record = write.stored();
    /// assert_eq!(request.write(&info)?.standing(in_the_record), Standing::Same);
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn write(&self, info: &ProviderInfo) -> Result<OwnerWrite, LockError> {
        self.owner(info).map(Owner::first_write)
    }

    /// Keeps `value` for the provider that `info` describes, in place of an earlier note of type `T` of that provider.
    ///
    /// A note is what a provider needs to know again later, such as a session or a version. The lease that this request is granted has the same
    /// notes. So has the lease that the runtime releases if the answer to this request is lost.
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

    /// The value that the provider described by `info` has kept with [`note`](Self::note); `None` if there is no note or if the note is not a
    /// `T`.
    #[must_use]
    pub fn noted<T: Any + Send + Sync>(&self, info: &ProviderInfo) -> Option<Arc<T>> {
        self.trail.get()?.notes.get(info.id())
    }

    /// Whether this request may have been sent to a store before, which is known by its owner: a provider makes the owner before it sends the
    /// request. A request that is sent for the second time may find that the store granted the first one.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.known_owner().is_some()
    }

    /// The answer of a provider that could not write because of the record in the store. The record bears `stored_owner`, and its lease lasts
    /// for `remaining`, which is zero if the lease has ended.
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
            // The other lease ended between the failed write and the read of the record.
            (false, true) => Ok(Acquisition::Refused(Refusal::contended())),
            (false, false) => Ok(Acquisition::Refused(Refusal::from_stored(
                stored_owner,
                remaining,
            ))),
        }
    }

    /// The error of a provider that finds this request's own owner in the record, with a lease that has ended or was released.
    ///
    /// The store has carried out this request before, and the request has now arrived a second time. To grant the request again would take the
    /// lock for a holder that is gone. The error has the kind [`Timeout`](ErrorKind::Timeout), because a caller that still waits chose a lease
    /// shorter than the round trip to the store.
    #[must_use]
    pub fn too_late(&self) -> LockError {
        LockError::new(
            ErrorKind::Timeout,
            "the lease that this request was granted before has ended",
        )
        .with_remedy("give the lock a longer `at_most`")
    }

    /// The same request under another name, for a wrapper that changes the names of locks.
    ///
    /// Both requests have one owner and the same notes. So what a lost answer granted under one name can be released under the other.
    #[must_use]
    pub fn renamed(&self, name: LockName) -> Self {
        self.trail();
        Self {
            config: self.config.clone().with_name(name),
            requested_at: self.requested_at,
            trail: self.trail.clone(),
        }
    }

    /// The lease of a provider that grants this request, with the fencing token of the acquisition if the store keeps fencing tokens.
    #[must_use]
    pub fn grant(&self, fencing_token: Option<u64>) -> Lease {
        if self.position_rule().is_some() {
            // The lease must know.
            self.trail();
        }
        Lease {
            name: self.config.name().clone(),
            trail: self.trail.clone(),
            fencing_token,
            requested_at: self.requested_at,
            acquired: self.requested_at,
            at_least: self.config.at_least(),
            valid_for: self.config.at_most(),
            predecessor: None,
        }
    }

    /// The lease that a lost or late answer may have granted; `None` if the request reached no store.
    pub(crate) fn orphan(&self) -> Option<Lease> {
        self.known_owner()?;
        let mut lease = self.grant(None);
        lease.waive_at_least();
        lease.note_unused();
        Some(lease)
    }

    fn trail(&self) -> &Arc<Trail> {
        self.trail.get_or_init(|| {
            Arc::new(Trail {
                asked_position: self.position_rule().is_some(),
                ..Trail::default()
            })
        })
    }

    fn known_owner(&self) -> Option<&Owner> {
        self.trail.get()?.owner.get()
    }

    pub(crate) fn ends(&self) -> BootInstant {
        self.requested_at.saturating_add(self.config.at_most())
    }
}
