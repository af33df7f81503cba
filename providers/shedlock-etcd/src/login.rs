//! The login of a user, for a cluster with authentication.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A user with a password, and the token that etcd gave for them last. etcd forgets a token after some minutes, and when it restarts.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    token: Mutex<Option<Arc<str>>>,
}

impl Login {
    pub(crate) fn new(user: String, password: String) -> Self {
        Self {
            user,
            password,
            token: Mutex::default(),
        }
    }

    pub(crate) fn token(&self) -> Option<Arc<str>> {
        self.lock().clone()
    }

    pub(crate) fn keep(&self, token: Arc<str>) {
        *self.lock() = Some(token);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        // Nothing panics while this mutex is locked.
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Written by hand, because password and token are secrets.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}
