#![doc = include_str!("../README.md")]

pub use shedlock_macros::{enable_scheduler_lock, lock_assert, scheduler_lock};
// All of it: a program with a provider or a wrapper of its own needs no second crate.
#[doc(inline)]
pub use shedlock_runtime::*;

#[doc(hidden)]
pub use shedlock_runtime::__private;

/// Documents of the project, to read beside the API: how it is built, why it is so, and what has changed.
#[cfg(doc)]
pub mod _documentation {
    #[doc = include_str!("../docs/DESIGN.md")]
    pub mod design {}

    #[doc = include_str!("../docs/ARCHITECTURE.md")]
    pub mod architecture {}

    #[doc = include_str!("../docs/CHANGELOG.md")]
    pub mod changelog {}

    #[doc = include_str!("../docs/MIGRATING.md")]
    pub mod migrating {}
}
