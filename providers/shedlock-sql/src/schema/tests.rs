use super::*;
use crate::names::ColumnNames;

fn column(name: &str, kind: &str, remark: &str, collation: &str) -> [String; 4] {
    [name, kind, remark, collation].map(str::to_owned)
}

fn ours(dialect: Dialect) -> Description {
    let (time, collation) = match dialect {
        Dialect::Postgres => ("timestamp without time zone", ""),
        Dialect::MySql => ("datetime(6)", "utf8mb4_nopad_bin"),
        Dialect::Sqlite => ("INTEGER", ""),
    };
    Description {
        columns: vec![
            column("name", "varchar(64)", "must be filled", collation),
            column("lock_until", time, "must be filled", ""),
            column("locked_at", time, "must be filled", ""),
            column(
                "locked_by",
                "varchar(255)",
                "must be filled",
                "utf8mb4_general_ci",
            ),
            column("fencing_token", "bigint(20)", "", ""),
        ],
        keys: vec![["PRIMARY".to_owned(), "name".to_owned()]],
        zones: ["UTC".to_owned(), "UTC".to_owned()],
        future: None,
    }
}

fn check(dialect: Dialect, description: &Description) -> Result<Vec<String>, String> {
    let names = Names::new(dialect, "shedlock", ColumnNames::default()).unwrap();
    match description.check(&names) {
        Ok(report) => Ok(report.warnings().to_vec()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn our_own_table_has_nothing_odd() {
    for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
        assert_eq!(check(dialect, &ours(dialect)), Ok(vec![]));
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let mut broken = ours(Dialect::Postgres);
    broken.columns[1][1] = "date".to_owned();
    broken.columns.remove(2);
    broken
        .columns
        .push(column("tenant", "integer", "must be filled", ""));
    broken.keys = vec![
        ["pk".to_owned(), "tenant".to_owned()],
        ["pk".to_owned(), "name".to_owned()],
    ];
    let message = check(Dialect::Postgres, &broken).unwrap_err();
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
fn what_limits_locks_is_a_warning() {
    let mut odd = ours(Dialect::MySql);
    odd.columns[0][3] = "utf8mb4_general_ci".to_owned();
    odd.columns[1][1] = "timestamp(3)".to_owned();
    odd.columns.pop();
    odd.zones = ["CET", "CET"].map(str::to_owned);
    odd.future = Some("nightly".to_owned());
    let warnings = check(Dialect::MySql, &odd).unwrap();
    for (warning, part) in warnings.iter().zip([
        "differ in case, accents or trailing blanks",
        "it ends on 2038-01-19",
        "without it, locks have no fencing token",
        "programs that set another one disagree",
        "the lock `nightly` has no end or was taken in the future",
    ]) {
        assert!(warning.contains(part), "`{part}` is not in: {warning}");
    }
    assert_eq!(warnings.len(), 5);
}

#[test]
fn a_session_in_another_zone_is_a_problem() {
    let mut zoned = ours(Dialect::MySql);
    zoned.zones[0] = "CET".to_owned();
    assert_eq!(
        check(Dialect::MySql, &zoned),
        Ok(vec![]),
        "DATETIME has no zone"
    );
    zoned.columns[1][1] = "timestamp(3)".to_owned();
    assert!(
        check(Dialect::MySql, &zoned)
            .unwrap_err()
            .contains("which is CET here and UTC for programs that do not set it")
    );
    zoned.zones[1] = "CET".to_owned();
    let warnings = check(Dialect::MySql, &zoned).unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("a zone with summer time")),
        "nodes that all have the server's zone agree: {warnings:?}"
    );
}

#[test]
fn a_token_that_others_cannot_leave_out_is_a_problem() {
    let mut strict = ours(Dialect::Postgres);
    strict.columns[4][2] = "must be filled".to_owned();
    assert!(
        check(Dialect::Postgres, &strict)
            .unwrap_err()
            .contains("nodes that do not know it")
    );
}
