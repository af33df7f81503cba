fn main() {
    ::shedlock::__private::install(
        ::shedlock::SchedulerLock::builder()
            .provider(provider)
            .named_provider("reports", reports())
            .named_provider("mails", mails)
            .default_at_most(::shedlock::__private::core::time::Duration::new(600, 0))
            .default_at_least(::shedlock::__private::core::time::Duration::new(0, 0))
            .default_timeout(::shedlock::__private::core::time::Duration::new(30, 0)),
    )
}
