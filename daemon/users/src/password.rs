//! Passwords: argon2id (RFC 9106), kept as PHC strings that name their own cost.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::limits::{
    PASSWORD_BYTES_MAX, PASSWORD_MEMORY_KIB, PASSWORD_MEMORY_KIB_MAX, PASSWORD_PASSES,
    PASSWORD_PASSES_MAX,
};

/// The PHC string of a password. `salt` is 16 random bytes, never used before.
#[must_use]
pub fn hash_password(password: &str, salt: [u8; 16]) -> String {
    let params = Params::new(PASSWORD_MEMORY_KIB, PASSWORD_PASSES, 1, None)
        .expect("the cost in `limits` is one that argon2 takes");
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes(), &salt)
        .expect("argon2 hashes any password that fits into memory")
        .to_string()
}

/// Is this the password of that hash? Costs as much as the hash says; a hash that cannot be read, or asks
/// for too much, costs as much as one of ours and says no.
#[must_use]
pub fn verify_password(hash: &str, password: &str) -> bool {
    let readable = PasswordHash::new(hash).ok().filter(affordable);
    match readable {
        Some(hash) if password.len() <= PASSWORD_BYTES_MAX => {
            Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
        }
        _ => {
            spend_the_time();
            false
        }
    }
}

/// Works as long as a check does, so that its absence tells nobody anything.
pub(crate) fn spend_the_time() {
    let _ = std::hint::black_box(hash_password("", [0; 16]));
}

fn affordable(hash: &PasswordHash<'_>) -> bool {
    hash.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(hash).is_ok_and(|params| {
            params.m_cost() <= PASSWORD_MEMORY_KIB_MAX
                && params.t_cost() <= PASSWORD_PASSES_MAX
                && params.p_cost() <= 4
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let hash = hash_password("Tr0ub4dor", [7; 16]);
        assert!(hash.starts_with("$argon2id$v=19$m=8192,t=2,p=1$"), "{hash}");
        for (password, right) in [
            ("Tr0ub4dor", true),
            ("tr0ub4dor", false),
            ("Tr0ub4dor ", false),
            ("", false),
            (&"x".repeat(PASSWORD_BYTES_MAX + 1), false),
        ] {
            assert_eq!(verify_password(&hash, password), right, "{password:?}");
        }
        assert_ne!(hash, hash_password("Tr0ub4dor", [8; 16]), "another salt, another hash");
    }

    #[test]
    fn hashes_that_are_none_or_cost_too_much_open_for_nobody() {
        for hash in [
            "",
            "x",
            "$argon2id$v=19$m=8192,t=2,p=1$",
            "$argon2id$v=19$m=4000000,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=8192,t=4000000,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=1,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!verify_password(hash, ""), "{hash}");
        }
    }

    /// A hash as another release may have written it: it names its cost, so it is read for ever.
    #[test]
    fn another_cost_is_read() {
        let params = Params::new(1024, 1, 1, None).unwrap();
        let salt = SaltString::encode_b64(&[1; 16]).unwrap();
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(b"secret", &salt)
            .unwrap()
            .to_string();
        assert!(verify_password(&hash, "secret"));
        assert!(!verify_password(&hash, "Secret"));
    }
}
