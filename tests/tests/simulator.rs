//! A thousand stories of two boxes. More: `cargo sim --seeds 100000`.

use tests::sim::{Options, many, shrink};

#[test]
fn a_thousand_seeds_are_clean() {
    let options = Options::default();
    if let Err(failure) = many::run_all(0..1000, &options, |_| {}) {
        panic!("{}", shrink::shortest(&failure, &options));
    }
}
