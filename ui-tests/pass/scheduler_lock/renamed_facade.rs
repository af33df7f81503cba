//! A facade that is re-exported under another path.

/// A crate that offers ours to its own users.
pub mod platform {
    /// The facade.
    pub use shedlock as locks;
}

/// By a path from the crate's root.
#[platform::locks::scheduler_lock(name = "by-crate", at_most = "1m", crate = crate::scheduler_lock::renamed_facade::platform::locks)]
pub async fn by_crate() {
    platform::locks::lock_assert!(crate = crate::scheduler_lock::renamed_facade::platform::locks);
}

/// By the name of a crate.
#[shedlock::scheduler_lock(crate = ::shedlock, name = "by-name", at_most = "1m")]
pub async fn by_name() {}

/// By a path that begins with the name of a crate.
#[shedlock::scheduler_lock(crate = shedlock, name = "by-path", at_most = "1m")]
pub async fn by_path() {}
