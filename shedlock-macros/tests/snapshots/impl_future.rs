fn job(count: u32) -> impl Future<Output = Option<u32>> + Send {
    async move {
        let job = ::shedlock::__private::Job::named("job");
        ::shedlock::__private::run::<
            Option<u32>,
            _,
        >(
                job,
                async move {
                    (move || {
                        let doubled = count * 2;
                        async move { Some(doubled) }
                    })()
                        .await
                },
                |reason| ::shedlock::__private::skip_value::<Option<u32>>(reason),
                |error| ::shedlock::__private::error_value::<Option<u32>>(error),
                |_| false,
            )
            .await
    }
}
