//! Who may: sessions, the admin's password, and how often somebody may be wrong about it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

use crate::State;
use crate::limits::{
    CHECKS_AT_ONCE_MAX, CLIENTS_MAX, PASSWORD_BYTES_MAX, WRONG_IN_ALL_MAX, WRONG_PER_CLIENT_MAX,
    WRONG_WINDOW,
};
use crate::session::Session;

/// Where a request comes from. Whoever accepts connections puts it into the request's extensions;
/// without it all clients count as one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Client(pub IpAddr);

/// What came of a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Right,
    Wrong,
    /// Not even looked at: too many were wrong. Try again in so many seconds.
    Wait(u64),
}

/// Who asks, once that is settled.
pub enum Caller {
    /// A browser with a session. What it changes needs the session's form token.
    Session(Session),
    /// A script that sent the admin's password with this very request.
    Password,
}

/// Why nobody is let in.
pub enum Refusal {
    SignIn,
    Wait(u64),
}

/// Counts wrong passwords.
pub struct Guard {
    wrong: Mutex<Wrong>,
    checks: Semaphore,
}

#[derive(Default)]
struct Wrong {
    clients: HashMap<Option<Client>, Count>,
    all: Option<Count>,
}

#[derive(Clone, Copy)]
struct Count {
    since: Instant,
    times: u32,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard { wrong: Mutex::default(), checks: Semaphore::new(CHECKS_AT_ONCE_MAX) }
    }
}

impl State {
    /// A password for the panel, tried by hand or by a script.
    pub(crate) async fn try_password(&self, client: Option<Client>, password: String) -> Verdict {
        let _turn = self.guard.checks.acquire().await.expect("the semaphore is never closed");
        // Asked only now: those that waited for their turn count what the ones before them did.
        if let Some(seconds) = self.guard.must_wait(client, Instant::now()) {
            return Verdict::Wait(seconds);
        }
        let right =
            password.len() <= PASSWORD_BYTES_MAX && self.operations.check_admin(password).await;
        if !right {
            self.guard.count_wrong(client, Instant::now());
            tracing::warn!(?client, "wrong password for the panel");
            return Verdict::Wrong;
        }
        self.guard.forget(client);
        Verdict::Right
    }

    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut cookies = cookies.filter_map(|value| value.to_str().ok());
        cookies.find_map(|value| self.sessions.check(value, unix_now()))
    }

    /// A session, or else the password of HTTP Basic (user name `admin`).
    pub(crate) async fn caller(
        &self,
        client: Option<Client>,
        headers: &HeaderMap,
    ) -> Result<Caller, Refusal> {
        if let Some(session) = self.session(headers) {
            return Ok(Caller::Session(session));
        }
        let password = basic_password(headers).ok_or(Refusal::SignIn)?;
        match self.try_password(client, password).await {
            Verdict::Right => Ok(Caller::Password),
            Verdict::Wrong => Err(Refusal::SignIn),
            Verdict::Wait(seconds) => Err(Refusal::Wait(seconds)),
        }
    }
}

impl Guard {
    fn must_wait(&self, client: Option<Client>, now: Instant) -> Option<u64> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |count: Option<&Count>, max: u32| {
            let count = count.filter(|count| count.times >= max)?;
            let left = WRONG_WINDOW.checked_sub(now.saturating_duration_since(count.since))?;
            (left > Duration::ZERO).then(|| left.as_secs() + 1)
        };
        left(wrong.clients.get(&client), WRONG_PER_CLIENT_MAX)
            .or_else(|| left(wrong.all.as_ref(), WRONG_IN_ALL_MAX))
    }

    fn count_wrong(&self, client: Option<Client>, now: Instant) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |count: &Count| now.saturating_duration_since(count.since) >= WRONG_WINDOW;
        wrong.clients.retain(|_, count| !old(count));
        let known = wrong.clients.contains_key(&client) || wrong.clients.len() < CLIENTS_MAX;
        let client = if known { client } else { None };
        let fresh = Count { since: now, times: 0 };
        wrong.clients.entry(client).or_insert(fresh).times += 1;
        let all = wrong.all.get_or_insert(fresh);
        if old(all) {
            *all = fresh;
        }
        all.times += 1;
    }

    fn forget(&self, client: Option<Client>) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clients.remove(&client);
    }
}

/// Unix time, s.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn basic_password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (user == "admin").then(|| password.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<Client> {
        Some(Client(IpAddr::from([192, 0, 2, last])))
    }

    #[test]
    fn a_client_that_is_wrong_too_often_waits_and_others_do_not() {
        let guard = Guard::default();
        let start = Instant::now();
        for _ in 0..WRONG_PER_CLIENT_MAX {
            assert_eq!(guard.must_wait(client(1), start), None);
            guard.count_wrong(client(1), start);
        }
        assert_eq!(guard.must_wait(client(1), start), Some(61));
        assert_eq!(guard.must_wait(client(1), start + Duration::from_secs(50)), Some(11));
        assert_eq!(guard.must_wait(client(2), start), None);
        assert_eq!(guard.must_wait(client(1), start + WRONG_WINDOW), None);
        guard.forget(client(1));
        assert_eq!(guard.must_wait(client(1), start), None);
    }

    #[test]
    fn many_clients_together_wait_too_and_take_no_endless_memory() {
        let guard = Guard::default();
        let start = Instant::now();
        for address in 0..5_000_u32 {
            guard.count_wrong(Some(Client(IpAddr::from(address.to_be_bytes()))), start);
        }
        assert!(guard.must_wait(client(1), start).is_some());
        assert!(guard.wrong.lock().unwrap().clients.len() <= CLIENTS_MAX + 1);
        assert_eq!(guard.must_wait(client(1), start + WRONG_WINDOW), None);
    }

    #[test]
    fn only_admin_has_a_password_here() {
        let check = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            basic_password(&headers)
        };
        let encode = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(check(&encode("admin:se:cret")), Some("se:cret".into()));
        assert_eq!(check(&encode("root:secret")), None);
        assert_eq!(check(&encode("admin")), None);
        assert_eq!(check("Basic ???"), None);
        assert_eq!(check("Bearer abc"), None);
    }
}
