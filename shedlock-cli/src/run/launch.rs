//! Starts the command, by way of a helper: this program once more, which asks for a signal at its parent's death and becomes the command.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::SystemTime;
use std::{env, process};

use nix::unistd::Pid;
use shedlock_runtime::{format_timestamp, lock, printable};

use super::supervise::Job;
use crate::exit::Exit;
use crate::output::{self, Level, LogFormat};
use crate::store::STORE_VARIABLE;

/// The argument that makes this program the helper.
pub(super) const HELPER: &str = "__become-command";

/// Says that the helper's own lines are JSON.
const JSON: &str = "json";

/// What no command gets to see.
const SECRETS: &[&str] = &[
    STORE_VARIABLE,
    crate::lock::TOKEN_VARIABLE,
    "SHEDLOCK_PING",
    "SHEDLOCK_OPERATOR_TOKENS",
];

/// Starts the command as the leader of a process group of its own. The lock is the calling task's.
pub(super) fn start(job: &Job) -> io::Result<Child> {
    let mut helper = this_program();
    helper
        .arg(HELPER)
        .arg(process::id().to_string())
        .arg(match output::format() {
            LogFormat::Json => JSON,
            LogFormat::Text => "text",
        })
        .args(&job.command);
    for secret in SECRETS {
        helper.env_remove(secret);
    }
    // Those of an outer `shedlock run` would be taken for this one's.
    helper
        .env_remove("SHEDLOCK_FENCE")
        .env_remove("SHEDLOCK_DEADLINE");
    helper.envs(variables(job));
    helper.process_group(0).spawn()
}

/// What the command is told of its lock.
fn variables(job: &Job) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("SHEDLOCK_NAME", job.name.clone()),
        ("SHEDLOCK_NODE", job.node.clone()),
    ];
    if job.is_locked {
        let left = lock::remaining().unwrap_or_default();
        variables.push((
            "SHEDLOCK_DEADLINE",
            format_timestamp(SystemTime::now() + left),
        ));
        if let Some(token) = lock::fencing_token() {
            variables.push(("SHEDLOCK_FENCE", token.to_string()));
        }
    }
    variables
}

/// This program, also when its file has been replaced since it started.
pub(super) fn this_program() -> Command {
    let link = PathBuf::from("/proc/self/exe");
    let program = match env::current_exe() {
        _ if link.exists() => link,
        Ok(program) => program,
        Err(_) => PathBuf::from("shedlock"),
    };
    let mut command = Command::new(program);
    command.arg0("shedlock");
    command
}

/// Becomes the command. Returns only if that failed.
pub(super) fn become_command(mut arguments: impl Iterator<Item = OsString>) -> Exit {
    let parent = arguments
        .next()
        .and_then(|parent| parent.to_str()?.parse().ok());
    let format = arguments.next();
    let (Some(parent), Some(program)) = (parent, arguments.next()) else {
        return Exit::INTERNAL;
    };
    if format.is_some_and(|format| format == JSON) {
        output::speak(LogFormat::Json);
    }
    if !dies_with(Pid::from_raw(parent)) {
        return Exit::INTERNAL;
    }
    let error = Command::new(&program).args(arguments).exec();
    let (exit, problem) = match error.kind() {
        ErrorKind::NotFound => (Exit::NOT_FOUND, "does not exist".to_owned()),
        ErrorKind::PermissionDenied => (Exit::NOT_EXECUTABLE, "is not executable".to_owned()),
        _ => (Exit::NOT_EXECUTABLE, format!("cannot be executed: {error}")),
    };
    let program = program.to_string_lossy();
    let text = format!("the command `{}` {problem}", printable(&program));
    output::say(Level::Error, &text);
    exit
}

/// Asks for TERM when the parent dies; false if the parent has died already.
fn dies_with(parent: Pid) -> bool {
    #[cfg(target_os = "linux")]
    // Where the kernel refuses, the guard ends the command.
    let _asked = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM);
    nix::unistd::getppid() == parent
}
