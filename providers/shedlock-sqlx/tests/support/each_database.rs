//! The same test on each database.

/// Calls a generic test for each database.
macro_rules! each_database {
    ($($test:ident)*) => {$(
        mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test::<super::Sqlite>(super::server_or_skip!(super::Place::<super::Sqlite>::empty().await)).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$test::<super::Postgres>(super::server_or_skip!(super::Place::<super::Postgres>::empty().await)).await;
            }

            #[tokio::test]
            async fn mysql() {
                super::$test::<super::MySql>(super::server_or_skip!(super::Place::<super::MySql>::empty().await)).await;
            }
        }
    )*};
}
