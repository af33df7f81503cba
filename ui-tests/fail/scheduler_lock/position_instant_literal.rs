use shedlock::scheduler_lock;

#[scheduler_lock(name = "mail", at_most = "10m", instant = "order-17")]
async fn text() {}

#[scheduler_lock(name = "mail", at_most = "10m", instant = 1_700_000_000)]
async fn number() {}

fn main() {}
