//! Every public async function says what happens when its future is dropped.

use super::{Findings, Member, items, read, shown, source_files};
use std::path::Path;

const HEADING: &str = "# Cancel safety";

/// Checks the runtime, the providers and the adapters: there a dropped future may hold a lock.
pub(super) fn check(
    root: &Path,
    members: &[Member],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let concerned = members.iter().filter(|member| {
        member.name == "shedlock-runtime" || member.is_provider() || member.is_adapter()
    });
    for member in concerned {
        for path in source_files(root, member)? {
            for (line, function) in undocumented(&read(&path)?) {
                findings.error(format!(
                    "{}:{line}: `{function}` has no heading `{HEADING}`",
                    shown(root, &path)
                ));
            }
        }
    }
    Ok(())
}

/// Line number and name of each `pub async fn` whose docs lack the heading.
fn undocumented(source: &str) -> Vec<(usize, String)> {
    let functions = items::beginning_with(&["pub async fn "], source);
    let undocumented = functions
        .iter()
        .filter(|function| !function.docs().any(|line| line == HEADING));
    undocumented
        .map(|function| (function.line, function.name().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::undocumented;

    #[test]
    fn a_heading_is_required_of_public_async_functions_only() {
        let source = "
            fn a() {}
            async fn b() {}
            pub(crate) async fn c() {}
            /// # Cancel safety
            pub fn d() {}
            pub async fn e<T>() {}
            /// Takes a {lock}.
            ///
            /// # Cancel safety
            ///
            /// Harmless {
            #[expect(
                clippy::x,
                reason = \"y\"
            )]
            pub async fn f() {}
            /// Not safe.
            pub async fn g(&self) {}
            #[cfg(test)]
            mod tests {
                pub async fn h() {}
            }
        ";
        assert_eq!(
            undocumented(source),
            [(7, "e".to_owned()), (19, "g".to_owned())]
        );
    }
}
