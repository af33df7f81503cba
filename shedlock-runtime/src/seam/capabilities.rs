//! What a store can do and what it cannot. A provider declares it; the runtime, the conformance suite and people read it.

use std::time::Duration;

use crate::values::duration::LONGEST;

mod checks;

/// What a store can do and what it cannot.
///
/// A provider declares it in its [`ProviderInfo`](crate::ProviderInfo). The runtime refuses, before any I/O, a lock that the store cannot
/// keep. The conformance suite skips the cases that the store does not promise to pass, and reports them as not applicable.
///
/// The default describes a store like a database: the store's clock ends leases, to the millisecond; there are no fencing tokens; the
/// store keeps the records of free locks, and takes any name.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use shedlock_runtime::{Capabilities, Expiry, Fencing, ProviderInfo};
///
/// // A cache that counts whole seconds, and forgets a key when its time is over.
/// let capabilities = Capabilities::new()
///     .with_expiry(Expiry::ByStore)
///     .with_grain(Duration::from_secs(1))
///     .with_fencing(Fencing::None)
///     .with_max_name_bytes(250)
///     .without_free_records();
/// let info = ProviderInfo::new("memcached").with_capabilities(capabilities);
/// assert_eq!(info.capabilities().shortest_lease(), Duration::from_secs(1));
/// ```
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an ability of its own, with a method that declares it"
)]
pub struct Capabilities {
    expiry: Expiry,
    grain: Duration,
    shortest_lease: Duration,
    longest_lease: Duration,
    max_name_chars: usize,
    max_name_bytes: usize,
    alphabet: Option<NameAlphabet>,
    fencing: Fencing,
    keeps_free_records: bool,
    pushes_releases: bool,
    keeps_positions: bool,
    tells_takeovers: bool,
}

/// What ends a lease that its holder neither releases nor extends.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Capabilities, Expiry};
///
/// // Objects in a bucket carry no clock: each node compares the record's end with its own time of day.
/// let bucket = Capabilities::new().with_expiry(Expiry::ByClientClock);
/// assert_eq!(bucket.expiry(), Expiry::ByClientClock);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// The store compares the record's end with its own clock. A node whose time of day is wrong does no harm.
    ByStoreClock,
    /// The store deletes the record when its time to live has passed. A node whose time of day is wrong does no harm.
    ByStore,
    /// Each node compares the record's end with its own UTC time of day. The nodes' clocks must agree to within a small part of the shortest
    /// lease.
    ByClientClock,
    /// No clock is compared with another: each node measures by its own forward clock for how long it has seen the record unchanged, and takes
    /// the lock over when that is as long as the lease. A node whose time of day is wrong does no harm. A node that has not seen the record
    /// before waits for a whole lease.
    ByObservation,
}

/// What interrupts the growth of one lock's fencing tokens.
///
/// The variants are in ascending order of strength, so that a program can demand a minimum.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Fencing, InMemoryLockProvider, LockProvider as _};
///
/// let provider = InMemoryLockProvider::new();
/// let fencing = provider.info().capabilities().fencing();
/// assert!(fencing >= Fencing::UntilRestart, "this program needs fencing tokens");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fencing {
    /// Leases have no token.
    None,
    /// Tokens grow until the store restarts.
    UntilRestart,
    /// Tokens grow until the lock's record is deleted; a restart of the store does not matter.
    UntilDeletion,
    /// Tokens always grow, also after the record was deleted: for example because the store's own revision is the token.
    Always,
}

/// The characters that names may have in a store which takes only some.
#[derive(Debug, Clone, Copy)]
struct NameAlphabet {
    description: &'static str,
    allows: fn(char) -> bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}

impl Capabilities {
    /// The capabilities of a store like a database; see the documentation of [`Capabilities`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            expiry: Expiry::ByStoreClock,
            grain: Duration::from_millis(1),
            shortest_lease: Duration::from_millis(1),
            longest_lease: LONGEST,
            max_name_chars: usize::MAX,
            max_name_bytes: usize::MAX,
            alphabet: None,
            fencing: Fencing::None,
            keeps_free_records: true,
            pushes_releases: false,
            keeps_positions: false,
            tells_takeovers: false,
        }
    }

    /// Declares what ends a lease that its holder neither releases nor extends.
    #[must_use]
    pub const fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Declares the step in which the store counts a lease; a lease shorter than one step is refused.
    #[must_use]
    pub fn with_grain(mut self, grain: Duration) -> Self {
        self.grain = grain;
        self.shortest_lease = self.shortest_lease.max(grain);
        self
    }

    /// Declares the shortest lease, which is never less than one step of the store; anything shorter is refused before any I/O.
    #[must_use]
    pub fn with_shortest_lease(mut self, shortest: Duration) -> Self {
        self.shortest_lease = shortest.max(self.grain);
        self
    }

    /// Declares the longest lease; anything longer is refused before any I/O.
    #[must_use]
    pub const fn with_longest_lease(mut self, longest: Duration) -> Self {
        self.longest_lease = longest;
        self
    }

    /// Declares how many characters a name may have; a longer name is refused before any I/O.
    #[must_use]
    pub const fn with_max_name_chars(mut self, max: usize) -> Self {
        self.max_name_chars = max;
        self
    }

    /// Declares how many bytes of UTF-8 a name may have; a longer name is refused before any I/O.
    #[must_use]
    pub const fn with_max_name_bytes(mut self, max: usize) -> Self {
        self.max_name_bytes = max;
        self
    }

    /// Declares which characters a name may have; `description` completes the sentence "a lock name here has only ...".
    ///
    /// A store whose keys cannot hold every character should rather encode names, with [`NameEncoding`](crate::NameEncoding).
    #[must_use]
    pub const fn with_name_alphabet(
        mut self,
        description: &'static str,
        allows: fn(char) -> bool,
    ) -> Self {
        self.alphabet = Some(NameAlphabet {
            description,
            allows,
        });
        self
    }

    /// Declares what interrupts the growth of one lock's fencing tokens.
    #[must_use]
    pub const fn with_fencing(mut self, fencing: Fencing) -> Self {
        self.fencing = fencing;
        self
    }

    /// Declares that a free lock has no record. An operator then cannot learn who held the lock last, or why it was released by force.
    #[must_use]
    pub const fn without_free_records(mut self) -> Self {
        self.keeps_free_records = false;
        self
    }

    /// Declares that the store can tell a waiting client when a lock becomes free.
    #[must_use]
    pub const fn with_pushed_releases(mut self) -> Self {
        self.pushes_releases = true;
        self
    }

    /// Declares that a record keeps a [`Position`](crate::Position), which the store decides on in the same step as on the lock.
    #[must_use]
    pub const fn with_positions(mut self) -> Self {
        self.keeps_positions = true;
        self
    }

    /// Declares that an acquisition tells whose expired record it replaced, with
    /// [`Lease::taken_over_from`](crate::Lease::taken_over_from).
    #[must_use]
    pub const fn with_takeovers(mut self) -> Self {
        self.tells_takeovers = true;
        self
    }

    /// What ends a lease that its holder neither releases nor extends.
    #[must_use]
    pub const fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// The smallest step in which the store counts a lease, such as a millisecond or a second.
    #[must_use]
    pub const fn grain(&self) -> Duration {
        self.grain
    }

    /// The shortest lease that the store can keep.
    #[must_use]
    pub const fn shortest_lease(&self) -> Duration {
        self.shortest_lease
    }

    /// The longest lease that the store can keep.
    #[must_use]
    pub const fn longest_lease(&self) -> Duration {
        self.longest_lease
    }

    /// The greatest number of characters that a name may have.
    #[must_use]
    pub const fn max_name_chars(&self) -> usize {
        self.max_name_chars
    }

    /// The greatest number of bytes of UTF-8 that a name may have.
    #[must_use]
    pub const fn max_name_bytes(&self) -> usize {
        self.max_name_bytes
    }

    /// What interrupts the growth of one lock's fencing tokens.
    #[must_use]
    pub const fn fencing(&self) -> Fencing {
        self.fencing
    }

    /// Whether the store keeps the record of a free lock.
    #[must_use]
    pub const fn keeps_free_records(&self) -> bool {
        self.keeps_free_records
    }

    /// Whether the store can tell a waiting client when a lock becomes free.
    #[must_use]
    pub const fn pushes_releases(&self) -> bool {
        self.pushes_releases
    }

    /// Whether a record keeps a [`Position`](crate::Position).
    #[must_use]
    pub const fn keeps_positions(&self) -> bool {
        self.keeps_positions
    }

    /// Whether an acquisition tells whose expired record it replaced; see [`Predecessor`](crate::Predecessor).
    #[must_use]
    pub const fn tells_takeovers(&self) -> bool {
        self.tells_takeovers
    }

    /// Converts `duration` to whole steps of [`grain`](Self::grain), rounded up. Rounding down would end a lease in the store before it ends
    /// for its holder.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use shedlock_runtime::Capabilities;
    ///
    /// let seconds = Capabilities::new().with_grain(Duration::from_secs(1));
    /// assert_eq!(seconds.steps(Duration::from_millis(1500)), 2);
    /// assert_eq!(seconds.steps(Duration::from_secs(2)), 2);
    /// ```
    #[must_use]
    pub fn steps(&self, duration: Duration) -> u64 {
        let grain = self.grain.as_nanos().max(1);
        u64::try_from(duration.as_nanos().div_ceil(grain)).unwrap_or(u64::MAX)
    }
}
