//! Where the user's own files are.

use std::env;
use std::path::PathBuf;

/// The folder that the variable names.
pub(crate) fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(variable)?);
    // The specification of these directories: a relative path is to be ignored.
    path.is_absolute().then_some(path)
}
