//! D17 and D18: names that want quotes, and rights that are missing.

use std::sync::Arc;

use shedlock::{ErrorKind, LockProvider};
use shedlock_sqlx::{
    ColumnNames, MySqlLockProvider, PostgresLockProvider, SqlDatabase, SqliteLockProvider,
    SqlxLockProvider, SqlxLockProviderBuilder,
};

use super::contention::one_of;
use super::{Crew, LONG, must_fail, must_run};
use crate::support::{Locks, Place, cases, connect};

cases! {
    d17_names_that_want_quotes on sqlite postgres mariadb;
    d17_names_that_are_refused on sqlite postgres mariadb;
    d18_privileges_missing on postgres mariadb;
}

/// Of tables, and of columns.
const NAMES: [&str; 8] = [
    "select",
    "Order",
    "with space",
    "it's",
    "say \"hello\"",
    "back`tick",
    "x; DROP TABLE shedlock; --",
    "naïve_表",
];

/// Does something with a builder of the database's kind.
macro_rules! with_builder {
    ($place:ident, $test:ident) => {{
        let url = &*$place.url;
        if $place.is_sqlite() {
            $test(&$place, || SqliteLockProvider::builder_from_url(url)).await;
        } else if $place.is_mariadb() {
            $test(&$place, || MySqlLockProvider::builder_from_url(url)).await;
        } else {
            $test(&$place, || PostgresLockProvider::builder_from_url(url)).await;
        }
    }};
}

async fn d17_names_that_want_quotes(place: Place) {
    with_builder!(place, works);
}

async fn works<DB: SqlDatabase>(_place: &Place, builder: impl Fn() -> SqlxLockProviderBuilder<DB>)
where
    SqlxLockProvider<DB>: LockProvider,
{
    for (number, name) in NAMES.iter().enumerate() {
        let column = |offset: usize| NAMES[(number + offset) % NAMES.len()];
        let columns = ColumnNames::default()
            .with_name(column(0))
            .with_lock_until(column(1))
            .with_locked_at(column(2))
            .with_locked_by(column(3))
            .with_fencing_token(column(4));
        let mut nodes: Vec<Locks> = Vec::new();
        for _ in 0..2 {
            let built = builder().table_name(*name).columns(columns.clone()).build();
            let provider = built.unwrap_or_else(|error| panic!("`{name}`: {error}"));
            let made = provider.ensure_schema().await;
            made.unwrap_or_else(|error| panic!("`{name}`: {error}"));
            let checked = provider.check_schema().await;
            assert!(checked.is_ok(), "`{name}`: {checked:?}");
            nodes.push(Arc::new(provider));
        }
        one_of(&nodes, 2, "first").await;
        let crew = Crew::default();
        let other = async {
            let answer = super::run(&nodes[1]).await.expect("no error");
            assert!(!answer.was_executed());
        };
        crew.hold(&nodes[0], LONG, other).await;
        must_run(&nodes[1]).await;
    }
}

async fn d17_names_that_are_refused(place: Place) {
    with_builder!(place, refuses);
}

/// Before anything is sent. The table that is there is not touched.
async fn refuses<DB: SqlDatabase>(
    place: &Place,
    builder: impl Fn() -> SqlxLockProviderBuilder<DB>,
) {
    for name in ["", "nul\0", "a.b.c.d"] {
        let error = builder().table_name(name).build().err();
        let error = error.unwrap_or_else(|| panic!("{name:?} is no name"));
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let columns = ColumnNames::default().with_name("nul\0");
        let error = builder().columns(columns).build().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    }
    must_run(&place.connect().await).await;
}

/// The error says what to grant, and once that is granted the next call works.
async fn d18_privileges_missing(place: Place) {
    let url = place.read_only_url().await;
    // It may not make tables either.
    let locks: Locks = if place.is_mariadb() {
        Arc::new(
            MySqlLockProvider::connect(&url)
                .await
                .expect("it may log in"),
        )
    } else {
        Arc::new(
            PostgresLockProvider::connect(&url)
                .await
                .expect("it may log in"),
        )
    };
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(!error.is_transient());
    let remedy = error.remedy().expect("there is one");
    println!("{remedy}");
    assert!(
        remedy.contains("GRANT") && remedy.contains("INSERT"),
        "{remedy}"
    );
    let user = "shedlock_read_only";
    let grant = if place.is_mariadb() {
        format!("GRANT SELECT, INSERT, UPDATE ON shedlock TO {user}@'%'")
    } else {
        format!("GRANT SELECT, INSERT, UPDATE ON shedlock TO {user}")
    };
    place.execute(&grant).await;
    must_run(&locks).await;
    must_run(&connect(&place.url).await).await;
}
