//! From a file of `sql/` to a statement. `sql/README.md` says what a file may hold.

use super::fragments::Setting;
use super::{Param, Sending, Statement, TokenColumn};
use crate::dialect::Dialect;
use crate::names::Names;

/// What a file calls the values to bind.
const PARAMS: [(&str, Param); 7] = [
    ("name", Param::Name),
    ("prefix", Param::Name),
    ("first", Param::First),
    ("owner", Param::Owner),
    ("lease", Param::Lease),
    ("now", Param::Now),
    ("until", Param::Until),
];

/// Which rows a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    One,
    All,
}

/// Which of the statements that a file describes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    pub(super) column: TokenColumn,
    pub(super) sending: Sending,
    pub(super) rows: Rows,
}

impl Variant {
    /// The statement on a table with or without the fencing token's column, where nothing else differs.
    pub(super) const fn on(column: TokenColumn) -> Self {
        Self {
            column,
            sending: Sending::Repeated,
            rows: Rows::One,
        }
    }

    /// Whether a block of this name belongs to the statement. One of an unknown name does not.
    fn has(self, block: &str) -> bool {
        match block {
            "token" => self.column == TokenColumn::Present,
            "no_token" => self.column == TokenColumn::Missing,
            "first" => self.sending == Sending::First,
            "repeated" => self.sending == Sending::Repeated,
            "one" => self.rows == Rows::One,
            "all" => self.rows == Rows::All,
            _ => false,
        }
    }
}

/// What the statements of one provider have in common.
#[derive(Clone, Copy)]
pub(super) struct Builder<'a> {
    pub(super) names: &'a Names,
    pub(super) setting: Setting,
}

impl Builder<'_> {
    pub(super) fn build(self, file: &str, variant: Variant) -> Statement {
        let template = one_line(&select(&without_comments(file), variant));
        let mut filling = Filling {
            builder: self,
            variant,
            pieces: Vec::new(),
            open: String::new(),
        };
        filling.fill_in(&template);
        let (pieces, rest) = (filling.pieces, filling.open);
        let (text, params) = number(self.setting.dialect, &pieces, &rest);
        Statement {
            text: text.into(),
            params,
            pieces,
            rest,
        }
    }
}

/// A template that is being filled in, in one pass: a name that itself looks like a place stays a name.
struct Filling<'a> {
    builder: Builder<'a>,
    variant: Variant,
    /// What stands before each place for a value, and that value.
    pieces: Vec<(String, Param)>,
    /// What stands behind the last one.
    open: String,
}

impl Filling<'_> {
    fn fill_in(&mut self, template: &str) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            self.open.push_str(before);
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            self.put(place);
            rest = after;
        }
        self.open.push_str(rest);
    }

    fn put(&mut self, place: &str) {
        let Builder { names, setting } = self.builder;
        if let Some(param) = place.strip_prefix(':').and_then(param) {
            self.pieces.push((std::mem::take(&mut self.open), param));
        } else if let Some(fragment) = place
            .strip_prefix('=')
            .and_then(|name| setting.fragment(name))
        {
            self.fill_in(&select(&fragment, self.variant));
        } else {
            self.open.push_str(&names.place(place));
        }
    }
}

fn param(name: &str) -> Option<Param> {
    let known = PARAMS.iter().find(|(known, _)| *known == name);
    known.map(|(_, param)| *param)
}

/// Leaves out what a person is told.
pub(crate) fn without_comments(file: &str) -> String {
    let code = file
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    code.collect::<Vec<_>>().join("\n")
}

/// The template without line breaks.
pub(crate) fn one_line(template: &str) -> String {
    template.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Leaves out the blocks of other statements.
fn select(template: &str, variant: Variant) -> String {
    let mut selected = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, (block, inside, after))) = rest
        .split_once("{?")
        .and_then(|(before, block)| Some((before, cut_block(block)?)))
    {
        selected.push_str(before);
        if variant.has(block) {
            selected.push_str(&select(inside, variant));
        }
        rest = after;
    }
    selected.push_str(rest);
    selected
}

/// The block's name, what is in it, and what follows it.
fn cut_block(block: &str) -> Option<(&str, &str, &str)> {
    let (name, inside) = block.split_once('}')?;
    let (inside, after) = inside.split_once(&format!("{{/{name}}}"))?;
    Some((name, inside, after))
}

/// Writes the dialect's placeholders, and notes what to bind.
fn number(dialect: Dialect, pieces: &[(String, Param)], rest: &str) -> (String, Vec<Param>) {
    let mut text = String::new();
    let mut params: Vec<Param> = Vec::new();
    for (before, param) in pieces {
        text.push_str(before);
        if dialect == Dialect::MySql {
            // Its placeholders have no numbers, so a value used twice is bound twice.
            params.push(*param);
            text.push('?');
            continue;
        }
        let known = params.iter().position(|known| known == param);
        let at = known.unwrap_or_else(|| {
            params.push(*param);
            params.len() - 1
        });
        text.push(if dialect == Dialect::Postgres {
            '$'
        } else {
            '?'
        });
        text.push_str(&(at + 1).to_string());
    }
    text.push_str(rest);
    (text, params)
}
