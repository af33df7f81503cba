//! Group A: what becomes of the process that holds the lock.

mod alike;
mod asked;
mod killed;
mod late;
mod stopped;
