//! What a published crate's manifest says about it.

use super::{Findings, Member};
use std::path::Path;

/// What crates.io takes.
const MOST_KEYWORDS: usize = 5;

/// Checks every member that is published.
pub(super) fn check(root: &Path, members: &[Member], findings: &mut Findings) {
    for member in members.iter().filter(|member| member.published) {
        for lack in lacks(member) {
            findings.error(format!("`{}` is published but has no {lack}", member.name));
        }
        if let Some(readme) = &member.readme {
            let path = root.join(&member.folder).join(readme);
            if !path.is_file() {
                findings.error(format!(
                    "`{}` names a readme that is not there",
                    member.name
                ));
            }
        }
        if member.keywords.len() > MOST_KEYWORDS || member.categories.len() > MOST_KEYWORDS {
            findings.error(format!(
                "`{}` has more than {MOST_KEYWORDS} keywords or categories",
                member.name
            ));
        }
    }
}

fn lacks(member: &Member) -> Vec<&'static str> {
    let has = [
        ("description", member.description.is_some()),
        ("keywords", !member.keywords.is_empty()),
        ("categories", !member.categories.is_empty()),
        ("licence", member.licence.is_some()),
        ("readme", member.readme.is_some()),
        ("rust-version", member.rust_version.is_some()),
    ];
    has.into_iter()
        .filter(|(_, there)| !there)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{Findings, Member};
    use std::fs;
    use std::path::Path;

    fn good() -> Member {
        let some = || Some("x".to_owned());
        Member {
            name: "good".to_owned(),
            published: true,
            description: some(),
            keywords: vec!["lock".to_owned()],
            categories: vec!["database".to_owned()],
            licence: some(),
            readme: Some("README.md".into()),
            rust_version: some(),
            ..Member::default()
        }
    }

    fn errors(root: &Path, member: Member) -> Vec<String> {
        let mut findings = Findings::default();
        check(root, &[member], &mut findings);
        findings.errors
    }

    #[test]
    fn each_missing_field_is_found() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::write(root.join("README.md"), "# good").unwrap();
        assert_eq!(errors(root, good()), Vec::<String>::new());
        let lacking = Member {
            published: true,
            ..Member::default()
        };
        assert_eq!(errors(root, lacking).len(), 6);
        assert_eq!(errors(root, Member::default()), Vec::<String>::new());
        let many = Member {
            keywords: vec![String::new(); 6],
            ..good()
        };
        assert_eq!(errors(root, many).len(), 1);
        let dangling = Member {
            readme: Some("NONE.md".into()),
            ..good()
        };
        assert_eq!(
            errors(root, dangling),
            ["`good` names a readme that is not there"]
        );
    }
}
