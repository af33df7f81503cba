//! The tables of the queue, and what leaves the database.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shedlock_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use shedlock_sqlx::sqlx::{self, SqlitePool};

/// The queue of one shop.
pub(crate) struct Queue {
    pub(crate) pool: SqlitePool,
    folder: PathBuf,
}

impl Queue {
    /// Opens the queue in this folder, or makes one with three orders.
    pub(crate) async fn open(folder: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("shop.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await?;
        for statement in [
            "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, is_finished INTEGER NOT NULL DEFAULT 0)",
            "INSERT OR IGNORE INTO orders (id) VALUES (17), (18), (19)",
            // No key would refuse a second charge: that there is none is the lock's doing.
            "CREATE TABLE IF NOT EXISTS charges (order_id INTEGER NOT NULL)",
        ] {
            sqlx::query(statement).execute(&pool).await?;
        }
        Ok(Self {
            pool,
            folder: folder.to_owned(),
        })
    }

    /// The URL of the database, in which the locks are kept too: one transaction reaches the work and the lock.
    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.folder.join("shop.db").display())
    }

    pub(crate) async fn open_orders(&self) -> Result<Vec<i64>, sqlx::Error> {
        let open = "SELECT id FROM orders WHERE is_finished = 0 ORDER BY id";
        sqlx::query_scalar(open).fetch_all(&self.pool).await
    }

    /// Sends a mail, which no rollback takes back. The mail server would refuse the second mail of one number.
    pub(crate) fn mail(&self, order: i64, number: &str) -> std::io::Result<()> {
        self.send("mails", &format!("order {order}: mail {number}"))
    }

    /// Sends a text message, which no rollback takes back.
    pub(crate) fn text(&self, order: i64) -> std::io::Result<()> {
        self.send("texts", &format!("order {order}"))
    }

    fn send(&self, what: &str, line: &str) -> std::io::Result<()> {
        let file = self.folder.join(what);
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        writeln!(file, "{line}")
    }

    /// What was done for each order.
    pub(crate) async fn report(&self) -> anyhow::Result<Vec<String>> {
        let orders: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT id, (SELECT COUNT(*) FROM charges WHERE order_id = id) FROM orders ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        let sent = |what: &str, order: i64| {
            let all = std::fs::read_to_string(self.folder.join(what)).unwrap_or_default();
            let order = format!("order {order}");
            all.lines().filter(|line| line.starts_with(&order)).count()
        };
        let line = |(order, charges): (i64, i64)| {
            let (mails, texts) = (sent("mails", order), sent("texts", order));
            format!("order {order}: charged {charges}, mailed {mails}, texted {texts}")
        };
        Ok(orders.into_iter().map(line).collect())
    }
}
