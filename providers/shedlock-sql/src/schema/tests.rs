use super::*;
use crate::names::ColumnNames;

type Row = [String; Inspection::FACT];

fn row(texts: &[&str]) -> Row {
    std::array::from_fn(|at| texts.get(at).copied().unwrap_or_default().to_owned())
}

/// What a server says of our own table, but for what a test changes.
struct Table {
    dialect: Dialect,
    rows: Vec<Row>,
}

impl Table {
    fn ours(dialect: Dialect) -> Self {
        let (time, collation) = match dialect {
            Dialect::Postgres => ("timestamp without time zone", ""),
            Dialect::MySql => ("datetime(6)", "utf8mb4_nopad_bin"),
            Dialect::Sqlite => ("INTEGER", ""),
        };
        let engine = if dialect == Dialect::MySql {
            "InnoDB"
        } else {
            ""
        };
        let rows = vec![
            row(&["table", "public", "table", "", "", "", engine]),
            row(&["column", "name", "varchar(64)", collation, "true"]),
            row(&["column", "lock_until", time, "", "true"]),
            row(&["column", "locked_at", time, "", "true"]),
            row(&["column", "locked_by", "varchar(255)", "", "true"]),
            row(&["column", "fencing_token", "bigint(20)"]),
            row(&["key", "PRIMARY", "name", "", "", "shedlock_pkey", "true"]),
            row(&["session", "user", "app"]),
            row(&["session", "database", "app"]),
            row(&["session", "zone", "UTC"]),
            row(&["session", "zone of others", "UTC"]),
        ];
        Self { dialect, rows }
    }

    /// Replaces the row of that kind and name, or adds it.
    fn with(mut self, texts: &[&str]) -> Self {
        self = self.without(texts[0], texts[1]);
        self.rows.push(row(texts));
        self
    }

    fn without(mut self, fact: &str, name: &str) -> Self {
        self.rows.retain(|row| row[0] != fact || row[1] != name);
        self
    }

    fn described(&self) -> Description {
        Description::read(&self.rows)
    }

    fn names(&self) -> Names {
        Names::new(self.dialect, "shedlock", ColumnNames::default()).unwrap()
    }

    fn checked(&self) -> Result<SchemaReport, LockError> {
        self.described().check(&self.names())
    }

    fn warnings(&self) -> String {
        self.checked().unwrap().warnings().join("\n")
    }

    fn problems(&self) -> String {
        self.checked().unwrap_err().to_string()
    }
}

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

#[test]
fn our_own_table_has_nothing_odd() {
    for dialect in ALL {
        assert_eq!(Table::ours(dialect).warnings(), "");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let message = Table::ours(Dialect::Postgres)
        .with(&["column", "lock_until", "date"])
        .without("column", "locked_at")
        .with(&["column", "tenant", "integer", "", "true"])
        .without("key", "PRIMARY")
        .problems();
    for part in [
        "the column `lock_until` is date; expected TIMESTAMP NOT NULL: run: ALTER TABLE \"shedlock\" ALTER COLUMN \"lock_until\" TYPE TIMESTAMP",
        "there is no column `locked_at`: run: ALTER TABLE \"shedlock\" ADD COLUMN \"locked_at\" TIMESTAMP NOT NULL",
        "the column `tenant` has no default, so no lock can be inserted",
        "the column `name` is not the primary key, so two nodes could hold one lock: run: ALTER TABLE \"shedlock\" ADD PRIMARY KEY (\"name\")",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_key_of_more_than_the_name_is_none() {
    for dialect in ALL {
        let mut table = Table::ours(dialect);
        table.rows.push(row(&["key", "PRIMARY", "tenant"]));
        assert!(table.problems().contains("is not the primary key"));
        let expression = Table::ours(dialect).with(&["key", "PRIMARY", ""]);
        assert!(expression.problems().contains("is not the primary key"));
    }
}

#[test]
fn what_limits_locks_is_a_warning() {
    let table = Table::ours(Dialect::MySql)
        .with(&[
            "column",
            "name",
            "varchar(64)",
            "utf8mb4_general_ci",
            "true",
        ])
        .with(&["column", "lock_until", "timestamp(3)"])
        .without("column", "fencing_token")
        .with(&["session", "zone", "CET"])
        .with(&["session", "zone of others", "CET"]);
    let described = table
        .described()
        .with_suspicious_row(Some("nightly".to_owned()));
    let report = described.check(&table.names()).unwrap();
    for part in [
        "differ in case, accents or trailing blanks",
        "it ends on 2038-01-19",
        "without it, locks have no fencing token",
        "programs that set another one disagree",
        "the lock `nightly` has no end or was taken in the future",
    ] {
        let told = report.warnings().iter().filter(|told| told.contains(part));
        assert_eq!(told.count(), 1, "`{part}` is not in: {report:?}");
    }
    assert_eq!(report.warnings().len(), 5);
    assert!(described.ends_in_2038(&table.names()));
}

#[test]
fn a_session_in_another_zone_is_a_problem() {
    let table = Table::ours(Dialect::MySql).with(&["session", "zone", "CET"]);
    assert_eq!(table.warnings(), "", "DATETIME has no zone");
    let table = table.with(&["column", "lock_until", "timestamp(3)"]);
    let told = table.problems();
    assert!(told.contains("which is CET here and UTC for programs that do not set it"));
    let table = table.with(&["session", "zone of others", "CET"]);
    let told = table.warnings();
    assert!(
        told.contains("a zone with summer time"),
        "nodes that all have the server's zone agree: {told}"
    );
}

#[test]
fn a_token_that_others_cannot_leave_out_is_a_problem() {
    for dialect in ALL {
        let strict = Table::ours(dialect).with(&["column", "fencing_token", "bigint", "", "true"]);
        assert!(strict.problems().contains("nodes that do not know it"));
    }
}

#[test]
fn columns_that_cannot_be_written_are_problems() {
    for dialect in ALL {
        let time = Kind::Time.wanted(dialect);
        let made = ["column", "lock_until", time, "", "", "generated"];
        let told = Table::ours(dialect).with(&made).problems();
        assert!(
            told.contains("the values of the column `lock_until` are generated"),
            "{told}"
        );
    }
    let foreign = ["column", "shown", "int", "", "", "generated"];
    assert_eq!(Table::ours(Dialect::MySql).with(&foreign).warnings(), "");
}

#[test]
fn what_is_no_table_is_called_by_its_name_and_nothing_else_is_advised() {
    for (dialect, kind, told) in [
        (
            Dialect::MySql,
            "view",
            "`shedlock` is a view, which does not show",
        ),
        (
            Dialect::Sqlite,
            "view",
            "`shedlock` is a view, which cannot be written",
        ),
        (
            Dialect::Sqlite,
            "virtual table",
            "`shedlock` is a virtual table",
        ),
        (
            Dialect::Postgres,
            "foreign table",
            "`shedlock` is a foreign table",
        ),
        (
            Dialect::Postgres,
            "materialized view",
            "`shedlock` is a materialized view",
        ),
        (
            Dialect::MySql,
            "sequence",
            "`shedlock` is no table, but a sequence",
        ),
    ] {
        let table = Table::ours(dialect)
            .with(&["table", "public", kind])
            .without("key", "PRIMARY");
        let message = table.problems();
        assert!(message.contains(told), "{message}");
        assert!(!message.contains("run: "), "{message}");
    }
}

#[test]
fn a_view_of_postgres_is_what_its_trial_says() {
    let view = Table::ours(Dialect::Postgres)
        .with(&["table", "public", "view"])
        .without("key", "PRIMARY");
    let (described, names) = (view.described(), view.names());
    assert!(described.wants_trial(&names));
    assert_eq!(
        described.check(&names).unwrap().warnings(),
        Vec::<String>::new()
    );
    let refused = described.with_refusal(Some("no such key".to_owned()));
    let told = refused.check(&names).unwrap_err().to_string();
    assert!(
        told.contains("a view through which no lock can be taken (no such key)"),
        "{told}"
    );
}

#[test]
fn only_a_session_that_is_wrong_is_no_fault_of_the_table() {
    let off = Table::ours(Dialect::MySql).with(&["session", "autocommit", "OFF"]);
    let error = off.checked().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("autocommit off"), "{error}");
    let standby = Table::ours(Dialect::Postgres).with(&["session", "standby", "true"]);
    assert_eq!(standby.checked().unwrap_err().kind(), ErrorKind::ReadOnly);
    let both = off.without("column", "locked_at").checked().unwrap_err();
    assert_eq!(both.kind(), ErrorKind::Schema);
    assert!(both.to_string().contains("autocommit off"), "{both}");
}

#[test]
fn a_temporary_table_shows_in_its_definition() {
    let table = Table::ours(Dialect::MySql);
    let (described, names) = (table.described(), table.names());
    let kept = described
        .clone()
        .with_definition("CREATE TABLE `shedlock` (`a` TEMPORARY)");
    assert!(kept.check(&names).is_ok());
    let own = described.with_definition("CREATE TEMPORARY TABLE `shedlock` (");
    assert!(
        own.check(&names)
            .unwrap_err()
            .to_string()
            .contains("no other session sees")
    );
    let unseen = Description::default().with_definition("CREATE TEMPORARY TABLE `shedlock` (");
    assert!(
        unseen
            .check(&names)
            .unwrap_err()
            .to_string()
            .contains("no other session sees")
    );
}

#[test]
fn policies_are_judged_together() {
    let guarded = || Table::ours(Dialect::Postgres).with(&["table", "public", "table", "", "true"]);
    let told = guarded()
        .with(&["policy", "reads", "r", "true", "true", "false"])
        .problems();
    assert!(
        told.contains("for the user `app` no policy for INSERT and UPDATE"),
        "{told}"
    );
    assert!(told.contains(
        "CREATE POLICY \"shedlock\" ON \"shedlock\" TO \"app\" USING (true) WITH CHECK (true)"
    ));
    let open = guarded().with(&["policy", "shedlock", "*", "true", "true", "true"]);
    assert_eq!(open.warnings(), "");
    let one = guarded().with(&["policy", "shedlock", "*", "true", "false", "false"]);
    assert!(
        one.warnings().contains("CREATE POLICY \"shedlock_\""),
        "{}",
        one.warnings()
    );
    let held_back = open.with(&["policy", "night", "w", "false", "false", "true"]);
    assert!(
        held_back.warnings().contains("DROP POLICY \"night\""),
        "{}",
        held_back.warnings()
    );
}
