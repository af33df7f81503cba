//! Rows as an aligned table, JSON and comma-separated values.

use std::io::stdout;

use anstream::{AutoStream, ColorChoice};
use comfy_table::{Attribute, Cell as TableCell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::exit::Failure;

/// One cell: its text, and what it means.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    meaning: Meaning,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Plain,
    Good,
    Faint,
    Warning,
    Bad,
}

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            meaning: Meaning::Plain,
        }
    }

    /// A word for a state or an outcome. The word alone says it; a colour repeats it.
    pub(crate) fn of_state(word: &str) -> Self {
        let meaning = match word {
            "held" | "completed" => Meaning::Good,
            "free" => Meaning::Faint,
            "paused" | "dropped" | "shut_down" => Meaning::Warning,
            _ => Meaning::Bad,
        };
        Self {
            text: word.to_owned(),
            meaning,
        }
    }
}

/// A table without lines, which a terminal gets as wide as it is. Whether it has colours is for `--color`, the usual variables and the
/// terminal to say.
pub(crate) fn aligned(header: &[&str], rows: Vec<Vec<Cell>>, is_terminal: bool) -> String {
    let has_colors = AutoStream::choice(&stdout()) != ColorChoice::Never;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if is_terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.force_no_tty();
    }
    if has_colors {
        table.enforce_styling();
    }
    table.set_header(header.iter().map(TableCell::new));
    for row in rows {
        table.add_row(row.into_iter().map(|cell| styled(cell, has_colors)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn styled(cell: Cell, has_colors: bool) -> TableCell {
    let styled = TableCell::new(cell.text);
    match cell.meaning {
        _ if !has_colors => styled,
        Meaning::Plain => styled,
        Meaning::Good => styled.fg(Color::Green),
        Meaning::Faint => styled.add_attribute(Attribute::Dim),
        Meaning::Warning => styled.fg(Color::Yellow),
        Meaning::Bad => styled.fg(Color::Red),
    }
}

pub(crate) fn json(rows: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(rows);
    Ok(text.map_err(|error| unprintable(&error))? + "\n")
}

pub(crate) fn ndjson<R: Serialize>(rows: impl Iterator<Item = R>) -> Result<String, Failure> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(&row).map_err(|error| unprintable(&error))?);
        text.push('\n');
    }
    Ok(text)
}

pub(crate) fn csv<R: Serialize>(
    columns: &[&str],
    rows: impl Iterator<Item = R>,
) -> Result<String, Failure> {
    // Without rows, the writer would print no header either.
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    writer
        .write_record(columns)
        .map_err(|error| unprintable(&error))?;
    for row in rows {
        writer.serialize(row).map_err(|error| unprintable(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| unprintable(&error))?;
    String::from_utf8(bytes).map_err(|error| unprintable(&error))
}

fn unprintable(error: &dyn std::fmt::Display) -> Failure {
    Failure::internal(format!("cannot print the result: {error}"))
}
