//! The names of a table's columns.

/// The names of the table's columns. The defaults are ShedLock's names.
///
/// # Examples
///
/// ```
/// use shedlock_sql::ColumnNames;
///
/// let columns = ColumnNames::default().with_name("job").with_lock_until("until");
/// assert_eq!(columns.locked_by(), "locked_by");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnNames {
    name: String,
    lock_until: String,
    locked_at: String,
    locked_by: String,
    fencing_token: String,
}

impl Default for ColumnNames {
    fn default() -> Self {
        Self {
            name: "name".to_owned(),
            lock_until: "lock_until".to_owned(),
            locked_at: "locked_at".to_owned(),
            locked_by: "locked_by".to_owned(),
            fencing_token: "fencing_token".to_owned(),
        }
    }
}

macro_rules! column {
    ($($field:ident, $with:ident, $what:literal;)*) => {$(
        #[doc = concat!("The column of ", $what, ".")]
        #[must_use]
        pub fn $field(&self) -> &str {
            &self.$field
        }

        #[doc = concat!("Names the column of ", $what, ".")]
        #[must_use]
        pub fn $with(mut self, column: impl Into<String>) -> Self {
            self.$field = column.into();
            self
        }
    )*};
}

impl ColumnNames {
    column! {
        name, with_name, "the lock's name, the primary key";
        lock_until, with_lock_until, "the end of the lease";
        locked_at, with_locked_at, "the start of the lease";
        locked_by, with_locked_by, "the owner";
        fencing_token, with_fencing_token, "the fencing token, which a table may lack";
    }
}
