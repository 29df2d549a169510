//! A thousand stories of two boxes. More: `cargo sim --seeds 100000`.

use tests::sim::{Options, catch_up, many, shrink};

#[test]
fn a_thousand_seeds_are_clean() {
    let options = Options::default();
    if let Err(failure) = many::run_all(0..1000, &options, |_| {}) {
        panic!("{}", shrink::shortest(&failure, &options));
    }
}

/// Times are virtual, so a slow machine passes as well. Ten gigabytes: `cargo sim --catch-up-gb 10`.
#[test]
fn clients_of_the_survivor_hardly_notice_that_the_other_catches_up() {
    let figures = catch_up::run(100_000_000).expect("one pair again");
    assert!(figures.longest_wait_ms <= 500, "{figures:?}");
    assert!(figures.sent_bytes * 10 <= figures.missed_bytes * 11, "{figures:?}");
}
