//! What the program prints: results on stdout, everything else on stderr.

use std::io::{self, ErrorKind, Write as _};

use crate::exit::{Exit, Failure};

/// Says one line on stderr. A line that cannot be printed has nobody to read it.
pub(crate) fn say(line: &str) {
    // One write, so that the lines of several processes do not mix.
    let _written = io::stderr().write_all(format!("shedlock: {line}\n").as_bytes());
}

/// Prints a result on stdout. A reader that has gone, as in `shedlock list | head -1`, is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match deliver(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| not_written(&error)),
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
