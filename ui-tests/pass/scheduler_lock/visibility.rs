//! Every visibility, in a nested module too.

/// A module, whose imports are none of ours.
pub mod nested {
    /// Public.
    #[shedlock::scheduler_lock(name = "public", at_most = "1m")]
    pub async fn public() {
        in_crate().await;
        in_super().await;
        private().await;
    }

    #[shedlock::scheduler_lock(name = "in-crate", at_most = "1m")]
    pub(crate) async fn in_crate() {}

    #[shedlock::scheduler_lock(name = "in-super", at_most = "1m")]
    pub(super) async fn in_super() {}

    #[shedlock::scheduler_lock(name = "private", at_most = "1m")]
    async fn private() {}
}
