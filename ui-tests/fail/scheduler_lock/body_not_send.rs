//! The body holds what is not `Send`: the compiler names it.

use shedlock::scheduler_lock;

use std::rc::Rc;

#[scheduler_lock(name = "job", at_most = "1m")]
async fn job() {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn send(_: impl Send) {}

fn check() {
    send(job());
}

fn main() {}
