//! Names formatted from arguments, before these move into the body.

use shedlock::scheduler_lock;

/// A tenant.
#[derive(Debug)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// A field with the name of a keyword, and a tuple.
    pub r#type: (u8, u8),
}

/// The argument moves into the body.
#[scheduler_lock(name = "sync-{tenant}", at_most = "1m")]
pub async fn moved(tenant: String) -> Option<String> {
    Some(tenant)
}

/// Format specifications and escaped braces.
#[scheduler_lock(name = "{{shard}}-{shard:03}-{tenant:?}", at_most = "1m")]
pub async fn specified(shard: u16, tenant: &str) -> Option<usize> {
    Some(usize::from(shard) + tenant.len())
}

/// Fields, also of tuples.
#[scheduler_lock(name = "{tenant.name}-{tenant.type.1}", at_most = "1m")]
pub async fn field(tenant: &Tenant) -> Option<u8> {
    Some(tenant.r#type.0)
}

/// Bindings of a destructured argument.
#[scheduler_lock(name = "{name}-{second}", at_most = "1m")]
pub async fn destructured(
    Tenant {
        name,
        r#type: (_, second),
    }: Tenant,
) -> Option<String> {
    Some(format!("{name}{second}"))
}

/// A const parameter.
#[scheduler_lock(name = "shard-{SHARD}", at_most = "1m")]
pub async fn const_parameter<const SHARD: usize>() -> Option<usize> {
    Some(SHARD)
}

/// The shards of a module.
pub const SHARD: u8 = 4;

/// A constant.
#[scheduler_lock(name = "shard-{SHARD}-{shard}", at_most = "1m")]
pub async fn constant(shard: u8) -> Option<u8> {
    Some(shard)
}

/// A job for each shard.
#[derive(Debug)]
pub struct Job<const N: usize>;

impl<const N: usize> Job<N> {
    /// A const parameter of the `impl`.
    #[scheduler_lock(name = "shard-{N:03}", at_most = "1m")]
    pub async fn run(&self) -> Option<usize> {
        Some(N)
    }
}

/// A raw argument.
#[scheduler_lock(name = "{type}", at_most = "1m")]
pub async fn raw(r#type: u8) -> Option<u8> {
    Some(r#type)
}
