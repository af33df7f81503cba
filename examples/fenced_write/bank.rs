//! A table that refuses the writes of those who have lost their lock.
//!
//! The fencing token grows with every acquisition of the lock. Each row keeps the highest token that it has seen, and
//! takes no write with a lower one. SQL does the comparison, in the statement that writes: whatever happens between
//! the process's last look at its lock and the write, the row knows better.
//!
//! ```sql
//! CREATE TABLE accounts (id VARCHAR(64) PRIMARY KEY, balance BIGINT NOT NULL, fence BIGINT NOT NULL DEFAULT 0);
//!
//! -- PostgreSQL; the same in SQLite with `?`
//! UPDATE accounts SET fence = $1 WHERE id = $2 AND fence <= $1 RETURNING balance;
//! UPDATE accounts SET balance = $1, fence = $2 WHERE id = $3 AND fence <= $2;
//!
//! -- MySQL, MariaDB: no RETURNING in an update, so the claim is a transaction of two statements
//! UPDATE accounts SET fence = ? WHERE id = ? AND fence <= ?;
//! SELECT balance FROM accounts WHERE id = ? AND fence = ? FOR UPDATE;
//! UPDATE accounts SET balance = ?, fence = ? WHERE id = ? AND fence <= ?;
//! ```

use shedlock_sqlx::sqlx;
use sqlx::SqlitePool;

/// Accounts in a table.
#[derive(Debug, Clone)]
pub(crate) struct Bank {
    pool: SqlitePool,
}

impl Bank {
    /// A table with one account, `till`, that holds 100.
    pub(crate) async fn open(pool: SqlitePool) -> sqlx::Result<Self> {
        for statement in [
            "CREATE TABLE accounts (id TEXT PRIMARY KEY, balance INTEGER NOT NULL, fence INTEGER NOT NULL DEFAULT 0)",
            "INSERT INTO accounts (id, balance) VALUES ('till', 100)",
        ] {
            sqlx::query(statement).execute(&pool).await?;
        }
        Ok(Self { pool })
    }

    /// Reads an account as the holder of a lock with `token`; `None` if a later holder was here.
    ///
    /// The read leaves the token: from now on no earlier holder can change what has been read. A plain SELECT would
    /// let one do so between this read and the write that is based on it.
    pub(crate) async fn claim(&self, id: &str, token: i64) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar(
            "UPDATE accounts SET fence = ?1 WHERE id = ?2 AND fence <= ?1 RETURNING balance",
        )
        .bind(token)
        .bind(id)
        .fetch_optional(&self.pool)
        .await
    }

    /// Writes an account as the holder of a lock with `token`; `false` if a later holder was here: nothing is written.
    pub(crate) async fn write(&self, id: &str, balance: i64, token: i64) -> sqlx::Result<bool> {
        let written = sqlx::query(
            "UPDATE accounts SET balance = ?1, fence = ?2 WHERE id = ?3 AND fence <= ?2",
        )
        .bind(balance)
        .bind(token)
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(written.rows_affected() == 1)
    }

    /// Writes an account as if the lock were enough.
    pub(crate) async fn write_unfenced(&self, id: &str, balance: i64) -> sqlx::Result<bool> {
        let written = sqlx::query("UPDATE accounts SET balance = ?1 WHERE id = ?2")
            .bind(balance)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(written.rows_affected() == 1)
    }

    /// What an account holds, for people.
    pub(crate) async fn balance(&self, id: &str) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT balance FROM accounts WHERE id = ?1")
            .bind(id)
            .fetch_one(&self.pool)
            .await
    }
}
