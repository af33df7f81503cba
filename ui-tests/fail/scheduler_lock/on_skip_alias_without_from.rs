//! An alias of a `Result` whose error type does not take a lock's error, with `on_skip`.

use shedlock::scheduler_lock;

type Done = Result<u32, std::fmt::Error>;

#[scheduler_lock(name = "job", at_most = "1m", on_skip = Ok(0))]
async fn job() -> Done {
    Ok(1)
}

fn main() {}
