//! What the author of a provider reads: the request, the lease, the answers, and what a provider says of itself.

pub(crate) mod admin;
pub(crate) mod answer;
pub(crate) mod info;
pub(crate) mod lease;
pub(crate) mod provider;
pub(crate) mod route;
