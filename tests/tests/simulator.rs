//! A thousand stories of two boxes. More: `cargo sim --seeds 100000`.

#[test]
fn a_thousand_seeds_are_clean() {
    for seed in 0..1000 {
        if let Err(failure) = tests::sim::run(seed) {
            panic!("{failure}");
        }
    }
}
