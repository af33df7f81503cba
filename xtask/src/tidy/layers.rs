//! The folders of the runtime are its layers: what lies in one names only itself and the layers below.

use super::{Findings, Member, read, shown, source_files};
use std::path::Path;

pub(super) const RUNTIME: &str = "shedlock-runtime";

/// From the highest to the lowest. Folders of one row do not know each other.
const ROWS: &[&[&str]] = &[
    &["testing"],
    &["run", "process"],
    &["hold", "stores"],
    &["observe", "wrappers"],
    &["seam"],
    &["values"],
];

/// What the crate's root holds beside the layers; it may name all of them.
const ROOT: &[&str] = &["lib.rs", "private.rs", "private"];

/// Checks every file of the runtime against its layer.
pub(super) fn check(
    root: &Path,
    members: &[Member],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for member in members.iter().filter(|member| member.name == RUNTIME) {
        let src = root.join(&member.folder).join("src");
        for path in source_files(root, member)? {
            let within = path.strip_prefix(&src).unwrap_or(&path);
            for (line, problem) in wrong(within, &read(&path)?) {
                findings.error(format!("{}:{line}: {problem}", shown(root, &path)));
            }
        }
    }
    Ok(())
}

/// The layer that a folder is, if it is one.
pub(super) fn layer(folder: &str) -> Option<&'static str> {
    let mut layers = ROWS.iter().copied().flatten().copied();
    layers.find(|layer| *layer == folder)
}

/// The row of a folder, counted from the highest.
fn row(folder: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&folder))
}

/// Line number and text of each arrow that does not go down.
fn wrong(within: &Path, source: &str) -> Vec<(usize, String)> {
    let first = within.iter().next().and_then(|first| first.to_str());
    let first = first.unwrap_or_default();
    if ROOT.contains(&first) {
        return Vec::new();
    }
    let folder = first.trim_end_matches(".rs");
    let Some(own) = row(folder) else {
        let unknown = format!("`{folder}` is no layer: see `xtask/src/tidy/layers.rs`");
        return vec![(1, unknown)];
    };
    let mut found = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for path in code.split("crate::").skip(1) {
            let named = path
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .unwrap_or_default();
            let problem = match row(named) {
                Some(row) if row > own || named == folder => continue,
                Some(_) => format!("`{folder}` names `{named}`, which is not below it"),
                None => format!("`crate::{named}` does not say in which layer it is"),
            };
            found.push((index + 1, problem));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::wrong;
    use std::path::Path;

    fn problems(path: &str, source: &str) -> Vec<usize> {
        let found = wrong(Path::new(path), source);
        found.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn imports_of_lower_layers_pass() {
        let source = "
            use crate::hold::held::LockState;
            use crate::run::gate;
            use crate::values::name::LockName;
            /// See [`lock`](crate::lock) and [`crate::testing`].
            fn f() -> crate::seam::lease::Lease {}
        ";
        assert!(problems("run/executor.rs", source).is_empty());
        assert!(problems("lib.rs", "pub use crate::testing;").is_empty());
        assert!(problems("private/run.rs", "use crate::run::lock;").is_empty());
    }

    #[test]
    fn imports_of_upper_or_sibling_layers_are_found() {
        let climbs = "use crate::values::name;\nuse crate::hold::held::LockState;";
        assert_eq!(problems("observe/events/log.rs", climbs), [2]);
        assert_eq!(problems("observe.rs", climbs), [2]);
        let crosses = "use crate::wrappers::namespace;";
        assert_eq!(problems("observe/listener.rs", crosses), [1]);
        assert_eq!(problems("values/x.rs", "use crate::seam::lease;"), [1]);
    }

    #[test]
    fn a_path_without_its_layer_is_found() {
        let hides = "use crate::{LockName};\nuse crate::LockName;";
        assert_eq!(problems("seam/lease.rs", hides), [1, 2]);
    }

    #[test]
    fn a_folder_that_is_no_layer_is_found() {
        assert_eq!(problems("misc/x.rs", ""), [1]);
        assert_eq!(problems("misc.rs", ""), [1]);
    }
}
