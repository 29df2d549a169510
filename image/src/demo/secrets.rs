//! Secrets of one demo: drawn at random, shown to whoever runs it, gone with it.

use ring::rand::{SecureRandom, SystemRandom};

/// Letters and digits that nobody mistakes for one another; 32 of them, so that a byte chooses
/// evenly.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789Z";

/// A word of so many characters, five random bits each.
pub fn word(length: usize) -> String {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).expect("the kernel gives random bytes");
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_differ() {
        assert_eq!(word(24).len(), 24);
        assert_ne!(word(24), word(24));
    }
}
