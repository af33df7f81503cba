//! The compile errors of the macros: a minimum number of cases, each with its expected message.

use super::{Findings, files_below, shown};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many situations the fail folder must have.
const FEWEST: usize = 45;

/// Checks `ui-tests/fail`.
pub(super) fn check(root: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    let files = files_below(&root.join("ui-tests/fail"))?;
    let with = |extension: &str| -> BTreeSet<PathBuf> {
        let files = files
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == extension));
        files.map(|path| path.with_extension("")).collect()
    };
    let (cases, messages) = (with("rs"), with("stderr"));
    for case in cases.difference(&messages) {
        findings.error(format!("{}.rs has no .stderr beside it", shown(root, case)));
    }
    for message in messages.difference(&cases) {
        findings.error(format!(
            "{}.stderr has no .rs beside it",
            shown(root, message)
        ));
    }
    if cases.len() < FEWEST {
        let count = cases.len();
        findings.error(format!(
            "ui-tests/fail has {count} cases, fewer than {FEWEST}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FEWEST, check};
    use crate::tidy::Findings;
    use std::fs;

    #[test]
    fn pairs_and_their_number_are_checked() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ui-tests/fail/enable");
        fs::create_dir_all(&folder).unwrap();
        let errors = || {
            let mut findings = Findings::default();
            check(root.path(), &mut findings).unwrap();
            findings.errors
        };
        for case in 0..FEWEST {
            fs::write(folder.join(format!("case_{case}.rs")), "").unwrap();
            fs::write(folder.join(format!("case_{case}.stderr")), "").unwrap();
        }
        assert_eq!(errors(), Vec::<String>::new());
        fs::write(folder.join("old.stderr"), "").unwrap();
        fs::remove_file(folder.join("case_0.stderr")).unwrap();
        fs::remove_file(folder.join("case_1.stderr")).unwrap();
        fs::remove_file(folder.join("case_1.rs")).unwrap();
        assert_eq!(
            errors(),
            [
                "ui-tests/fail/enable/case_0.rs has no .stderr beside it",
                "ui-tests/fail/enable/old.stderr has no .rs beside it",
                "ui-tests/fail has 44 cases, fewer than 45",
            ]
        );
    }
}
