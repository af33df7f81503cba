//! Prints what shedlock costs, figure by figure, beside its goal and the floor measured in the same run.
//!
//! Times are medians of interleaved rounds; counts are exact. Nothing is asserted: a machine that does something else
//! meanwhile moves times, and only ratios mean something on another machine.
#![expect(
    clippy::print_stdout,
    reason = "the tables are what this program is for"
)]

mod awake;
mod build;
mod clients;
mod command;
mod memory;
mod postgres;
mod redis;
mod sqlite;

use anyhow::Context as _;
use awake::Awake;
use clap::{Parser, ValueEnum};
use shedlock_benches::table::Table;

#[derive(Parser)]
#[command(about = "Prints what shedlock costs, beside the goals")]
struct Arguments {
    /// The parts to measure, instead of all but the build.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Also measures clean builds, which takes minutes.
    #[arg(long)]
    build: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Memory,
    Postgres,
    /// The provider over tokio-postgres alone, which `postgres` includes.
    PostgresPipelined,
    Redis,
    Sqlite,
    /// Size, start-up and memory of the command `shedlock`, which is built first.
    Command,
    Build,
}

impl Part {
    fn measure(self) -> anyhow::Result<Vec<Table>> {
        match self {
            Self::Memory => memory::measure(),
            Self::Postgres => postgres::measure(),
            Self::PostgresPipelined => postgres::measure_pipelined(),
            Self::Redis => redis::measure(),
            Self::Sqlite => sqlite::measure(),
            Self::Command => command::measure(),
            Self::Build => build::measure(),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut parts = match arguments.only.as_slice() {
        [] => vec![
            Part::Memory,
            Part::Sqlite,
            Part::Postgres,
            Part::Redis,
            Part::Command,
        ],
        only => only.to_vec(),
    };
    if arguments.build && !parts.contains(&Part::Build) {
        parts.push(Part::Build);
    }
    println!("{}", load());
    let _awake = Awake::start().context("`chrt` of util-linux keeps the cores awake")?;
    for part in parts {
        for table in part.measure()? {
            print!("{table}");
        }
    }
    println!("\n{}", load());
    Ok(())
}

/// How busy the machine is: figures from a busy one are worth less.
fn load() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    match std::fs::read_to_string("/proc/loadavg") {
        Ok(load) => {
            let recent = load.split(' ').next().unwrap_or_default();
            format!("{cores} cores, load {recent}")
        }
        Err(_) => format!("{cores} cores"),
    }
}
