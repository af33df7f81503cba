//! What the author of a provider reads: requests, leases, answers, operators' verbs, and what a provider says of itself.

pub(crate) mod answer;
pub(crate) mod capabilities;
pub(crate) mod history;
pub(crate) mod info;
pub(crate) mod lease;
pub(crate) mod lock_info;
pub(crate) mod predecessor;
pub(crate) mod provider;
pub(crate) mod records;
pub(crate) mod request;
pub(crate) mod runtime_watch;
pub(crate) mod trail;
