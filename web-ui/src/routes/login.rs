//! Signing in and out.

use axum::Form;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{MaybeClient, signed_in_form};
use crate::guard::{Verdict, unix_now};
use crate::page::{self, LoginPage};
use crate::{Shared, headers};

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct TokenForm {
    form_token: String,
}

pub(crate) async fn page(Extract(state): Shared, request_headers: HeaderMap) -> Response {
    if state.session(&request_headers).is_some() {
        return Redirect::to("/").into_response();
    }
    page::html(StatusCode::OK, &LoginPage { problem: None })
}

pub(crate) async fn submit(
    Extract(state): Shared,
    client: MaybeClient,
    request_headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    if !headers::from_this_host(&request_headers) {
        let meaning = "The form came from another site. Open this panel and sign in there.";
        return page::problem(StatusCode::FORBIDDEN, "That was not taken", meaning);
    }
    match state.try_password(client.map(|client| client.0), form.password).await {
        Verdict::Right => {
            let cookie = state.sessions.issue(unix_now());
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Verdict::Wrong => {
            let problem = Some("That is not the admin password. Try again.".into());
            page::html(StatusCode::UNAUTHORIZED, &LoginPage { problem })
        }
        Verdict::Wait(seconds) => {
            let problem =
                Some(format!("Too many wrong passwords. Wait {seconds} seconds, then try again."));
            let page = page::html(StatusCode::TOO_MANY_REQUESTS, &LoginPage { problem });
            ([(header::RETRY_AFTER, seconds.to_string())], page).into_response()
        }
    }
}

pub(crate) async fn sign_out(
    Extract(state): Shared,
    request_headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Response {
    match signed_in_form(&state, &request_headers, &form.form_token) {
        Ok(_) => {
            ([(header::SET_COOKIE, state.sessions.end())], Redirect::to("/login")).into_response()
        }
        Err(answer) => answer,
    }
}
