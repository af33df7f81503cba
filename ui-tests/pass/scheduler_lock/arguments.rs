//! Arguments of every form.

use shedlock::scheduler_lock;

/// A destructured argument.
#[derive(Debug)]
pub struct Range {
    /// First.
    pub from: u32,
    /// One after the last.
    pub to: u32,
}

/// `mut` arguments, moved ones and copied ones.
#[scheduler_lock(name = "mutable-{count}", at_most = "1m")]
pub async fn mutable(mut count: u32, mut text: String) -> Option<String> {
    count += 1;
    text.push('x');
    tokio::task::yield_now().await;
    Some(text.repeat(count as usize))
}

/// Tuples, structs, references and blanks.
#[scheduler_lock(name = "{from}-{first}", at_most = "1m")]
pub async fn destructured(
    (first, mut second): (u32, u32),
    Range { from, to: until }: Range,
    &third: &u32,
    [fourth, ..]: [u32; 2],
    whole @ Range { .. }: Range,
    _: u8,
) -> Option<u32> {
    second += whole.to;
    Some(first + second + from + until + third + fourth)
}

/// An argument that nobody uses.
#[scheduler_lock(name = "unused", at_most = "1m")]
pub async fn unused(_unused: String) {}

/// A mutable reference.
#[scheduler_lock(name = "referenced", at_most = "1m")]
pub async fn referenced(values: &mut Vec<u32>) {
    tokio::task::yield_now().await;
    values.push(1);
}

/// Arguments named as what the expansion uses for itself.
#[scheduler_lock(name = "{job}", at_most = "1m", on_skip = format!("{reason:?}"))]
pub async fn named_as_ours(job: String, value: u32, error: u32) -> String {
    format!("{job}{value}{error}")
}
