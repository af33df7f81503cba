//! D8: settings of sessions that a program or an administrator has chosen.

use shedlock::lock;

use super::contention::one_of;
use super::{Crew, LONG, Own, until_extended};
use crate::support::{Place, cases};

cases! {
    d8_settings_of_postgres on postgres;
}

cases! {
    of crate::database::Own:
    d8_settings_of_mariadb on mariadb;
}

/// All that a lock does, by nodes that have connected just now.
async fn works(place: &Place, setting: &str) {
    println!("{setting}");
    let nodes = place.nodes(3).await;
    let name = setting.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let name: String = name.chars().take(60).collect();
    one_of(&nodes, 3, &name).await;
    let crew = Crew::default();
    let script = async {
        for _ in 0..2 {
            until_extended(place).await;
            crew.until_skipped().await;
        }
        assert!(lock::is_held());
        assert_eq!(crew.runs(), 0, "{setting}");
    };
    let scenario = async {
        crew.hold(&nodes[0], LONG, script).await;
        crew.until_run().await;
    };
    crew.beside(&nodes[1..], scenario).await;
    assert_eq!(crew.failures(), [], "{setting}");
}

async fn d8_settings_of_postgres(place: Place) {
    let database = place.execute("SELECT current_database()").await;
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "default_transaction_isolation = 'repeatable read'",
        "idle_in_transaction_session_timeout = '20ms'",
        "idle_session_timeout = '100ms'",
        "lock_timeout = '200ms'",
        "statement_timeout = '2s'",
        "timezone = 'Asia/Kathmandu'",
        "datestyle = 'SQL, DMY'",
        "synchronous_commit = off",
        "plan_cache_mode = force_generic_plan",
    ] {
        let name = setting.split(' ').next().unwrap_or_default();
        let alter = format!("ALTER DATABASE {database}");
        place.execute(&format!("{alter} SET {setting}")).await;
        works(&place, setting).await;
        place.execute(&format!("{alter} RESET {name}")).await;
    }
}

async fn d8_settings_of_mariadb(own: Own) {
    let place = own.0;
    for (setting, normal) in [
        (
            "tx_isolation = 'SERIALIZABLE'",
            "tx_isolation = 'REPEATABLE-READ'",
        ),
        (
            "tx_isolation = 'READ-UNCOMMITTED'",
            "tx_isolation = 'REPEATABLE-READ'",
        ),
        ("sql_mode = ''", "sql_mode = DEFAULT"),
        ("sql_mode = 'ANSI'", "sql_mode = DEFAULT"),
        (
            "innodb_lock_wait_timeout = 1",
            "innodb_lock_wait_timeout = 50",
        ),
        ("completion_type = 'CHAIN'", "completion_type = 'NO_CHAIN'"),
        ("autocommit = 0", "autocommit = 1"),
        ("time_zone = '+05:45'", "time_zone = '+00:00'"),
        ("max_statement_time = 2", "max_statement_time = 0"),
    ] {
        place.execute(&format!("SET GLOBAL {setting}")).await;
        works(&place, setting).await;
        place.execute(&format!("SET GLOBAL {normal}")).await;
    }
}
