//! Builds the error about the table of runs.

use shedlock_runtime::ErrorKind;

use super::Explained;
use crate::fault::Fault;
use crate::names::Names;
use crate::statements::template::one_line;

pub(super) fn about_table(names: &Names, fault: Fault, message: &str) -> Option<Explained> {
    let table = names.table();
    let ddl = one_line(&names.ddl());
    let (kind, problem, remedy) = match fault {
        Fault::MissingTable => (
            ErrorKind::Schema,
            format!("the table `{table}` for the history of runs does not exist"),
            format!("call `ensure_schema()` or run: {ddl}"),
        ),
        Fault::MissingColumn | Fault::Shape | Fault::TooLong | Fault::OutOfRange => (
            ErrorKind::Schema,
            format!("the table `{table}` is not as the history of runs needs it: {message}"),
            format!("compare it with: {ddl}"),
        ),
        Fault::Permission | Fault::Policy => (
            ErrorKind::Permission,
            format!(
                "the database's user may not use the table `{table}` for the history of runs: {message}"
            ),
            format!("run: {}", names.grant()),
        ),
        _ => return None,
    };
    Some((kind, problem, Some(remedy)))
}
