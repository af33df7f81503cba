//! The list of cases and the files with the cases are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

macro_rules! listed {
    ((all) $($group:ident { $($case:ident)* })*) => {
        [$($(concat!(stringify!($group), "::", stringify!($case)).to_owned()),*),*]
    };
}

#[test]
fn no_case_is_forgotten() {
    let mut listed: BTreeSet<String> = shedlock_testkit::__conformance_cases!((listed) all).into();
    listed.extend(shedlock_testkit::__conformance_process_cases!((listed) all));
    let mut written = BTreeSet::new();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance")).unwrap()
    {
        let path = file.unwrap().path();
        let group = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            if let Some(rest) = line.strip_prefix("pub async fn ") {
                written.insert(format!("{group}::{}", rest.split('(').next().unwrap()));
            }
        }
    }
    assert_eq!(listed, written);
    assert!(listed.len() > 60, "{}", listed.len());
}
