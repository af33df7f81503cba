//! Tools for every kind of server: finding programs and ports, and running commands.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Site;

/// Expands a directory name in which `*` stands for the newest version, as in `/usr/lib/postgresql/*/bin`.
fn expand(pattern: &str) -> Option<PathBuf> {
    let Some((before, after)) = pattern.split_once("/*/") else {
        return Some(PathBuf::from(pattern));
    };
    let version = |path: &Path| {
        path.file_name()
            .and_then(OsStr::to_str)
            .and_then(|name| name.parse::<u32>().ok())
    };
    fs::read_dir(before)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join(after).is_dir())
        .max_by_key(|path| version(path))
        .map(|path| path.join(after))
}

/// Finds a program in the given directories, and then on the path.
pub(super) fn find(program: &str, directories: &[&str]) -> Option<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    directories
        .iter()
        .filter_map(|directory| expand(directory))
        .chain(env::split_paths(&on_path))
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Returns the last lines of a log, for a message.
pub(super) fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// Runs a program of the server's package under the server's account, in the server's directory.
pub(super) fn run_in(site: &Site, command: &mut Command) -> io::Result<String> {
    command.current_dir(site.directory());
    if let Some(account) = &site.account {
        account.apply(command);
    }
    run(command, "")
}

/// Runs a program to its end with `input` on standard input, and returns its output.
pub(super) fn run(command: &mut Command, input: &str) -> io::Result<String> {
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has failed early does not read its input, and its exit status says more than the broken pipe.
        let _broken_pipe = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!(
            "`{program}` failed with {}: {}",
            output.status,
            said.trim()
        )))
    }
}
