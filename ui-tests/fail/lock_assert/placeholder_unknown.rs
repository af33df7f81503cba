//! The name uses a variable that does not exist.

use shedlock::lock_assert;

fn main() {
    lock_assert!("sync-{tenant}");
}
