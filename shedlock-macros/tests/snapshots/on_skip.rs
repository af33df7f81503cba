async fn report() -> Report {
    let job = ::shedlock::__private::Job::named("report");
    let body = ::shedlock::__private::body::<
        Report,
        _,
    >(async move {
        if let ::shedlock::__private::core::option::Option::Some(value) = ::shedlock::__private::core::option::Option::None::<
            Report,
        > {
            return value;
        }
        Report::done()
    });
    let answer_type = ::shedlock::__private::answer_type(&body);
    let returned = ::shedlock::__private::run(
            &job,
            ::shedlock::__private::core::pin::pin!(body),
            |#[allow(unused_variables)] reason| Report::skipped(reason),
            |error| {
                {
                    use ::shedlock::__private::{
                        IsErrorValue as _, IsNoErrorValue as _, IsResultType as _,
                    };
                    (&&answer_type).__shedlock_store_error(error)
                }
                    .unwrap_or_else(|error| {
                        ::shedlock::__private::report_store_error(&error);
                        #[allow(unused_variables)]
                        let reason = &::shedlock::__private::skip_reason(&error);
                        Report::skipped(reason)
                    })
            },
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
