//! The values that a statement binds, in PostgreSQL's binary format.

use std::error::Error;
use std::fmt;

use shedlock_sql::{Param, Value as Bound, Values};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A value of a statement.
pub(crate) struct Value<'a>(Bound<'a>);

impl<'a> Value<'a> {
    pub(crate) fn of(param: Param, values: &Values<'a>) -> Self {
        Self(values.get(param))
    }

    /// The type with which a statement is prepared; the server's own guesses for one value contradict each other.
    pub(crate) fn type_of(param: Param) -> Type {
        match Values::named("").get(param) {
            Bound::Text(_) => Type::TEXT,
            Bound::Integer(_) => Type::INT8,
            Bound::Duration(_) => Type::INTERVAL,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        expected: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Bound::Text(text) => text.to_sql(expected, out),
            Bound::Integer(integer) => integer.to_sql(expected, out),
            Bound::Duration(micros) => {
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
