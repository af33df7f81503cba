//! Whatever is given to the macros, they answer: with an expansion, or with errors.

use crate::{assert, duration, enable, scheduler_lock};
use proc_macro2::TokenStream;
use std::str::FromStr as _;

/// What arguments are made of, and what does not belong there.
const FRAGMENTS: [&str; 50] = [
    "name",
    "at_most",
    "at_least",
    "provider",
    "providers",
    "keep_alive",
    "on_skip",
    "on_error",
    "on_lost",
    "wait",
    "timeout",
    "crate",
    "default_at_most",
    "default_timeout",
    "r#type",
    "nmae",
    "lockAtMostFor",
    "self",
    "_",
    "=",
    "=",
    "=",
    "=",
    "==",
    "=>",
    ",",
    ",",
    ",",
    ":",
    "::",
    "-",
    "&",
    "|",
    "!",
    "async",
    "fn",
    "\"job\"",
    "\"{a}-{self.b.0}\"",
    "\"{\"",
    "\"}\"",
    "\"{crate}\"",
    "\"{a.999999999999}\"",
    "\"10m\"",
    "\"P1M\"",
    "\"µ\"",
    "5",
    "1.5",
    "{ \"a\" = b }",
    "(a, b)",
    "[a; 2]",
];

/// Items, whole and broken.
const ITEMS: [&str; 10] = [
    "async fn job(a: u8) {}",
    "fn job(&self) -> impl Future<Output = ()> { async {} }",
    "fn job() -> Pin<Box<dyn Future>> {}",
    "fn job() -> Pin<Box> {}",
    "fn job() { let body = async {}; block_on(body) }",
    "fn job() { let body = async }",
    "pub(crate) struct Job;",
    "async fn job();",
    "#[x]",
    "",
];

/// A linear congruential generator: the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.below(among.len())]
    }
}

#[test]
fn no_arguments_make_a_macro_panic() {
    let mut random = Random(1);
    let mut expanded = 0;
    for _ in 0..20_000 {
        let length = random.below(12);
        let text: Vec<&str> = (0..length).map(|_| random.pick(&FRAGMENTS)).collect();
        let arguments = TokenStream::from_str(&text.join(" ")).unwrap();
        let item = TokenStream::from_str(random.pick(&ITEMS)).unwrap();
        let locked = scheduler_lock::scheduler_lock(arguments.clone(), &item).to_string();
        let answers = [
            locked,
            enable::enable_scheduler_lock(arguments.clone()).to_string(),
            assert::lock_assert(arguments).to_string(),
        ];
        for answer in answers {
            assert!(!answer.is_empty(), "no answer to {text:?}");
            expanded += usize::from(!answer.contains("compile_error"));
        }
    }
    // Otherwise only the refusals were tried.
    assert!(expanded > 100, "{expanded} of 60000 were accepted");
}

#[test]
fn no_duration_panics() {
    const PIECES: [&str; 24] = [
        "0",
        "1",
        "9",
        "18446744073709551615",
        "99999999999999999999",
        ".",
        ",",
        "-",
        "+",
        " ",
        "P",
        "T",
        "D",
        "H",
        "M",
        "S",
        "W",
        "ns",
        "m",
        "h",
        "months",
        "µs",
        "分",
        "p",
    ];
    let mut random = Random(2);
    let mut read = 0;
    for _ in 0..100_000 {
        let length = random.below(7);
        let text: String = (0..length).map(|_| random.pick(&PIECES)).collect();
        match duration::parse(&text) {
            Ok(duration) => {
                assert!(duration.as_secs() <= 36_500 * 86_400, "{text}");
                read += 1;
            }
            Err(message) => assert!(!message.is_empty()),
        }
    }
    assert!(read > 1_000, "{read} were read");
}
