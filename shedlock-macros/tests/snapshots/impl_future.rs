fn job(count: u32) -> impl Future<Output = Option<u32>> + Send {
    async move {
        let job = ::shedlock::__private::Job::named("job");
        let body = ::shedlock::__private::body::<
            Option<u32>,
            _,
        >(async move {
            (move || {
                let doubled = count * 2;
                async move { Some(doubled) }
            })()
                .await
        });
        let returned = ::shedlock::__private::run(
                &job,
                ::shedlock::__private::core::pin::pin!(body),
                |reason| ::shedlock::__private::skip_value::<Option<u32>>(reason),
                |error| ::shedlock::__private::error_value::<Option<u32>>(error),
                |value| {
                    use ::shedlock::__private::{
                        IsNoResult as _, IsResult as _, IsShownResult as _,
                    };
                    (&&::shedlock::__private::Returned(value)).__shedlock_error()
                },
            )
            .await;
        returned
    }
}
