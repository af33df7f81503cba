//! The real program, judged by what the store, the file system and the process table show.

mod bad_input;
mod config;
mod exit_codes;
mod loss;
mod operators;
mod processes;
mod recipes;
mod scripts;
mod secrets;
mod servers;
mod signals;
mod speech;
mod support;
mod terminal;
