//! The provider template: every crate around a driver has the same files and headings.

use super::{Findings, Member, imports};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The README's headings in their order; a few of them go by two names.
const HEADINGS: &[&[&str]] = &[
    &["What it needs"],
    &["Quick start"],
    &["Guarantees"],
    &["Schema", "Schema or script"],
    &["Options"],
    &["Versions"],
];

/// The modules every provider has, each as `src/<name>.rs` or a folder of that name.
const MODULES: &[&str] = &["provider", "options", "error"];

/// Checks every provider that has a driver.
pub(super) fn check(root: &Path, members: &[Member], findings: &mut Findings) {
    let ours: BTreeSet<_> = members.iter().map(|member| member.name.as_str()).collect();
    let front_page = fs::read_to_string(root.join("README.md")).unwrap_or_default();
    for provider in members.iter().filter(|member| member.is_provider()) {
        if imports::drivers(provider, &ours).is_empty() {
            continue;
        }
        let folder = root.join(&provider.folder);
        for problem in problems(&folder) {
            findings.error(format!("`{}`: {problem}", provider.folder.display()));
        }
        if !has_row(&front_page, &provider.name) {
            findings.error(format!(
                "the root README.md has no row about `{}`",
                provider.name
            ));
        }
    }
}

fn problems(folder: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for file in [
        "src/lib.rs",
        "README.md",
        "CHANGELOG.md",
        "tests/conformance.rs",
    ] {
        if !folder.join(file).is_file() {
            problems.push(format!("no `{file}`"));
        }
    }
    for module in MODULES {
        let path = folder.join("src").join(module);
        if !path.is_dir() && !path.with_extension("rs").is_file() {
            problems.push(format!("no `src/{module}.rs`"));
        }
    }
    if let Ok(suite) = fs::read_to_string(folder.join("tests/conformance.rs"))
        && !calls_conformance(&suite)
    {
        problems.push("`tests/conformance.rs` does not call `conformance!`".to_owned());
    }
    if let Ok(readme) = fs::read_to_string(folder.join("README.md")) {
        problems.extend(heading_problem(&readme));
    }
    problems
}

fn calls_conformance(suite: &str) -> bool {
    suite
        .lines()
        .any(|line| !line.trim_start().starts_with("//") && line.contains("conformance!"))
}

/// Whether a line of a table names the crate.
fn has_row(readme: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .any(|row| row.split(|c| !is_part(c)).any(|word| word == name))
}

/// Says which heading is the first that is missing or out of its order.
fn heading_problem(readme: &str) -> Option<String> {
    let mut found = readme
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::trim);
    for names in HEADINGS {
        if !found.any(|heading| names.contains(&heading)) {
            return Some(format!(
                "README.md has no heading `## {}` in its place",
                names[0]
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{has_row, heading_problem, problems};
    use std::fs;

    const README: &str = "# x\n## What it needs\n## Quick start\n## Guarantees\n\
                          ## Schema or script\n## More\n## Options\n## Versions\n";

    #[test]
    fn headings_are_required_in_order() {
        assert_eq!(heading_problem(README), None);
        let without = README.replace("## Options\n", "");
        assert!(heading_problem(&without).is_some_and(|problem| problem.contains("Options")));
        let mut turned = README.replace("## Quick start\n", "");
        turned.push_str("## Quick start\n");
        assert!(heading_problem(&turned).is_some());
    }

    #[test]
    fn a_row_names_the_crate_itself() {
        let readme = "shedlock-redis\n| [`shedlock-sqlx`](providers/shedlock-sqlx) | x |\n";
        assert!(has_row(readme, "shedlock-sqlx"));
        assert!(!has_row(readme, "shedlock-sql"));
        assert!(!has_row(readme, "shedlock-redis"));
    }

    #[test]
    fn each_missing_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(problems(folder).len(), 7);
        for sub in ["src/provider", "tests"] {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        for file in [
            "src/lib.rs",
            "src/options.rs",
            "src/error.rs",
            "CHANGELOG.md",
        ] {
            fs::write(folder.join(file), "").unwrap();
        }
        fs::write(folder.join("README.md"), README).unwrap();
        fs::write(folder.join("tests/conformance.rs"), "// conformance!(x);").unwrap();
        assert_eq!(
            problems(folder),
            ["`tests/conformance.rs` does not call `conformance!`"]
        );
        fs::write(folder.join("tests/conformance.rs"), "conformance!(x);").unwrap();
        assert_eq!(problems(folder), Vec::<String>::new());
    }
}
