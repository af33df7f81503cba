//! What lies between a program and its database, and does what networks do by night.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{LateRequest, Trigger};

use crate::support::in_time;

/// A way to a server on loopback.
#[derive(Debug)]
pub(crate) struct Between {
    proxy: Proxy,
    late: Mutex<Vec<LateRequest>>,
}

impl Between {
    /// In front of the server of `url`.
    pub(crate) async fn new(url: &str) -> Self {
        let proxy = Proxy::start(address_of(url)).await;
        Self {
            proxy: proxy.expect("a proxy can be started"),
            late: Mutex::default(),
        }
    }

    /// The URL, by way of here.
    pub(crate) fn url(&self, url: &str) -> String {
        self.proxy.url(url)
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.proxy.connections().len()
    }

    /// What is sent on the connections of now goes nowhere from now on, and nobody is told.
    pub(crate) fn blackhole_connections(&self) {
        self.proxy.blackhole_connections();
    }

    /// New connections lead to the server of `url`; those of now stay where they are.
    pub(crate) fn set_upstream(&self, url: &str) {
        self.proxy.set_upstream(address_of(url));
    }

    /// Says this on the connections of now, and closes them.
    pub(crate) fn close_with(&self, bytes: &[u8]) {
        self.proxy.send_and_close(bytes);
    }

    /// Holds back the next request with these bytes in it, and what follows on its connection. All others pass.
    pub(crate) fn hold(&self, wanted: &str) {
        let late = self.proxy.hold_back(Trigger::containing(wanted));
        self.late().push(late);
    }

    /// Waits until so many of the requests that are to be held back have been sent.
    pub(crate) async fn held(&self, times: usize) {
        let late = std::mem::take(&mut *self.late());
        assert!(late.len() >= times, "as many are to be held back");
        for request in &late[..times] {
            in_time(request.sent()).await;
        }
        *self.late() = late;
    }

    /// Delivers what was held back, even if its client has left, and waits for what the server makes of it.
    pub(crate) async fn deliver(&self) {
        let late = std::mem::take(&mut *self.late());
        for request in late {
            let _answered = in_time(request.deliver()).await;
        }
    }

    fn late(&self) -> MutexGuard<'_, Vec<LateRequest>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once('@').expect("a URL with a user");
    let (address, _) = rest.split_once('/').expect("a URL with a database");
    address.parse().expect("an address and a port")
}
