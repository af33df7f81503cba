//! The list of `cargo xtask servers`.

use super::needs::{NEEDS, Need};
use comfy_table::Table;
use comfy_table::presets::NOTHING;

/// Prints all that the tests can use, one line each.
pub(crate) fn print() {
    let rows = NEEDS.iter().map(|need| {
        let found = (need.probe)();
        row(
            need,
            found.is_ok(),
            found.ok().and_then(|found| found.version()),
        )
    });
    println!("{}", table(rows));
    println!("\n`cargo xtask servers install [NAME..]` installs what is missing.");
}

fn table(rows: impl IntoIterator<Item = [String; 4]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["server", "here", "version", "comes from"]);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn row(need: &Need, found: bool, version: Option<String>) -> [String; 4] {
    let here = if found { "found" } else { "missing" };
    let version = version.unwrap_or_else(|| "-".to_owned());
    [
        need.name.to_owned(),
        here.to_owned(),
        version,
        need.source.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, row, table};

    #[test]
    fn columns_are_aligned() {
        let rows = NEEDS.iter().map(|need| row(need, false, None));
        let text = table(rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), NEEDS.len() + 1, "{text}");
        let column = lines[0].find("comes from").unwrap();
        for (line, need) in lines[1..].iter().zip(NEEDS) {
            assert!(line.starts_with(need.name), "{line}");
            assert_eq!(line[column..], need.source.to_string(), "{text}");
        }
    }
}
