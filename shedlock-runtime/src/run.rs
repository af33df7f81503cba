//! Running a body under a lock, and the functions that such a body calls.

pub(crate) mod admin;
pub(crate) mod assert;
pub(crate) mod context;
pub(crate) mod executor;
pub(crate) mod ext;
pub(crate) mod extension;
pub(crate) mod gate;
pub(crate) mod keep_alive;
pub mod lock;
pub(crate) mod skip;
pub(crate) mod watch;
