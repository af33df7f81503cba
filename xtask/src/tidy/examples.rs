//! Every exported type of a published crate has an example in its documentation.

use super::items::{self, Item};
use super::{Findings, Member, read, shown, source_files};
use std::path::Path;

/// What begins an exported type. The lint `unreachable_pub` sees to it that everything public is exported.
const TYPES: &[&str] = &["pub struct ", "pub enum ", "pub trait ", "pub union "];

/// Ends the sentence "See .. for an example", where an example of its own would repeat another type's.
const ELSEWHERE: &str = "for an example.";

/// Checks the published crates, without what only expansions of macros name.
pub(super) fn check(
    root: &Path,
    members: &[Member],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for member in members.iter().filter(|member| member.published) {
        for path in source_files(root, member)? {
            let file = shown(root, &path);
            if is_private(&file) {
                continue;
            }
            for (line, name) in without_example(&read(&path)?) {
                findings.error(format!(
                    "{file}:{line}: the docs of `{name}` have no example"
                ));
            }
        }
    }
    Ok(())
}

fn is_private(file: &str) -> bool {
    file.ends_with("/private.rs") || file.contains("/private/")
}

/// Line number and name of each exported type whose docs have no example and name no other type that has one.
fn without_example(source: &str) -> Vec<(usize, String)> {
    let types = items::beginning_with(TYPES, source);
    types
        .iter()
        .filter(|item| is_documented(item) && !item.docs().any(has_example))
        .map(|item| (item.line, item.name().to_owned()))
        .collect()
}

/// Whether the item is in the documentation: not hidden, and not in a module that cannot be named from outside.
fn is_documented(item: &Item<'_>) -> bool {
    !item.has_attribute("doc(hidden)") && !item.has_attribute("unnameable_types")
}

fn has_example(line: &str) -> bool {
    line.starts_with("```") || (line.starts_with("See [`") && line.ends_with(ELSEWHERE))
}

#[cfg(test)]
mod tests {
    use super::{is_private, without_example};

    #[test]
    fn an_example_is_required_of_exported_types_only() {
        let source = "
            struct A;
            pub(crate) struct B;
            /// No example.
            pub struct C<T>(T);
            /// ```
            /// let d = D;
            /// ```
            #[derive(Debug)]
            pub struct D;
            /// See [`D`] for an example.
            pub enum E {
                F,
            }
            /// See `D`.
            pub trait G: Send {
                /// ```
                /// ```
                fn h();
            }
            #[doc(hidden)]
            pub struct I;
            /// Not of `unnameable_types`.
            #[expect(
                unnameable_types,
                reason = \"y\"
            )]
            pub struct K;
            #[cfg(test)]
            mod tests {
                pub struct J;
            }
        ";
        assert_eq!(
            without_example(source),
            [(5, "C".to_owned()), (16, "G".to_owned())]
        );
    }

    #[test]
    fn private_files_need_none() {
        assert!(is_private("a/src/private.rs"));
        assert!(is_private("a/src/private/run.rs"));
        assert!(!is_private("a/src/run.rs"));
    }
}
