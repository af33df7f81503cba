//! ShedLock providers over sqlx.
