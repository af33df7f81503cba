async fn report() -> Report {
    let job = ::shedlock::__private::Job::named("report");
    ::shedlock::__private::run::<
        Report,
        _,
    >(
            job,
            async move {
                if let ::shedlock::__private::core::option::Option::Some(value) = ::shedlock::__private::core::option::Option::None::<
                    Report,
                > {
                    return value;
                }
                Report::done()
            },
            |#[allow(unused_variables)] reason| Report::skipped(reason),
            |error| {
                ::shedlock::__private::report_store_error(&error);
                #[allow(unused_variables)]
                let reason = &::shedlock::__private::skip_reason(&error);
                Report::skipped(reason)
            },
            |value| {
                use ::shedlock::__private::{IsNoResult as _, IsResult as _};
                (&::shedlock::__private::Returned(value)).has_failed()
            },
        )
        .await
}
