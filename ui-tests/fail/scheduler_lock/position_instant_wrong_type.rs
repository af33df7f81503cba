use shedlock::scheduler_lock;

#[scheduler_lock(name = "mail", at_most = "10m", instant = id)]
async fn number(id: u64) {}

fn main() {}
