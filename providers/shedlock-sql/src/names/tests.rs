use super::*;

fn names(dialect: Dialect, table: &str) -> Result<Names, String> {
    Names::new(dialect, table, ColumnNames::default()).map_err(|error| error.to_string())
}

#[test]
fn each_part_is_quoted_and_quotes_are_doubled() {
    let quoted = |dialect, table| names(dialect, table).unwrap().quoted_table();
    assert_eq!(
        quoted(Dialect::Postgres, "app.shedlock"),
        r#""app"."shedlock""#
    );
    assert_eq!(
        quoted(Dialect::Postgres, r#"a"b; DROP TABLE x"#),
        r#""a""b; DROP TABLE x""#
    );
    assert_eq!(quoted(Dialect::MySql, "my`locks"), "`my``locks`");
    assert_eq!(quoted(Dialect::Sqlite, "main.locks"), "`main`.`locks`");
    assert_eq!(quoted(Dialect::Sqlite, "locks"), "`main`.`locks`");
}

#[test]
fn names_that_no_server_keeps_are_refused() {
    for (table, message) in [
        ("", "the name of a table cannot be empty"),
        ("app.", "the name of a table cannot be empty"),
        ("a\0b", "the name of a table cannot contain NUL"),
        (
            "a.b.c",
            "the table name `a.b.c` has more than two parts; expected `table` or `schema.table`",
        ),
    ] {
        assert_eq!(names(Dialect::Postgres, table).unwrap_err(), message);
    }
    // PostgreSQL would cut it, and two tables would be one.
    let long = "x".repeat(64);
    assert!(
        names(Dialect::Postgres, &long)
            .unwrap_err()
            .contains("at most 63 bytes")
    );
    assert!(names(Dialect::MySql, &long).is_ok());
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let columns = ColumnNames::default().with_locked_at("LOCK_UNTIL");
    let error = Names::new(Dialect::MySql, "shedlock", columns).unwrap_err();
    assert_eq!(error.to_string(), "two columns are called `LOCK_UNTIL`");
}

#[test]
fn a_name_that_looks_like_a_placeholder_stays_a_name() {
    let columns = ColumnNames::default().with_name("{table}");
    let names = Names::new(Dialect::Sqlite, "{name}", columns).unwrap();
    assert_eq!(
        names.fill_in("{table} {name} {=now}"),
        "`main`.`{name}` `{table}` {=now}"
    );
}

#[test]
fn the_table_can_be_asked_for_as_a_value() {
    let filled = |dialect, table| {
        let names = names(dialect, table).unwrap();
        names.fill_in("{'table} {'schema} {'bare_table} {schema}")
    };
    assert_eq!(
        filled(Dialect::Postgres, r#"a'p.s"h\"#),
        r#"E'"a''p"."s""h\\"' E'a''p' E's"h\\' "a'p""#
    );
    assert_eq!(
        filled(Dialect::Sqlite, "l'ock"),
        "'`main`.`l''ock`' NULL 'l''ock' `main`"
    );
    assert!(filled(Dialect::MySql, "lock").contains(" DATABASE() _utf8mb4 X'6c6f636b' "));
    assert!(filled(Dialect::MySql, "a.b").contains(" _utf8mb4 X'61' _utf8mb4 X'62' "));
}

#[test]
fn a_literal_that_looks_like_a_placeholder_stays_a_literal() {
    let names = names(Dialect::Sqlite, "{table}").unwrap();
    assert_eq!(
        names.fill_in("{'bare_table} {'table}"),
        "'{table}' '`main`.`{table}`'"
    );
}
