//! A module in which the names of the prelude mean something else.

mod core {}
mod std {}

/// Not the one of the prelude.
#[derive(Debug)]
pub struct Option;

/// Not the one of the prelude.
#[derive(Debug)]
pub struct Box;

/// Not the one of the prelude.
#[expect(non_snake_case, reason = "the shape under test")]
pub fn Some(_: &Option) {}

mod shedlock {}

/// Locked.
#[::shedlock::scheduler_lock(name = "shadowed-{count}", at_most = "1m", keep_alive)]
pub async fn shadowed(count: u32) {
    Some(&Option);
    ::shedlock::lock_assert!();
}
