//! Builds a statement from a file of `sql/`. `sql/README.md` describes the syntax of the files.

use super::fragments::Setting;
use super::{Param, PositionKind, Sending, Statement, TokenColumn};
use crate::dialect::Dialect;
use crate::names::Names;

/// The names of the bound values in the files.
const PARAMS: [(&str, Param); 18] = [
    ("name", Param::Name),
    ("prefix", Param::Name),
    ("first", Param::First),
    ("owner", Param::Owner),
    ("lease", Param::Lease),
    ("now", Param::Now),
    ("until", Param::Until),
    ("number", Param::Number),
    ("attempts", Param::Attempts),
    ("began", Param::Began),
    ("ended", Param::Ended),
    ("node", Param::Node),
    ("outcome", Param::Outcome),
    ("error", Param::Error),
    ("token", Param::Token),
    ("position", Param::Position),
    ("done", Param::Done),
    ("tries", Param::Tries),
];

/// Which rows a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    One,
    All,
}

/// What a release does to the position of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settling {
    AsItIs,
    /// The run has succeeded.
    Done,
    /// No run has begun.
    Unused,
}

/// Which of the statements of a file to build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    pub(super) column: TokenColumn,
    pub(super) sending: Sending,
    pub(super) rows: Rows,
    /// Which kind of position the statement asks for, if any.
    pub(super) position: Option<PositionKind>,
    pub(super) settling: Settling,
}

impl Variant {
    /// The variant for a table with or without the column for fencing tokens, in a file without other variants.
    pub(super) const fn on(column: TokenColumn) -> Self {
        Self {
            column,
            sending: Sending::Repeated,
            rows: Rows::One,
            position: None,
            settling: Settling::AsItIs,
        }
    }

    /// Whether a block of this name belongs to the statement; false for an unknown name.
    fn has(self, block: &str) -> bool {
        match block {
            "token" => self.column == TokenColumn::Present,
            "no_token" => self.column == TokenColumn::Missing,
            "first" => self.sending == Sending::First,
            "repeated" => self.sending != Sending::First,
            "careful" => self.sending != Sending::Taking,
            "one" => self.rows == Rows::One,
            "all" => self.rows == Rows::All,
            "position" => self.position.is_some(),
            "no_position" => self.position.is_none(),
            "slot" => self.position == Some(PositionKind::Slot),
            "no_slot" => self.position != Some(PositionKind::Slot),
            "step" => self.position == Some(PositionKind::Step),
            "no_step" => self.position != Some(PositionKind::Step),
            "done" => self.settling == Settling::Done,
            "unused" => self.settling == Settling::Unused,
            _ => false,
        }
    }
}

/// The settings shared by the statements of one provider.
#[derive(Clone, Copy)]
pub(super) struct Builder<'a> {
    pub(super) names: &'a Names,
    pub(super) setting: Setting<'a>,
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

/// The state while a template is filled in. That takes one pass, because a name that itself looks like a placeholder must not be replaced.
struct Filling<'a> {
    builder: Builder<'a>,
    variant: Variant,
    /// The text before each placeholder, and the placeholder's value.
    pieces: Vec<(String, Param)>,
    /// The text after the last placeholder.
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

/// Removes the comments of a file.
pub(crate) fn without_comments(file: &str) -> String {
    let code = file
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    code.collect::<Vec<_>>().join("\n")
}

/// Joins the template's lines into one.
pub(crate) fn one_line(template: &str) -> String {
    template.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes the blocks that belong to other variants.
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

/// Splits a block into its name, its content, and the text after it.
fn cut_block(block: &str) -> Option<(&str, &str, &str)> {
    let (name, inside) = block.split_once('}')?;
    let (inside, after) = inside.split_once(&format!("{{/{name}}}"))?;
    Some((name, inside, after))
}

/// Inserts the dialect's placeholders, and collects the values to bind.
fn number(dialect: Dialect, pieces: &[(String, Param)], rest: &str) -> (String, Vec<Param>) {
    let mut text = String::new();
    let mut params: Vec<Param> = Vec::new();
    for (before, param) in pieces {
        text.push_str(before);
        if dialect == Dialect::MySql {
            // MySQL's placeholders have no numbers, so a value used twice is bound twice.
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
