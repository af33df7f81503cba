//! Texts that people write into files, and on stdin.

use std::fs::File;
use std::io::{self, Read, stdin};
use std::path::Path;

/// No text that people write is longer.
const LONGEST: u64 = 1024 * 1024;

pub(crate) fn read_file(path: &Path) -> io::Result<String> {
    read(File::open(path)?)
}

/// As [`read_file`]; `-` is stdin.
pub(crate) fn read_file_or_stdin(path: &Path) -> io::Result<String> {
    if path.as_os_str() == "-" {
        read(stdin())
    } else {
        read_file(path)
    }
}

/// Reads a whole text. A source that does not end, such as `/dev/zero`, is an error.
pub(crate) fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let length = source.take(LONGEST + 1).read_to_string(&mut text)?;
    if length as u64 > LONGEST {
        let problem = "it is longer than a mebibyte";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(text)
}
