/// Documented.
#[instrument]
pub(crate) async fn sync<T: Send>(&self, tenant: T) -> Report
where
    T: Display,
{
    #![allow(unused)]
    let job = ::platform::locks::__private::Job::formatted(
            ::platform::locks::__private::core::format_args!(
                "sync-{0:>8}-{1}", tenant, self.region
            ),
            "sync-{tenant:>8}-{self.region}",
        )
        .at_most(self.lease)
        .at_least(::platform::locks::__private::core::time::Duration::new(0, 0))
        .wait(::platform::locks::__private::core::time::Duration::new(5, 0))
        .timeout(::platform::locks::__private::core::time::Duration::new(30, 0))
        .provider({
            use ::platform::locks::__private::ToProvider as _;
            (&self.locks).__shedlock_provider()
        })
        .keep_alive_every(::platform::locks::__private::core::time::Duration::new(20, 0))
        .on_lost_notify();
    let body = ::platform::locks::__private::body::<
        Report,
        _,
    >(async move {
        if let ::platform::locks::__private::core::option::Option::Some(value) = ::platform::locks::__private::core::option::Option::None::<
            Report,
        > {
            return value;
        }
        Report::done(tenant)
    });
    let returned = ::platform::locks::__private::run(
            &job,
            ::platform::locks::__private::core::pin::pin!(body),
            |#[allow(unused_variables)] reason| Report::skipped(reason),
            |#[allow(unused_variables)] error| Report::failed(error),
            |value| {
                use ::platform::locks::__private::{
                    IsNoResult as _, IsResult as _, IsShownResult as _,
                };
                (&&::platform::locks::__private::Returned(value)).__shedlock_error()
            },
        )
        .await;
    returned
}
