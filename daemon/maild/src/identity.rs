//! Who this box is: its own key, the peer's pinned certificate, the keys that the pair shares.
//!
//! | file below `identity/` | holds |
//! |---|---|
//! | `box.der`, `box.key` | this box's certificate and its private key (PKCS #8), made at the first start |
//! | `peer.pin` | SHA-256 of the peer's certificate, in hex, from the first session on |
//! | `joined` | exists once this disk has been in the view `both` |
//! | `alone` | exists while this box's last view is `alone` |
//! | `maintenance` | exists while this box is in maintenance |
//! | `copying` | exists while this disk, which never joined, is filled by a peer whose disk did, or from a backup |

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ring::{digest, hkdf, hmac};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub struct Identity {
    directory: PathBuf,
    pub certificate: CertificateDer<'static>,
    key: Vec<u8>,
    secret: hkdf::Prk,
}

impl Identity {
    /// Reads the identity, or makes a new one on a new disk.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub fn open(directory: &Path, pair_token: &str) -> Result<Identity> {
        fs::create_dir_all(directory).with_context(|| format!("creating {directory:?}"))?;
        let (certificate, key) = match read(directory)? {
            Some(pair) => pair,
            None => make(directory)?,
        };
        let secret = pair_secret(pair_token);
        Ok(Identity { directory: directory.to_owned(), certificate, key, secret })
    }

    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// A key of 32 bytes that both boxes derive from the pair's token, one for each purpose.
    #[must_use]
    pub fn shared_key(&self, purpose: &str) -> [u8; 32] {
        expand(&self.secret, purpose)
    }

    /// Proves to the peer, in one TLS session only, that this side knows the pair's token.
    #[must_use]
    pub fn proof(&self, side: &str, exporter: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.shared_key("pairing"));
        hmac::sign(&key, &[side.as_bytes(), exporter].concat()).as_ref().to_vec()
    }

    /// # Errors
    /// When the proof is not the one of this pair, side and session.
    pub fn check_proof(&self, side: &str, exporter: &[u8], proof: &[u8]) -> Result<()> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.shared_key("pairing"));
        if hmac::verify(&key, &[side.as_bytes(), exporter].concat(), proof).is_err() {
            bail!("the box at the other end does not know this pair's token");
        }
        Ok(())
    }

    /// The peer that has just proved itself: is it the one that this box knows? A new one is taken in
    /// when none is known, or when its disk is new.
    ///
    /// # Errors
    /// When another peer is known, and the new one's disk is not blank.
    pub fn pin(&self, certificate: &[u8], blank: bool) -> Result<()> {
        let pin = hex(digest::digest(&digest::SHA256, certificate).as_ref());
        let file = self.directory.join("peer.pin");
        match fs::read_to_string(&file) {
            Ok(known) if known.trim() == pin => return Ok(()),
            Ok(_) if !blank => bail!(
                "the box at the other end is not the one that this box was paired with; \
                 its key differs and its disk is not new"
            ),
            Ok(_) => tracing::warn!("the peer has a new disk: its new key is taken in"),
            Err(_) => tracing::info!("paired"),
        }
        write(&file, pin.as_bytes(), 0o644)
    }

    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.directory.join("joined").exists()
    }

    /// Was this box's last view `alone`? Then nobody else has what it took, and it may serve soon after a
    /// restart.
    #[must_use]
    pub fn was_alone(&self) -> bool {
        self.directory.join("alone").exists()
    }

    #[must_use]
    pub fn is_in_maintenance(&self) -> bool {
        self.directory.join("maintenance").exists()
    }

    /// # Errors
    /// When the mark cannot be written or removed.
    pub fn mark_maintenance(&self, on: bool) -> Result<()> {
        self.mark("maintenance", on)
    }

    fn mark(&self, name: &str, on: bool) -> Result<()> {
        let mark = self.directory.join(name);
        match on {
            true => write(&mark, b"", 0o644),
            false if mark.exists() => {
                fs::remove_file(&mark)?;
                Ok(fs::File::open(&self.directory)?.sync_all()?)
            }
            false => Ok(()),
        }
    }

    /// The newest record format that this box has blessed; 0 when none was.
    #[must_use]
    pub fn blessed_format(&self) -> u16 {
        let text = fs::read_to_string(self.directory.join("format")).unwrap_or_default();
        // Unreadable is as if nothing had proved itself: it does so again.
        text.trim().parse().unwrap_or(0)
    }

    /// # Errors
    /// When it cannot be written.
    pub fn bless_format(&self, format: u16) -> Result<()> {
        write(&self.directory.join("format"), format.to_string().as_bytes(), 0o644)
    }

    /// Does the owner want no newer record format than the pair has?
    #[must_use]
    pub fn holds_format(&self) -> bool {
        self.directory.join("format-held").exists()
    }

    /// # Errors
    /// When the mark cannot be written or removed.
    pub fn hold_format(&self, on: bool) -> Result<()> {
        self.mark("format-held", on)
    }

    /// May this box serve alone after a start? Once it has joined; before that the first of a pair may,
    /// and a box that did so already, but none that knows of a peer with the pair's mail.
    #[must_use]
    pub fn may_serve_alone(&self, first: bool) -> bool {
        self.has_joined() || ((first || self.was_alone()) && !self.is_copying())
    }

    fn is_copying(&self) -> bool {
        self.directory.join("copying").exists()
    }

    /// Keeps in mind that the peer holds the pair's mail, and this disk does not yet.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub fn mark_copying(&self) -> Result<()> {
        if self.has_joined() || self.is_copying() {
            return Ok(());
        }
        write(&self.directory.join("copying"), b"", 0o644)
    }

    /// Keeps in mind which view this box has come into.
    ///
    /// # Errors
    /// When a mark cannot be written or removed.
    pub fn mark_view(&self, both: bool) -> Result<()> {
        let [joined, alone, copying] =
            ["joined", "alone", "copying"].map(|f| self.directory.join(f));
        if both && !joined.exists() {
            write(&joined, b"", 0o644)?;
        }
        if !both && !alone.exists() {
            write(&alone, b"", 0o644)?;
        }
        // Alone while it was being filled: by the admin's word, which goes on holding.
        for over in [Some(copying), both.then_some(alone)].into_iter().flatten() {
            if over.exists() {
                fs::remove_file(&over)?;
                fs::File::open(&self.directory)?.sync_all()?;
            }
        }
        Ok(())
    }
}

/// [`Identity::shared_key`] for somebody who has the pair's token and is none of its boxes.
#[must_use]
pub fn shared_key(pair_token: &str, purpose: &str) -> [u8; 32] {
    expand(&pair_secret(pair_token), purpose)
}

fn pair_secret(pair_token: &str) -> hkdf::Prk {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"twinpost pair token");
    salt.extract(pair_token.as_bytes())
}

fn expand(secret: &hkdf::Prk, purpose: &str) -> [u8; 32] {
    let mut out = [0; 32];
    secret
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("HKDF-SHA256 gives 32 bytes");
    out
}

/// The disk is about to become an old copy: from now on it has not joined, and serves alone only by the
/// admin's word.
///
/// # Errors
/// When a mark cannot be written or removed.
pub fn forget_views(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("creating {directory:?}"))?;
    write(&directory.join("copying"), b"", 0o644)?;
    for mark in ["joined", "alone"].map(|mark| directory.join(mark)) {
        if mark.exists() {
            fs::remove_file(&mark)?;
        }
    }
    fs::File::open(directory)?.sync_all()?;
    Ok(())
}

type Pair = (CertificateDer<'static>, Vec<u8>);

fn read(directory: &Path) -> Result<Option<Pair>> {
    let (certificate, key) = (directory.join("box.der"), directory.join("box.key"));
    if !certificate.exists() {
        return Ok(None);
    }
    let certificate = fs::read(&certificate).context("reading this box's certificate")?;
    let key = fs::read(&key).context("reading this box's key")?;
    Ok(Some((certificate.into(), key)))
}

fn make(directory: &Path) -> Result<Pair> {
    let made = rcgen::generate_simple_self_signed(vec!["twinpost-box".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = made.signing_key.serialize_der();
    write(&directory.join("box.key"), &key, 0o600)?;
    // The certificate is last: with it the identity is whole.
    write(&directory.join("box.der"), &certificate, 0o644)?;
    tracing::info!("this box has a new identity");
    Ok((certificate, key))
}

/// Writes a file whole or not at all.
fn write(file: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = file.with_extension("new");
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .with_context(|| format!("creating {temporary:?}"))?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&temporary, file)?;
    if let Some(directory) = file.parent() {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> (PathBuf, Identity) {
        let directory =
            std::env::temp_dir().join(format!("twinpost-id-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let identity = Identity::open(&directory, "a token of the pair").unwrap();
        (directory, identity)
    }

    #[test]
    fn an_identity_is_made_once() {
        let (directory, first) = identity("once");
        let second = Identity::open(&directory, "a token of the pair").unwrap();
        assert_eq!(first.certificate, second.certificate);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_proof_holds_for_its_pair_side_and_session_only() {
        let (directory, one) = identity("proof");
        let proof = one.proof("a", b"session 1");
        assert!(one.check_proof("a", b"session 1", &proof).is_ok());
        assert!(one.check_proof("b", b"session 1", &proof).is_err());
        assert!(one.check_proof("a", b"session 2", &proof).is_err());
        let other = Identity::open(&directory, "another token of a pair").unwrap();
        assert!(other.check_proof("a", b"session 1", &proof).is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn who_may_serve_alone() {
        let (directory, one) = identity("alone");
        assert!(one.may_serve_alone(true), "the first of a pair");
        assert!(!one.may_serve_alone(false), "a new disk");
        one.mark_copying().unwrap();
        assert!(!one.may_serve_alone(true), "its peer holds the pair's mail");
        one.mark_view(false).unwrap();
        assert!(one.may_serve_alone(false), "the admin forced it, and it goes on after a restart");
        one.mark_copying().unwrap();
        assert!(!one.may_serve_alone(true), "until it hears its peer again");
        one.mark_view(true).unwrap();
        one.mark_copying().unwrap();
        assert!(one.may_serve_alone(false), "it has joined");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn another_peer_is_taken_in_only_with_a_new_disk() {
        let (directory, one) = identity("pin");
        one.pin(b"first", false).unwrap();
        one.pin(b"first", false).unwrap();
        assert!(one.pin(b"second", false).is_err());
        one.pin(b"second", true).unwrap();
        one.pin(b"second", false).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }
}
