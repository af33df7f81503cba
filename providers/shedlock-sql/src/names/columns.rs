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
    position: String,
    position_done: String,
    position_tries: String,
}

impl Default for ColumnNames {
    fn default() -> Self {
        Self {
            name: "name".to_owned(),
            lock_until: "lock_until".to_owned(),
            locked_at: "locked_at".to_owned(),
            locked_by: "locked_by".to_owned(),
            fencing_token: "fencing_token".to_owned(),
            position: "position".to_owned(),
            position_done: "position_done".to_owned(),
            position_tries: "position_tries".to_owned(),
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
        position, with_position, "the slot, instant or step whose run began last, which a table may lack";
        position_done, with_position_done, "whether the run of the last position succeeded, which a table may lack";
        position_tries, with_position_tries, "how many runs began for the last position, which a table may lack";
    }
}
