//! The name of a node, by which people know it.

use std::sync::Arc;

use once_cell::sync::Lazy;

use crate::values::operator_mark::OperatorMark;
use crate::values::printable::printable;

/// Leaves room for `#` and 44 hexadecimal digits in ShedLock's `locked_by VARCHAR(255)`.
const MAX_NODE_CHARS: usize = 200;

static HOST: Lazy<Arc<str>> = Lazy::new(|| node_name(&host_name()));

/// Turns `name` into a node name: escapes invisible characters as [`printable`] does, cuts to 200 characters, and replaces the first `:` of a
/// name that would read as an [`OperatorMark`] (`paused: ..`, `released: ..`).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::node_name;
///
/// assert_eq!(&*node_name("web-2"), "web-2");
/// assert_eq!(&*node_name("paused: web-2"), "paused_ web-2");
/// ```
#[must_use]
pub fn node_name(name: &str) -> Arc<str> {
    let clean: String = printable(name).chars().take(MAX_NODE_CHARS).collect();
    // A node must not be taken for an operator.
    match OperatorMark::parse(&clean) {
        Some(_) => clean.replacen(':', "_", 1).into(),
        None => clean.into(),
    }
}

/// The node name of a provider that was not given one: the name of the host.
#[must_use]
pub fn host_node_name() -> Arc<str> {
    Arc::clone(&HOST)
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned())
}
