#[::core::prelude::v1::test]
fn job() {
    let body = async {
        let job = ::shedlock::__private::Job::named("job");
        let body = ::shedlock::__private::body::<
            (),
            _,
        >(async move {
            if let ::shedlock::__private::core::option::Option::Some(value) = ::shedlock::__private::core::option::Option::None::<
                (),
            > {
                return value;
            }
            work().await
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
    };
    tokio::pin!(body);
    {
        return runtime().block_on(body);
    }
}
