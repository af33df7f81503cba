//! Row-level security.

use shedlock_testkit::server_or_skip;
use sqlx::Postgres;

use super::*;
use crate::place::Table;

/// A table with row-level security, and a provider of a user who is subject to it.
async fn guarded(place: &Place<Postgres>) -> SqlxLockProvider<Postgres> {
    place.make(Table::Ours).await;
    // Roles are the server's, and a test's database has a name of its own.
    let (server, database) = place.direct.rsplit_once('/').expect("a URL");
    let user = format!("user_of_{database}");
    as_admin(place, &format!("CREATE ROLE {user} LOGIN")).await;
    run(
        place,
        &[
            &format!("GRANT SELECT, INSERT, UPDATE ON shedlock TO {user}"),
            "ALTER TABLE shedlock ENABLE ROW LEVEL SECURITY",
        ],
    )
    .await;
    let url = format!("{server}/{database}").replace("//shedlock@", &format!("//{user}@"));
    let pool = session(&url, &[]).await;
    SqlxLockProvider::new(pool)
}

#[tokio::test]
async fn what_no_policy_allows_is_named() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    let provider = guarded(&place).await;
    let none = ["no policy for SELECT and INSERT and UPDATE"];
    expect_problem(&provider, &none).await;
    run(
        &place,
        &[
            "CREATE POLICY shedlock ON shedlock FOR SELECT USING (true)",
            "CREATE POLICY makes ON shedlock FOR INSERT WITH CHECK (true)",
        ],
    )
    .await;
    let error = expect_problem(&provider, &["no policy for UPDATE"]).await;
    follow(&place, &error.to_string()).await;
    must_lock(&provider, "a").await;
    expect_warnings(&provider, &[]).await;
    // The owner is not subject to them.
    expect_warnings(&on(&place, "shedlock"), &[]).await;
    place
        .execute("ALTER TABLE shedlock FORCE ROW LEVEL SECURITY")
        .await;
    expect_problem(&on(&place, "shedlock"), &["no policy for UPDATE"]).await;
}

#[tokio::test]
async fn policies_that_hide_rows_are_named() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    let provider = guarded(&place).await;
    place
        .execute("CREATE POLICY mine ON shedlock USING (name LIKE 'mine%')")
        .await;
    must_lock(&provider, "mine").await;
    assert!(is_free(&provider, "yours").await.is_err());
    let told = expect_warnings(&provider, &["`mine` may hide rows"]).await;
    follow(&place, &told).await;
    must_lock(&provider, "yours").await;
    expect_warnings(&provider, &[]).await;
    place
        .execute("CREATE POLICY held ON shedlock AS RESTRICTIVE FOR UPDATE USING (name <> 'held')")
        .await;
    let told = expect_warnings(&provider, &["`held`"]).await;
    follow(&place, &told).await;
    expect_warnings(&provider, &[]).await;
}
