//! A provider that an attribute is given as an expression: any that the call can keep.

use std::sync::Arc;

use crate::seam::provider::LockProvider;

/// Behind `provider = expression`. A method, because it takes the provider itself and any reference to it.
pub trait ToProvider {
    /// The provider behind the pointer that a call keeps.
    ///
    /// What cannot be kept has this method too, so that the compiler finds it and says what [`Keepable`] asks for.
    fn to_provider(&self) -> Arc<dyn LockProvider>
    where
        Self: Keepable;
}

impl<P: LockProvider + ?Sized> ToProvider for P {
    fn to_provider(&self) -> Arc<dyn LockProvider>
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
