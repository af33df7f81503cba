//! Functions that a `macro_rules` macro makes, with its variables in the arguments.

use shedlock::scheduler_lock;

macro_rules! jobs {
    ($($job:ident, $name:literal, $lease:literal, $argument:ident, $skip:expr, $ty:ty;)*) => {$(
        /// Locked.
        #[scheduler_lock(name = $name, at_most = $lease, on_skip = $skip)]
        pub async fn $job($argument: u32) -> $ty {
            tokio::task::yield_now().await;
            Some($argument)
        }
    )*};
}

jobs! {
    first, "first", "1m", shard, None, Option<u32>;
    second, "second-{shard}", "PT1M", shard, Some(0), Option<u32>;
}
