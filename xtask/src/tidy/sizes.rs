//! The length of READMEs and source files.

use super::{Findings, Member, read, shown, source_files};
use std::collections::BTreeSet;
use std::path::Path;

const README_LIMIT: usize = 200;

/// Lines of a source file without its documentation and its unit tests. Documentation is left out, because every public item has to have it,
/// with an example: a wish that counted it would be granted by documenting less, or by parting items that are one job.
const SOURCE_WISH: usize = 300;

/// Lines of a source file with its documentation, which a reader scrolls through all the same, and without its unit tests.
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
            judge(&shown(root, &path), &read(&path)?, findings);
        }
    }
    Ok(())
}

fn judge(path: &str, source: &str, findings: &mut Findings) {
    let lines = before_unit_tests(source);
    let code = lines.iter().filter(|line| !is_documentation(line)).count();
    if lines.len() > SOURCE_LIMIT {
        findings.error(too_long(path, lines.len(), SOURCE_LIMIT));
    } else if code > SOURCE_WISH {
        let told = too_long(path, code, SOURCE_WISH);
        findings.warning(format!("{told}, without its documentation"));
    }
}

fn too_long(path: &str, lines: usize, limit: usize) -> String {
    format!("{path} has {lines} lines, more than {limit}")
}

/// The lines before the unit tests at a file's end.
fn before_unit_tests(source: &str) -> Vec<&str> {
    let mut lines: Vec<_> = source.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
    lines.truncate(tests.unwrap_or(lines.len()));
    lines
}

fn is_documentation(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("//!")
}

#[cfg(test)]
mod tests {
    use super::{before_unit_tests, check, judge};
    use crate::tidy::{Findings, Member};
    use std::fs;

    fn judged(source: &str) -> Findings {
        let mut findings = Findings::default();
        judge("x.rs", source, &mut findings);
        findings
    }

    #[test]
    fn unit_tests_do_not_count() {
        let lines = |source| before_unit_tests(source).len();
        assert_eq!(lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(lines("a\n#[cfg(test)]\nuse b;\n"), 3);
    }

    #[test]
    fn long_files_are_found() {
        for (lines, warnings, errors) in [(300, 0, 0), (301, 1, 0), (500, 1, 0), (501, 0, 1)] {
            let findings = judged(&"x\n".repeat(lines));
            assert_eq!(findings.warnings.len(), warnings, "{lines}");
            assert_eq!(findings.errors.len(), errors, "{lines}");
        }
        let findings = judged(&"x\n".repeat(501));
        assert_eq!(findings.errors, ["x.rs has 501 lines, more than 500"]);
    }

    #[test]
    fn documentation_counts_only_for_the_limit() {
        let documentation = "//! x\n".repeat(100) + &"    /// x\n".repeat(100);
        let comments = "// x\n".repeat(299);
        assert!(
            judged(&format!("{documentation}x\n{comments}"))
                .warnings
                .is_empty()
        );
        let findings = judged(&format!("{documentation}x\ny\n{comments}"));
        let told = "x.rs has 301 lines, more than 300, without its documentation";
        assert_eq!(findings.errors, ["x.rs has 501 lines, more than 500"]);
        assert!(findings.warnings.is_empty(), "an error is enough");
        let findings = judged(&format!("{}x\ny\n{comments}", "/// x\n".repeat(100)));
        assert_eq!(findings.warnings, [told]);
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
