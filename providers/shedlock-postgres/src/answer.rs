//! The rows of an answer: typed ones of a prepared statement, and those of an SQL text, whose values are all texts.

use std::error::Error as StdError;
use std::str::FromStr;

use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, SimpleQueryMessage, SimpleQueryRow};

use crate::error::Error;

/// A row of an answer.
pub(crate) enum Answer {
    Typed(Row),
    Texts(SimpleQueryRow),
}

impl Answer {
    /// The rows among the messages of an answer, and how many rows the statement has found or changed.
    pub(crate) fn read(messages: Vec<SimpleQueryMessage>) -> (Vec<Self>, u64) {
        let mut rows = Vec::new();
        let mut count = 0;
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(Self::Texts(row)),
                SimpleQueryMessage::CommandComplete(rows) => count = rows,
                _ => {}
            }
        }
        (rows, count)
    }

    fn typed_or_parsed<'a, T: FromSql<'a> + FromStr>(
        &'a self,
        column: usize,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Typed(row) => row.try_get(column).map_err(Error::Unreadable),
            Self::Texts(row) => match row.try_get(column).map_err(Error::Unreadable)? {
                Some(text) => text.parse().map(Some).map_err(|_| Error::OtherType(column)),
                None => Ok(None),
            },
        }
    }
}

impl shedlock_sql::Row for Answer {
    type Error = Error;

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        match self {
            Self::Typed(row) => {
                let text: Option<AnyText<'_>> = row.try_get(column).map_err(Error::Unreadable)?;
                Ok(text.map(|text| text.0))
            }
            Self::Texts(row) => row.try_get(column).map_err(Error::Unreadable),
        }
    }

    fn integer(&self, column: usize) -> Result<Option<i64>, Error> {
        self.typed_or_parsed(column)
    }

    fn float(&self, column: usize) -> Result<Option<f64>, Error> {
        // `inf` and `nan` are read in any case, so also as PostgreSQL writes them.
        self.typed_or_parsed(column)
    }

    fn boolean(&self, column: usize) -> Result<Option<bool>, Error> {
        match self {
            Self::Typed(row) => row.try_get(column).map_err(Error::Unreadable),
            Self::Texts(_) => match self.text(column)? {
                Some("t") => Ok(Some(true)),
                Some("f") => Ok(Some(false)),
                Some(_) => Err(Error::OtherType(column)),
                None => Ok(None),
            },
        }
    }
}

/// A text of any type, because columns of owners may have any of the text types.
struct AnyText<'a>(&'a str);

impl<'a> FromSql<'a> for AnyText<'a> {
    fn from_sql(_type: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?))
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}
