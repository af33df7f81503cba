//! What no tracked file may contain: a path of one machine, or another registry than crates.io.

use super::{Findings, shown};
use std::fs;
use std::path::{Path, PathBuf};

/// The first folders of paths that exist on one machine only; written in
/// halves, so that this file passes its own rule.
const MACHINE_FOLDERS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Where every locked crate comes from.
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Checks every tracked file that is text.
pub(super) fn check(root: &Path, tracked: &[PathBuf], findings: &mut Findings) {
    for path in tracked {
        // A file that is no text, or deleted but not yet committed, holds no path to read.
        let Ok(text) = fs::read_to_string(root.join(path)) else {
            continue;
        };
        let file = shown(root, path);
        for (index, line) in text.lines().enumerate() {
            if let Some(folder) = machine_folder(line) {
                findings.error(format!(
                    "{file}:{}: a machine's path, `{folder}..`",
                    index + 1
                ));
            }
            if path.ends_with("Cargo.lock") && is_foreign_source(line) {
                findings.error(format!("{file}:{}: not from crates.io: {line}", index + 1));
            }
        }
    }
}

/// The machine folder a path in this line begins with.
fn machine_folder(line: &str) -> Option<&'static str> {
    MACHINE_FOLDERS.iter().copied().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            // Behind a name the folder is in the middle of some other path or URL.
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-~*}>)$".contains(c))
        })
    })
}

fn is_foreign_source(line: &str) -> bool {
    line.starts_with("source = ") && line != CRATES_IO
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::Findings;
    use std::fs;

    fn errors(name: &str, text: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(name), text).unwrap();
        let mut findings = Findings::default();
        check(root.path(), &[name.into(), "gone.rs".into()], &mut findings);
        findings.errors
    }

    #[test]
    fn machine_paths_are_found() {
        for folder in super::MACHINE_FOLDERS {
            for line in [
                format!("{folder}x"),
                format!("cd \"{folder}x\""),
                format!("a={folder}"),
            ] {
                assert_eq!(
                    errors("a.md", &format!("fine\n{line}\n")).len(),
                    1,
                    "{line}"
                );
            }
            for line in [format!("https://x.org{folder}y"), format!("target{folder}")] {
                assert_eq!(errors("a.md", &line), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn crates_come_from_one_place() {
        assert_eq!(errors("Cargo.lock", super::CRATES_IO), Vec::<String>::new());
        assert_eq!(
            errors("Cargo.lock", "source = \"git+https://x.org/y\"").len(),
            1
        );
        assert_eq!(
            errors("a.toml", "source = \"git+https://x.org/y\""),
            Vec::<String>::new()
        );
    }
}
