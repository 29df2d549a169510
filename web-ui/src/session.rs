//! Sessions without a store: a cookie that says until when it is good and is signed with the pair's
//! secret, and for the forms of a session a token that only that session has.
//!
//! The cookie is `expiry . nonce . seal`, each in base64url but the expiry (unix seconds, decimal). Both
//! boxes share the secret, so either one takes the other's cookie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::limits::SESSION_LASTS;

/// Makes and checks sessions.
pub struct Sessions {
    cookie_key: hmac::Key,
    form_key: hmac::Key,
    pub(crate) secure: bool,
}

/// A session that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    nonce: String,
}

impl Sessions {
    pub(crate) fn new(secret: &[u8; 32], secure: bool) -> Sessions {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive =
            |purpose: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose).as_ref());
        Sessions {
            cookie_key: derive(b"twinpost panel cookie"),
            form_key: derive(b"twinpost panel form"),
            secure,
        }
    }

    /// The value of `Set-Cookie` for a new session.
    pub fn issue(&self, now_unix: u64) -> String {
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).expect("the system has random bytes");
        let nonce = URL_SAFE_NO_PAD.encode(nonce);
        let expiry = now_unix + SESSION_LASTS.as_secs();
        let seal = URL_SAFE_NO_PAD.encode(hmac::sign(&self.cookie_key, &sealed(expiry, &nonce)));
        self.set_cookie(&format!("{expiry}.{nonce}.{seal}"), SESSION_LASTS.as_secs())
    }

    /// The value of `Set-Cookie` that ends a session in the browser.
    pub fn end(&self) -> String {
        self.set_cookie("", 0)
    }

    /// The session that a `Cookie` header carries, if it is ours and still good.
    pub fn check(&self, cookie_header: &str, now_unix: u64) -> Option<Session> {
        cookie_header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.cookie_name())
            .find_map(|(_, value)| self.check_value(value, now_unix))
    }

    fn check_value(&self, value: &str, now_unix: u64) -> Option<Session> {
        let mut parts = value.split('.');
        let (expiry, nonce, seal) = (parts.next()?, parts.next()?, parts.next()?);
        let expiry: u64 = expiry.parse().ok()?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        hmac::verify(&self.cookie_key, &sealed(expiry, nonce), &seal).ok()?;
        (parts.next().is_none() && now_unix < expiry).then(|| Session { nonce: nonce.to_string() })
    }

    /// What a form of this session must carry.
    pub fn form_token(&self, session: &Session) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.form_key, session.nonce.as_bytes()))
    }

    pub fn form_token_fits(&self, session: &Session, token: &str) -> bool {
        URL_SAFE_NO_PAD.decode(token).is_ok_and(|token| {
            hmac::verify(&self.form_key, session.nonce.as_bytes(), &token).is_ok()
        })
    }

    /// `__Host-`: set by this host over TLS, for the whole of it, and by nobody else.
    fn cookie_name(&self) -> &'static str {
        if self.secure { "__Host-twinpost" } else { "twinpost" }
    }

    fn set_cookie(&self, value: &str, max_age_s: u64) -> String {
        let name = self.cookie_name();
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}")
    }
}

fn sealed(expiry: u64, nonce: &str) -> Vec<u8> {
    format!("{expiry}.{nonce}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(set_cookie: &str) -> &str {
        set_cookie.split(';').next().unwrap()
    }

    #[test]
    fn either_box_takes_the_others_cookie_until_it_expires() {
        let (a, b) = (Sessions::new(&[1; 32], true), Sessions::new(&[1; 32], true));
        let issued = a.issue(1_000);
        let header = format!("theme=dark; {}", cookie(&issued));
        let session = b.check(&header, 1_000).unwrap();
        assert!(b.form_token_fits(&session, &a.form_token(&session)));
        assert!(b.check(&header, 1_000 + SESSION_LASTS.as_secs() - 1).is_some());
        assert!(b.check(&header, 1_000 + SESSION_LASTS.as_secs()).is_none());
        assert!(Sessions::new(&[2; 32], true).check(&header, 1_000).is_none(), "another pair");
    }

    #[test]
    fn no_altered_cookie_is_taken() {
        let sessions = Sessions::new(&[1; 32], true);
        let issued = sessions.issue(1_000);
        let good = cookie(&issued);
        let (name, value) = good.split_once('=').unwrap();
        for at in 0..value.len() {
            let mut bytes = value.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            let altered = String::from_utf8(bytes).unwrap();
            assert!(sessions.check(&format!("{name}={altered}"), 1_000).is_none(), "{altered}");
        }
        for junk in ["", "=", "a=b", "__Host-twinpost", "__Host-twinpost=", "__Host-twinpost=1.2"] {
            assert!(sessions.check(junk, 1_000).is_none(), "{junk}");
        }
        assert!(sessions.check(&format!("{good}.x"), 1_000).is_none());
        assert!(sessions.check(&good.replace("__Host-", ""), 1_000).is_none());
    }

    #[test]
    fn a_form_token_belongs_to_its_session() {
        let sessions = Sessions::new(&[1; 32], true);
        let new = || sessions.check(cookie(&sessions.issue(5)), 5).unwrap();
        let (one, other) = (new(), new());
        assert!(sessions.form_token_fits(&one, &sessions.form_token(&one)));
        assert!(!sessions.form_token_fits(&one, &sessions.form_token(&other)));
        assert!(!sessions.form_token_fits(&one, ""));
    }

    #[test]
    fn the_cookie_is_for_this_host_and_no_script() {
        let secure = Sessions::new(&[1; 32], true).issue(5);
        assert!(secure.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{secure}");
        assert!(secure.contains("; Path=/;"));
        assert!(!Sessions::new(&[1; 32], false).issue(5).contains("Secure"));
        assert!(Sessions::new(&[1; 32], true).end().contains("Max-Age=0"));
    }
}
