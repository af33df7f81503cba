//! The values that a statement binds, in PostgreSQL's binary format.

use std::error::Error;
use std::fmt;

use shedlock_sql::{Param, Values};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A value of a statement.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    /// A duration of this many microseconds.
    Interval(i64),
}

impl<'a> Value<'a> {
    pub(crate) fn of(param: Param, values: &Values<'a>) -> Self {
        match param {
            Param::Name => Self::Text(values.name),
            Param::First => Self::Text(values.first),
            Param::Owner => Self::Text(values.owner),
            Param::Lease => Self::Interval(values.lease),
            Param::Now => Self::Integer(values.now),
            Param::Until => Self::Integer(values.until),
            Param::Number => Self::Integer(values.number),
            Param::Attempts => Self::Integer(values.attempts),
        }
    }

    /// The type with which a statement is prepared; the server's own guesses for one value contradict each other.
    pub(crate) fn type_of(param: Param) -> Type {
        match Self::of(param, &Values::named("")) {
            Value::Text(_) => Type::TEXT,
            Value::Integer(_) => Type::INT8,
            Value::Interval(_) => Type::INTERVAL,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        expected: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(expected, out),
            Self::Integer(integer) => integer.to_sql(expected, out),
            Self::Interval(micros) => {
                out.extend_from_slice(&micros.to_be_bytes());
                // No days and no months.
                out.extend_from_slice(&[0; 8]);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(expected: &Type) -> bool {
        [Type::TEXT, Type::INT8, Type::INTERVAL].contains(expected)
    }

    to_sql_checked!();
}

// Without the value: the driver writes the values of a statement to its log, and an owner has a secret part.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
