//! The table of the README against the tests that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The groups, and how many faults each has.
const GROUPS: [(char, u32); 5] = [('A', 11), ('B', 15), ('C', 10), ('D', 21), ('G', 11)];

/// The rows of the table: an id, and the tests that are named for it.
fn rows(readme: &str) -> Vec<(String, Vec<String>)> {
    let cells = |line: &str| -> Vec<String> {
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    readme
        .lines()
        .map(cells)
        .filter(|cells| cells.len() == 5 && is_id(&cells[1]))
        .map(|cells| {
            let tests = cells[2].split('`').skip(1).step_by(2);
            (cells[1].clone(), tests.map(str::to_owned).collect())
        })
        .collect()
}

fn is_id(cell: &str) -> bool {
    let mut letters = cell.chars();
    letters
        .next()
        .is_some_and(|group| GROUPS.iter().any(|(known, _)| *known == group))
        && letters.next().is_some_and(|digit| digit.is_ascii_digit())
        && letters.all(|digit| digit.is_ascii_digit())
}

/// The functions of the folder that are named after an id.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the tests are there") {
        let path = entry.expect("the tests are there").path();
        if path.is_dir() {
            tests_in(&path, found);
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source file");
        let functions = source.split("fn ").skip(1);
        let names = functions.filter_map(|rest| rest.split('(').next());
        found.extend(
            names
                .filter(|name| {
                    let id = name.split('_').next().unwrap_or_default();
                    name.contains('_') && is_id(&id.to_uppercase())
                })
                .map(str::to_owned),
        );
    }
}

#[test]
fn the_readme_lists_every_fault_and_every_test() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(package.join("README.md")).expect("it is there");
    let rows = rows(&readme);
    let ids: Vec<&str> = rows.iter().map(|(id, _)| &**id).collect();
    let all: Vec<String> = GROUPS
        .iter()
        .flat_map(|(group, last)| (1..=*last).map(move |number| format!("{group}{number}")))
        .collect();
    assert_eq!(ids, all, "the ids of the table");
    let mut found = BTreeSet::new();
    tests_in(&package.join("tests/faults"), &mut found);
    let memory = fs::read_to_string(package.join("tests/memory.rs")).expect("it is there");
    found.extend(
        memory
            .contains("fn b13_a_hundred_thousand_locks_held_in_one_process(")
            .then(|| "b13_a_hundred_thousand_locks_held_in_one_process".to_owned()),
    );
    let mut listed = BTreeSet::new();
    for (id, tests) in &rows {
        for test in tests {
            let own = format!("{}_", id.to_lowercase());
            assert!(test.starts_with(&own), "`{test}` stands beside {id}");
            assert!(listed.insert(test.clone()), "`{test}` is listed twice");
        }
    }
    let missing: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    assert!(gone.is_empty(), "in the README, and no test: {gone:?}");
}
