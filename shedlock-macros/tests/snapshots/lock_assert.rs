fn main() {
    ::shedlock::__private::assert_locked();
    ::shedlock::__private::assert_locked_by("nightly_report");
    ::shedlock::__private::assert_locked_by(
        &::shedlock::__private::std::format!("sync-{0}-{1}", tenant, self.region),
    );
    ::shedlock::__private::assert_locked_by(
        ::shedlock::__private::core::convert::AsRef::<str>::as_ref(&(NAME)),
    );
    ::platform::locks::__private::assert_locked();
}
