//! The command `shedlock`: runs programs under a lock, and shows and mends the locks of a store.

#[cfg(not(unix))]
compile_error!("the command `shedlock` needs process groups and signals, which only Unix has");

mod args;
mod bench;
mod config;
mod cron;
mod doctor;
mod exit;
mod figures;
mod folders;
mod generate;
mod input;
mod lock;
mod migrate;
mod operate;
mod output;
mod run;
mod secret;
#[cfg(feature = "serve")]
mod serve;
mod store;
mod stores;
#[cfg(feature = "top")]
mod top;
mod torture;
mod trial;
mod view;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use shedlock_runtime::{SchedulerLock, ShutdownPolicy};

use crate::args::{Cli, Command};
use crate::config::Unusable;
use crate::exit::{Exit, Failure};

/// How long the program stays after its work to give back what it may have taken.
const GIVING_BACK: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    // Before all else: these two are started by `run` and have no store, no runtime and no options.
    if let Some(exit) = run::as_helper(env::args_os()) {
        return exit.into();
    }
    let cli = match config::command_line(env::args_os()) {
        Ok(cli) => cli,
        Err(Unusable::Arguments(error)) => return usage(&error).into(),
        Err(Unusable::File(failure)) => return failure.report().into(),
    };
    cli.output.color.write_global();
    output::speak(cli.output.log_format);
    #[cfg(any(feature = "tls", feature = "ping"))]
    // A build with other stores may have two of them, and would not choose. What is installed already is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    match start(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report().into(),
    }
}

/// Help and version are no errors; the exit code of the others is not clap's.
fn usage(error: &clap::Error) -> Exit {
    // What cannot be printed has nobody to read it.
    let _printed = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::SUCCESS,
        _ => Exit::USAGE,
    }
}

fn start(cli: Cli) -> Result<Exit, Failure> {
    // One thread: a command dies with the thread that started it, and a lock is not in a hurry.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("the system gave no event loop: {error}")))?;
    let ended = runtime.block_on(async {
        let ended = execute(cli).await;
        // What a lost answer may have granted, or a release that is tried again, is not left to the end of its lease.
        SchedulerLock::shutdown(ShutdownPolicy::Await(GIVING_BACK)).await;
        ended
    });
    // A name that is being looked up for a store that nobody waits for any more must not hold up the exit.
    runtime.shutdown_background();
    ended
}

async fn execute(cli: Cli) -> Result<Exit, Failure> {
    let store = &cli.store;
    match cli.command {
        Command::Run(options) => run::run(&options, store).await,
        Command::Lock(options) => lock::lock(&options, store).await,
        Command::Extend(options) => lock::extend(&options, store).await,
        Command::Unlock(options) => lock::unlock(&options, store).await,
        Command::List(options) => view::list(&options, store).await,
        #[cfg(feature = "top")]
        Command::Top(options) => top::top(&options, store).await,
        Command::Get(options) => view::get(&options, store).await,
        Command::History(options) => view::history(&options, store).await,
        Command::Wait(options) => operate::wait(&options, store).await,
        Command::Release(options) => operate::release(&options, store).await,
        Command::Pause(options) => operate::pause(&options, store).await,
        Command::Resume(options) => operate::resume(&options, store).await,
        Command::Migrate(what) => migrate::migrate(what, store).await,
        Command::Doctor(options) => doctor::doctor(&options, store).await,
        Command::Bench(options) => bench::bench(&options, store).await,
        Command::Torture(options) => torture::torture(&options, store).await,
        Command::Cron(command) => cron::cron(&command, store),
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve::serve(&options, store).await,
        Command::Completions(options) => generate::completions(&options),
        Command::Man(options) => generate::man(&options),
    }
}
