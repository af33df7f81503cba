//! A provider that an attribute gets as an expression.

use std::sync::Arc;

use crate::seam::provider::LockProvider;

/// The expansion of `provider = expression`. It is a method, so that the expression can be a provider or any reference to one.
pub trait ToProvider {
    /// The provider behind the pointer that a call keeps.
    ///
    /// Types that are not [`Keepable`] have this method, too, so that the compiler's error says what `Keepable` needs.
    fn __shedlock_provider(&self) -> Arc<dyn LockProvider>
    where
        Self: Keepable;
}

impl<P: LockProvider + ?Sized> ToProvider for P {
    fn __shedlock_provider(&self) -> Arc<dyn LockProvider>
    where
        Self: Keepable,
    {
        self.keep()
    }
}

/// A provider that can be cloned.
#[diagnostic::on_unimplemented(
    message = "a call keeps its provider, and `{Self}` cannot be cloned",
    label = "not `Clone`",
    note = "give an `Arc` of it: `Arc<dyn LockProvider>` or `&Arc<dyn LockProvider>` in place of `&dyn LockProvider`"
)]
pub trait Keepable {
    /// A clone behind a pointer.
    fn keep(&self) -> Arc<dyn LockProvider>;
}

impl<P: LockProvider + Clone> Keepable for P {
    fn keep(&self) -> Arc<dyn LockProvider> {
        Arc::new(self.clone())
    }
}
