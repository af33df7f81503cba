//! A request to take a lock, and the lease that it may win.

use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::seam::provider::LockProvider;
use crate::seam::route::{Route, Routes};
use crate::values::clock::{BootInstant, Clock};
use crate::values::config::LockConfiguration;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::owner::{Owner, OwnerWrite};

/// One request to take a lock.
#[derive(Debug, Clone)]
pub struct AcquireRequest {
    config: LockConfiguration,
    requested_at: BootInstant,
    /// Behind a pointer, so that a request under another name shares it; made when first asked for.
    in_flight: OnceCell<Arc<InFlight>>,
}

/// What is found out on the way to the store, and needed to take back what a lost answer granted.
#[derive(Debug, Default)]
struct InFlight {
    owner: OnceCell<Owner>,
    routes: Routes,
}

impl AcquireRequest {
    /// A request that counts its lease from `requested_at`, a reading taken before the store is asked.
    #[must_use]
    pub fn new(config: LockConfiguration, requested_at: BootInstant) -> Self {
        Self {
            config,
            requested_at,
            in_flight: OnceCell::new(),
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

    /// The owner of this request, the same each time it is asked for.
    ///
    /// It is made when first asked for: a request that never had an owner cannot have reached a store.
    ///
    /// # Errors
    ///
    /// As [`Owner::generate`].
    pub fn owner(&self, node: &Arc<str>) -> Result<&Owner, LockError> {
        self.in_flight()
            .owner
            .get_or_try_init(|| Owner::generate(node))
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
    /// use std::time::Duration;
    ///
    /// use shedlock_runtime::{AcquireRequest, BootInstant, LockConfiguration, Standing, node_name};
    ///
    /// let now = BootInstant::from_origin(Duration::ZERO);
    /// let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, now);
    /// let node = node_name("web-2");
    /// let write = request.write(&node)?;
    /// // Asked again after a lost answer, it finds its own record.
    /// let in_the_record = write.stored();
    /// assert_eq!(request.write(&node)?.standing(in_the_record), Standing::Same);
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    pub fn write(&self, node: &Arc<str>) -> Result<OwnerWrite, LockError> {
        self.owner(node).map(Owner::first_write)
    }

    /// Whether this request has been asked for its owner before, as by a provider that sent it to a store and got no answer. Asked again,
    /// a provider may find that the first request was granted.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.known_owner().is_some()
    }

    /// What a provider answers if the record bears this request's owner, and its lease has ended or was released. The same request
    /// was carried out before and has arrived a second time. To grant it again would take the lock for a holder that is gone.
    ///
    /// It is an error of kind [`Timeout`](ErrorKind::Timeout): if somebody does wait, the lease was shorter than the way to the store.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Acquisition, AcquireRequest, ErrorKind, LockError, Standing, node_name};
    ///
    /// // Part of an `acquire`: the owner in the record, and whether its lease lives.
    /// fn of_own_record(request: &AcquireRequest, owner: &str, lives: bool) -> Result<Option<Acquisition>, LockError> {
    ///     match request.write(&node_name("web-2"))?.standing(owner) {
    ///         Standing::Foreign => Ok(None),
    ///         _ if lives => Ok(Some(Acquisition::Granted(request.grant(None)))),
    ///         _ => Err(request.too_late()),
    ///     }
    /// }
    /// # use shedlock_runtime::{BootInstant, LockConfiguration};
    /// # let now = BootInstant::from_origin(std::time::Duration::ZERO);
    /// # let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, now);
    /// # let own = request.write(&node_name("web-2"))?;
    /// # assert!(of_own_record(&request, "app.example", true)?.is_none());
    /// # assert!(of_own_record(&request, own.stored(), true)?.is_some());
    /// # let late = of_own_record(&request, own.stored(), false).unwrap_err();
    /// # assert_eq!(late.kind(), ErrorKind::Timeout);
    /// # Ok::<(), LockError>(())
    /// ```
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
    /// Both have one owner, whichever is asked for it first: what a lost answer granted to the one, the other can give
    /// back.
    #[must_use]
    pub fn renamed(&self, name: LockName) -> Self {
        self.in_flight();
        Self {
            config: self.config.clone().with_name(name),
            requested_at: self.requested_at,
            in_flight: self.in_flight.clone(),
        }
    }

    /// Where the router `router` has sent this request.
    pub(crate) fn route(&self, router: u64) -> Option<Arc<dyn LockProvider>> {
        Route::find(self.first_route(), router)
    }

    /// Notes where the router `router` sends this request; what it wins stays there.
    pub(crate) fn set_route(&self, router: u64, to: &Arc<dyn LockProvider>) {
        self.in_flight().routes.add(router, to);
    }

    /// The lease that this request won.
    #[must_use]
    pub fn grant(&self, fencing_token: Option<u64>) -> Lease {
        Lease {
            name: self.config.name().clone(),
            owner: self.known_owner().cloned(),
            fencing_token,
            requested_at: self.requested_at,
            acquired: self.requested_at,
            at_least: self.config.at_least(),
            valid_for: self.config.at_most(),
            route: self.first_route().cloned(),
        }
    }

    /// What a lost or late answer may have granted, or `None` if no store was reached.
    pub(crate) fn orphan(&self) -> Option<Lease> {
        let owner = self.known_owner()?.clone();
        Some(Lease {
            owner: Some(owner),
            at_least: Duration::ZERO,
            ..self.grant(None)
        })
    }

    fn in_flight(&self) -> &InFlight {
        self.in_flight.get_or_init(Arc::default)
    }

    fn known_owner(&self) -> Option<&Owner> {
        self.in_flight.get()?.owner.get()
    }

    fn first_route(&self) -> Option<&Arc<Route>> {
        self.in_flight.get()?.routes.first()
    }

    pub(crate) fn ends(&self) -> BootInstant {
        self.requested_at.saturating_add(self.config.at_most())
    }
}

/// What a provider grants: the right to a lock until it ends.
#[derive(Debug, Clone)]
pub struct Lease {
    name: LockName,
    owner: Option<Owner>,
    fencing_token: Option<u64>,
    /// The store granted the lock no sooner than this.
    requested_at: BootInstant,
    /// And no later than this.
    acquired: BootInstant,
    at_least: Duration,
    valid_for: Duration,
    /// The way to the provider that granted it, if there was a choice.
    route: Option<Arc<Route>>,
}

impl Lease {
    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &LockName {
        &self.name
    }

    /// The owner, if the provider asked the request for one.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// The next write of this lease, for an extension or a release; see [`OwnerWrite`].
    ///
    /// Each write has a greater number than those before, also if they were made from another clone of the lease. A provider calls
    /// this once for each extension and each release. When it asks its store again for the same thing, after a lost answer, it uses
    /// the same write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if this lease was granted without an owner, that is by another provider.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Lease, LockError, Standing};
    ///
    /// fn example(lease: &Lease) -> Result<(), LockError> {
    ///     let extension = lease.next_write()?;
    ///     let release = lease.clone().next_write()?;
    ///     // An extension that arrives after the release finds the release's number.
    ///     assert_eq!(extension.standing(release.stored()), Standing::Later);
    ///     Ok(())
    /// }
    /// # use shedlock_runtime::{AcquireRequest, BootInstant, LockConfiguration, node_name};
    /// # let now = BootInstant::from_origin(std::time::Duration::ZERO);
    /// # let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, now);
    /// # let _owner = request.owner(&node_name("web-2"))?;
    /// # example(&request.grant(None))?;
    /// # Ok::<(), LockError>(())
    /// ```
    pub fn next_write(&self) -> Result<OwnerWrite, LockError> {
        self.owner.as_ref().map(Owner::next_write).ok_or_else(|| {
            LockError::new(
                ErrorKind::Other,
                "the lease was granted by another provider",
            )
        })
    }

    /// A copy that numbers its writes by itself from here on, for tests of providers.
    ///
    /// What is asked next with the copy has the same number as what is asked next with the original. So it is the second delivery
    /// of that request, at whatever time a test chooses. A clone shares the count and cannot do this.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Lease, LockError};
    ///
    /// fn example(lease: &Lease) -> Result<(), LockError> {
    ///     let late = lease.replica();
    ///     let (extension, release) = (lease.next_write()?, lease.next_write()?);
    ///     // Delivered once more, in the same order.
    ///     assert_eq!(late.next_write()?, extension);
    ///     assert_eq!(late.next_write()?, release);
    ///     Ok(())
    /// }
    /// # use shedlock_runtime::{AcquireRequest, BootInstant, LockConfiguration, node_name};
    /// # let now = BootInstant::from_origin(std::time::Duration::ZERO);
    /// # let request = AcquireRequest::new(LockConfiguration::new("mail", "5m")?, now);
    /// # let _owner = request.owner(&node_name("web-2"))?;
    /// # example(&request.grant(None))?;
    /// # Ok::<(), LockError>(())
    /// ```
    #[must_use]
    pub fn replica(&self) -> Self {
        Self {
            owner: self.owner.as_ref().map(Owner::replica),
            ..self.clone()
        }
    }

    /// A number that grows with every acquisition of this name, where the store can keep one.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.fencing_token
    }

    /// How long the lock stays taken, counted from its acquisition.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }

    /// What is left of [`at_least`](Self::at_least) by `clock`, which is [`ProviderInfo::clock`](crate::ProviderInfo::clock): how
    /// long a release keeps the lock taken. The runtime gives it to [`LockProvider::release`]; a wrapper that releases a lease by
    /// itself asks for it here.
    #[must_use]
    pub fn at_least_left(&self, clock: &dyn Clock) -> Duration {
        // Most locks have none, and then no clock is read.
        if self.at_least.is_zero() {
            return Duration::ZERO;
        }
        self.acquired
            .saturating_add(self.at_least)
            .saturating_since(clock.boot())
    }

    /// How long the store keeps the lease from the moment it was asked, if that is less than `at_most`.
    #[must_use]
    pub fn granted_for(mut self, valid_for: Duration) -> Self {
        self.valid_for = self.valid_for.min(valid_for);
        self
    }

    /// The same lease under another name, for a wrapper that gives its locks names of their own.
    #[must_use]
    pub fn renamed(&self, name: LockName) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }

    /// Whether both are of one acquisition, however it was extended since.
    pub(crate) fn is_same_grant(&self, other: &Self) -> bool {
        match (&self.owner, &other.owner) {
            (Some(one), Some(other)) => one == other,
            (None, None) => {
                self.requested_at == other.requested_at && self.fencing_token == other.fencing_token
            }
            _ => false,
        }
    }

    /// Where the router `router` had sent the request that won this lease.
    pub(crate) fn route(&self, router: u64) -> Option<Arc<dyn LockProvider>> {
        Route::find(self.route.as_ref(), router)
    }

    pub(crate) fn valid_for(&self) -> Duration {
        self.valid_for
    }

    pub(crate) fn acquired(&self) -> BootInstant {
        self.acquired
    }

    /// Counts `at_least` from `acquired`: the store granted the lock no later than that.
    pub(crate) fn set_acquired(&mut self, acquired: BootInstant) {
        self.acquired = acquired;
    }

    /// Keeps the lock for `at_least` from `now` too; what was promised before stays promised.
    pub(crate) fn raise_at_least(&mut self, now: BootInstant, at_least: Duration) {
        if at_least.is_zero() {
            return;
        }
        // Stores count from when they granted the lock, which may be as early as the request.
        let from_acquisition = now
            .saturating_since(self.requested_at)
            .saturating_add(at_least);
        self.at_least = self.at_least.max(from_acquisition);
    }
}
