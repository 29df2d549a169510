//! One file per page, and the API.

pub(crate) mod accounts;
pub(crate) mod api;
pub(crate) mod backup;
pub(crate) mod login;
pub(crate) mod pair;
pub(crate) mod status;

use axum::Extension;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use crate::limits::{ADDRESS_BYTES_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::page::{self, Frame};
use crate::session::Session;
use crate::{Client, State, headers};

pub(crate) async fn not_found() -> Response {
    page::problem(StatusCode::NOT_FOUND, "There is no such page", "The address may be mistyped.")
}

pub(crate) async fn wrong_method() -> Response {
    let meaning = "This page does not answer to that kind of request.";
    page::problem(StatusCode::METHOD_NOT_ALLOWED, "That does not work here", meaning)
}

/// The client, where whoever accepts connections said so.
pub(crate) type MaybeClient = Option<Extension<Client>>;

/// The session of a page, or the way to the login page.
#[allow(clippy::result_large_err, reason = "the error is the answer itself")]
pub(crate) fn signed_in(state: &State, headers: &HeaderMap) -> Result<Session, Response> {
    state.session(headers).ok_or_else(|| Redirect::to("/login").into_response())
}

/// The session of a form, with its token and from a page of this host.
#[allow(clippy::result_large_err, reason = "the error is the answer itself")]
pub(crate) fn signed_in_form(
    state: &State,
    request_headers: &HeaderMap,
    form_token: &str,
) -> Result<Session, Response> {
    let session = signed_in(state, request_headers)?;
    let fits = state.sessions.form_token_fits(&session, form_token);
    if !fits || !headers::from_this_host(request_headers) {
        let meaning = "The form is too old, or it came from another site. Nothing was changed. Go \
                       back, reload the page and try again.";
        return Err(page::problem(StatusCode::FORBIDDEN, "That was not taken", meaning));
    }
    Ok(session)
}

pub(crate) fn frame(state: &State, session: &Session, at: &'static str) -> Frame {
    Frame { at, form_token: state.sessions.form_token(session) }
}

/// A mail address as far as the panel can tell; whether its domain is ours the box says.
pub(crate) fn parse_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c);
    let well_formed = text.len() <= ADDRESS_BYTES_MAX
        && !text.chars().any(odd)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && local.len() <= 64 && !domain.is_empty() && !domain.contains('@')
        });
    if well_formed {
        Ok(text.to_string())
    } else {
        Err("That is not a mail address. It looks like name@example.org.".into())
    }
}

pub(crate) fn parse_password(text: String) -> Result<String, String> {
    if text.chars().count() < PASSWORD_CHARS_MIN {
        return Err(format!(
            "The password is too short: use at least {PASSWORD_CHARS_MIN} characters."
        ));
    }
    if text.len() > PASSWORD_BYTES_MAX {
        return Err(format!("The password is too long: at most {PASSWORD_BYTES_MAX} bytes."));
    }
    Ok(text)
}

/// Up to 32 hexadecimal digits, as the panel itself writes them into its links.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_mail_address() {
        for good in ["ann@example.org", " ann@example.org ", "a.b+c@sub.example.org", "ä@ö.example"]
        {
            assert_eq!(parse_address(good).as_deref(), Ok(good.trim()));
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in ["", "ann", "@example.org", "ann@", "a b@example.org", "a@b@c", "<a@b>", &long] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_hexadecimal() {
        assert!(is_id("00ff") && is_id(&"f".repeat(32)));
        assert!(!is_id("") && !is_id("xyz") && !is_id(&"f".repeat(33)) && !is_id("../a"));
    }
}
