async fn nightly_report() {
    let job = ::shedlock::__private::Job::named("nightly_report")
        .at_most(::shedlock::__private::core::time::Duration::new(600, 0))
        .at_least(::shedlock::__private::core::time::Duration::new(840, 0));
    let body = ::shedlock::__private::body::<
        (),
        _,
    >(async move {
        if let ::shedlock::__private::core::option::Option::Some(value) = ::shedlock::__private::core::option::Option::None::<
            (),
        > {
            return value;
        }
        work().await;
    });
    let returned = ::shedlock::__private::run(
            &job,
            ::shedlock::__private::core::pin::pin!(body),
            |reason| ::shedlock::__private::skip_value::<()>(reason),
            |error| ::shedlock::__private::error_value::<()>(error),
            |_| ::shedlock::__private::core::option::Option::None,
        )
        .await;
    returned
}
