//! The items of a source file, with the docs and attributes above them.

/// The first line of an item, and what stands above it.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// The line number, counted from one.
    pub(super) line: usize,
    /// What follows the prefix: the name, and more.
    rest: &'a str,
    /// Docs and attributes, in order.
    above: Vec<&'a str>,
}

impl<'a> Item<'a> {
    /// The name of the item.
    pub(super) fn name(&self) -> &'a str {
        let end = |c: char| !(c.is_alphanumeric() || c == '_');
        self.rest.split(end).next().unwrap_or(self.rest)
    }

    /// The lines of the item's docs, without the slashes.
    pub(super) fn docs(&self) -> impl Iterator<Item = &'a str> {
        let docs = self.above.iter();
        docs.filter_map(|line| line.strip_prefix("///").map(str::trim))
    }

    /// Whether one of the attributes above the item contains `text`.
    pub(super) fn has_attribute(&self, text: &str) -> bool {
        let attributes = self.above.iter().filter(|line| !line.starts_with("///"));
        attributes.into_iter().any(|line| line.contains(text))
    }
}

/// The items of `source` that begin with one of the `prefixes`, without the tests at its end.
pub(super) fn beginning_with<'a>(prefixes: &[&str], source: &'a str) -> Vec<Item<'a>> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let item = |index: usize| {
        let rest = prefixes
            .iter()
            .find_map(|prefix| lines[index].strip_prefix(prefix))?;
        let above = lines[..index].iter().rev();
        let above = above.take_while(|line| belongs_to_next_item(line));
        let mut above: Vec<_> = above.copied().collect();
        above.reverse();
        Some(Item {
            line: index + 1,
            rest,
            above,
        })
    };
    (0..end(&lines)).filter_map(item).collect()
}

/// Where the tests of a file begin, which are the last thing in it.
fn end(lines: &[&str]) -> usize {
    let is_tests = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
    let tests = lines.windows(2).position(is_tests);
    tests.unwrap_or(lines.len())
}

/// Docs, attributes and the inner lines of an attribute over several lines.
fn belongs_to_next_item(line: &str) -> bool {
    line.starts_with("///")
        || line.starts_with("#[")
        || !(line.is_empty() || line.ends_with(['{', '}', ';']))
}
