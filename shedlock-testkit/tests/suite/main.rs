//! The suite on providers that need no server, and on providers that are wrong on purpose.

mod cases;
mod memory;
mod planted;
mod record;
mod toy;
