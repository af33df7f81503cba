//! What answers of the statements mean.

pub(crate) mod mysql;
