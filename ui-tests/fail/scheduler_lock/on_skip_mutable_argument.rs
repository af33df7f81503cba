//! `on_skip` uses a `&mut` argument, which the body has.

use shedlock::scheduler_lock;

#[scheduler_lock(name = "job", at_most = "1m", on_skip = items.len())]
async fn job(items: &mut Vec<u8>) -> usize {
    items.push(1);
    items.len()
}

fn main() {}
