//! The same test on each server.

/// Calls a test for each server, with a place that `Place::alone` or `Place::new` has made there. Without a server, only the test on that
/// server is skipped.
macro_rules! each_server {
    ($start:ident: $($test:ident)*) => {$(
        mod $test {
            use shedlock_testkit::server_or_skip;

            use crate::place::{Place, Which};

            #[tokio::test]
            async fn dynalite() {
                super::$test(server_or_skip!(Place::$start(Which::Dynalite).await)).await;
            }

            #[tokio::test]
            async fn dynoxide() {
                super::$test(server_or_skip!(Place::$start(Which::Dynoxide).await)).await;
            }
        }
    )*};
}
