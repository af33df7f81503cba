//! The front page shows no line that only rustdoc hides.

use super::{Findings, read};
use std::path::Path;

const FRONT_PAGE: &str = "README.md";

/// Checks the root README: a code host shows every line of a code block.
pub(super) fn check(root: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    for line in hidden_lines(&read(&root.join(FRONT_PAGE))?) {
        findings.error(format!(
            "{FRONT_PAGE}:{line}: hidden by rustdoc and shown by a code host"
        ));
    }
    Ok(())
}

/// The numbers of the lines in Rust code blocks that rustdoc hides.
fn hidden_lines(text: &str) -> Vec<usize> {
    let mut is_rust = false;
    let mut hidden = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            is_rust = line.starts_with("```rust");
        } else if is_rust && (line == "#" || line.starts_with("# ")) {
            hidden.push(index + 1);
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::hidden_lines;

    #[test]
    fn hidden_lines_of_rust_blocks_are_found() {
        let text = "# Title\n```rust,no_run\n#[attribute]\n# hidden\n#\n```\n# Part\n```sh\n# shown\n```\n";
        assert_eq!(hidden_lines(text), [4, 5]);
    }
}
