//! What the program prints: results on stdout, everything else on stderr.

use std::io::{self, ErrorKind, Write as _};
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::time::SystemTime;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shedlock_runtime::format_timestamp;

use crate::exit::{Exit, Failure};

/// The form of the lines on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For programs, one object a line
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Decides the form of all lines from now on. The first decision counts.
pub(crate) fn speak(format: LogFormat) {
    let _decided = FORMAT.set(format);
}

/// The form of the lines on stderr.
pub(crate) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or(LogFormat::Text)
}

/// How urgent a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Info,
    Warning,
    Error,
}

/// One line on stderr, for programs. The names of the fields do not change.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    level: Level,
    lock: Option<&'a str>,
    message: &'a str,
}

/// Says one line on stderr. A line that cannot be printed has nobody to read it.
pub(crate) fn say(level: Level, text: &str) {
    write(level, None, text);
}

/// Says one line on stderr that is about the lock `name`.
pub(crate) fn say_of(level: Level, name: &str, text: &str) {
    write(level, Some(name), text);
}

fn write(level: Level, lock: Option<&str>, message: &str) {
    let line = match format() {
        LogFormat::Text => as_text(level, message),
        LogFormat::Json => as_json(level, lock, message),
    };
    // One write, so that the lines of several processes do not mix.
    let _written = io::stderr().write_all(line.as_bytes());
}

fn as_text(level: Level, message: &str) -> String {
    let word = match level {
        Level::Info => "",
        Level::Warning => "warning: ",
        Level::Error => "error: ",
    };
    format!("shedlock: {word}{message}\n")
}

fn as_json(level: Level, lock: Option<&str>, message: &str) -> String {
    let line = Line {
        time: format_timestamp(SystemTime::now()),
        level,
        lock,
        message,
    };
    // Texts and their names are all that the line has, which JSON can say.
    serde_json::to_string(&line).map_or_else(|_| as_text(level, message), |line| line + "\n")
}

/// Prints a result on stdout. A reader that has gone, as in `shedlock list | head -1`, is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_on(text).map(drop)
}

/// As [`print`], for a result that others follow: says whether anybody reads on.
pub(crate) fn print_on(text: &str) -> Result<ControlFlow<()>, Failure> {
    match deliver(text) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(not_written(&error)),
    }
}

/// Prints a result on stdout that must not be lost.
pub(crate) fn hand_over(text: &str) -> Result<(), Failure> {
    deliver(text).map_err(|error| not_written(&error))
}

fn deliver(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn not_written(error: &io::Error) -> Failure {
    Failure::new(Exit::INTERNAL, format!("cannot write to stdout: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_programs_is_one_object() {
        let line = as_json(Level::Warning, Some("mail"), "two\nlines");
        assert_eq!(line.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["level"], &line["lock"], &line["message"]),
            (&"warning".into(), &"mail".into(), &"two\nlines".into())
        );
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }
}
