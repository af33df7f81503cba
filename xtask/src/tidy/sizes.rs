//! The length of READMEs and source files.

use super::{Findings, Member, read, shown, source_files};
use std::collections::BTreeSet;
use std::path::Path;

const README_LIMIT: usize = 200;
const SOURCE_WISH: usize = 300;
const SOURCE_LIMIT: usize = 500;

/// Checks the READMEs and every source file outside the tests.
pub(super) fn check(
    root: &Path,
    members: &[Member],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut readmes: BTreeSet<_> = members
        .iter()
        .map(|member| root.join(&member.folder).join("README.md"))
        .collect();
    readmes.insert(root.join("README.md"));
    for readme in readmes.iter().filter(|path| path.is_file()) {
        let lines = read(readme)?.lines().count();
        if lines > README_LIMIT {
            findings.error(too_long(&shown(root, readme), lines, README_LIMIT));
        }
    }
    for member in members {
        for path in source_files(root, member)? {
            judge(&shown(root, &path), code_lines(&read(&path)?), findings);
        }
    }
    Ok(())
}

fn judge(path: &str, lines: usize, findings: &mut Findings) {
    if lines > SOURCE_LIMIT {
        findings.error(too_long(path, lines, SOURCE_LIMIT));
    } else if lines > SOURCE_WISH {
        findings.warning(too_long(path, lines, SOURCE_WISH));
    }
}

fn too_long(path: &str, lines: usize, limit: usize) -> String {
    format!("{path} has {lines} lines, more than {limit}")
}

/// The lines before the unit tests at a file's end.
fn code_lines(source: &str) -> usize {
    let lines: Vec<_> = source.lines().collect();
    lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"))
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::{check, code_lines, judge};
    use crate::tidy::{Findings, Member};
    use std::fs;

    #[test]
    fn unit_tests_do_not_count() {
        assert_eq!(code_lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(code_lines("a\n#[cfg(test)]\nuse b;\n"), 3);
    }

    #[test]
    fn long_files_are_found() {
        let mut findings = Findings::default();
        for lines in [300, 301, 500, 501] {
            judge("x.rs", lines, &mut findings);
        }
        assert_eq!(findings.warnings.len(), 2);
        assert_eq!(findings.errors, ["x.rs has 501 lines, more than 500"]);
    }

    #[test]
    fn test_files_may_be_long_and_readmes_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("x/src/a")).unwrap();
        fs::write(root.join("x/src/a/tests.rs"), "\n".repeat(501)).unwrap();
        fs::write(root.join("x/src/a.rs"), "\n".repeat(501)).unwrap();
        fs::write(root.join("x/README.md"), "\n".repeat(201)).unwrap();
        fs::write(root.join("README.md"), "\n".repeat(200)).unwrap();
        let member = Member {
            folder: "x".into(),
            ..Member::default()
        };
        let mut findings = Findings::default();
        check(root, &[member], &mut findings).unwrap();
        assert_eq!(
            findings.errors,
            [
                "x/README.md has 201 lines, more than 200",
                "x/src/a.rs has 501 lines, more than 500"
            ]
        );
    }
}
