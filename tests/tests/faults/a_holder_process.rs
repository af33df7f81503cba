//! Group A: what becomes of the process that holds the lock.

mod killed;
mod late;
mod stopped;
