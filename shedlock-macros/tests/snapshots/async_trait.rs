fn job<'life0, 'async_trait>(
    &'life0 self,
) -> ::core::pin::Pin<
    Box<
        dyn ::core::future::Future<
            Output = Option<u32>,
        > + ::core::marker::Send + 'async_trait,
    >,
>
where
    'life0: 'async_trait,
    Self: 'async_trait,
{
    ::shedlock::__private::std::boxed::Box::pin(async move {
        let job = ::shedlock::__private::Job::named_by(&(NAME));
        let body = ::shedlock::__private::body::<
            Option<u32>,
            _,
        >(async move {
            (move || -> ::core::pin::Pin<
                Box<
                    dyn ::core::future::Future<
                        Output = Option<u32>,
                    > + ::core::marker::Send + 'async_trait,
                >,
            > {
                Box::pin(async move {
                    let __self = self;
                    Some(__self.count)
                })
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
    })
}
