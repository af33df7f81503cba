//! The real program, judged by what the store, the file system and the process table show.

mod bad_input;
mod bench;
mod config;
mod crontab;
#[cfg(feature = "tls")]
mod encrypted;
mod exit_codes;
mod inherited;
mod loss;
mod operators;
#[cfg(feature = "ping")]
mod pings;
mod processes;
mod recipes;
mod rehearsal;
mod scripts;
mod secrets;
#[cfg(feature = "serve")]
mod serve;
mod servers;
mod signals;
mod speech;
mod support;
mod terminal;
mod tmux;
mod top;
mod torture;
mod variables;
