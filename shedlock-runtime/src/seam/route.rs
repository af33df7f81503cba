//! Which provider a router chose for one acquisition: its lease stays there, wherever the router sends the next.

use std::fmt;
use std::sync::Arc;

use once_cell::sync::OnceCell;

use crate::seam::provider::LockProvider;

/// The choices of all routers on an attempt's way, the outermost first.
#[derive(Debug, Default)]
pub(crate) struct Routes(OnceCell<Arc<Route>>);

/// One router's choice, and the next router's after it.
pub(crate) struct Route {
    router: u64,
    to: Arc<dyn LockProvider>,
    next: Routes,
}

impl Routes {
    pub(crate) fn first(&self) -> Option<&Arc<Route>> {
        self.0.get()
    }

    /// Adds a choice behind those made already.
    pub(crate) fn add(&self, router: u64, to: &Arc<dyn LockProvider>) {
        let mut end = self;
        while let Some(route) = end.first() {
            end = &route.next;
        }
        end.0.get_or_init(|| {
            Arc::new(Route {
                router,
                to: Arc::clone(to),
                next: Routes::default(),
            })
        });
    }
}

impl Route {
    /// What `router` chose, looking from `first` on.
    pub(crate) fn find(first: Option<&Arc<Self>>, router: u64) -> Option<Arc<dyn LockProvider>> {
        let mut next = first;
        while let Some(route) = next {
            if route.router == router {
                return Some(Arc::clone(&route.to));
            }
            next = route.next.first();
        }
        None
    }
}

// Leases are printed with their route; a whole provider would drown them.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        let mut next = Some(self);
        while let Some(route) = next {
            list.entry(&route.to.as_ref().info().name());
            next = route.next.first().map(|route| &**route);
        }
        list.finish()
    }
}
