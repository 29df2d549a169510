//! The repository's own rules, as ordinary tests: what the design says about the layout, checked on every run.
//!
//! | file below `tidy/` | rule |
//! |---|---|
//! | `edges.rs` | which of our crates may depend on which (DESIGN §9) |
//! | `purity.rs` | pure crates do no I/O, only `daemon/linux` is `unsafe` |
//! | `shape.rs` | sizes of files, width of lines, a `//!` on top of each crate |
//! | `licences.rs` | what the outside crates allow |
//! | `places.rs` | what may stand at the top level, and nothing of one person's machine |
//! | `readme.rs` | commands and paths that the README names exist |
//!
//! Each failure lists everything that breaks the rule, not only the first.

mod tidy {
    mod edges;
    mod licences;
    mod places;
    mod purity;
    mod readme;
    mod shape;
    mod source;
    mod tree;
}

/// Fails with a list, one line for each breach of the rule.
fn report(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}
