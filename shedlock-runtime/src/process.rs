//! What a process has one of: the registered providers, and its shutdown.

pub(crate) mod registry;
pub(crate) mod shutdown;
