//! Names by expression.

use shedlock::scheduler_lock;

const NAME: &str = "constant";

/// A constant.
#[scheduler_lock(name = NAME, at_most = "1m")]
pub async fn constant() {}

/// A `String` made of an argument that moves into the body.
#[scheduler_lock(name = format!("sync-{}", tenant.to_lowercase()), at_most = "1m")]
pub async fn formatted(tenant: String) -> Option<String> {
    Some(tenant)
}

/// A macro.
#[scheduler_lock(name = concat!("a", "-", "b"), at_most = "1m")]
pub async fn concatenated() {}

/// An argument, which is only borrowed.
#[scheduler_lock(name = tenant, at_most = "1m")]
pub async fn borrowed(tenant: String) -> Option<String> {
    Some(tenant)
}
