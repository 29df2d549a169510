//! The same for scripts, in JSON.
//!
//! A caller has a session cookie, or sends HTTP Basic with user name `admin`. What changes something with a
//! cookie needs the session's form token in `X-Form-Token`, whatever else is sent; only a request that
//! rests on its password alone does without. A 401 names no Basic challenge on purpose: a browser that
//! once asked its user for it would send the password with every request, also from other sites.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{MaybeClient, is_id, parse_address, parse_password};
use crate::guard::{Caller, Refusal};
use crate::{Shared, State, Wish, headers};

/// The body of `POST /api/accounts`.
#[derive(Deserialize)]
pub(crate) struct NewAccount {
    address: String,
    password: String,
}

/// The body of `PUT /api/accounts/{id}/password`.
#[derive(Deserialize)]
pub(crate) struct NewPassword {
    password: String,
}

#[derive(Serialize)]
struct Problem {
    error: String,
}

pub(crate) async fn status(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
) -> Response {
    match may_read(&state, client, &headers).await {
        Ok(()) => Json(state.operations.status().await).into_response(),
        Err(answer) => answer,
    }
}

/// For a collector of metrics: it sends the admin password with each request.
pub(crate) async fn metrics(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
) -> Response {
    match may_read(&state, client, &headers).await {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], state.operations.metrics().await)
            .into_response(),
        Err(answer) => answer,
    }
}

pub(crate) async fn events(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
) -> Response {
    match may_read(&state, client, &headers).await {
        Ok(()) => Json(state.operations.events().await).into_response(),
        Err(answer) => answer,
    }
}

/// The wish's name is all there is to say: no body.
pub(crate) async fn wish(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    if let Err(answer) = may_change(&state, client, &headers).await {
        return answer;
    }
    match Wish::named(&name) {
        Some(wish) => answer(state.operations.wish(wish).await, StatusCode::ACCEPTED),
        None => problem(StatusCode::NOT_FOUND, "There is no such wish."),
    }
}

pub(crate) async fn digest(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
) -> Response {
    if let Err(answer) = may_read(&state, client, &headers).await {
        return answer;
    }
    match state.operations.digest().await {
        Ok(digest) => Json(digest).into_response(),
        Err(text) => problem(StatusCode::SERVICE_UNAVAILABLE, &text),
    }
}

pub(crate) async fn accounts(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
) -> Response {
    match may_read(&state, client, &headers).await {
        Ok(()) => Json(state.operations.accounts().await).into_response(),
        Err(answer) => answer,
    }
}

pub(crate) async fn add(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
    body: Result<Json<NewAccount>, JsonRejection>,
) -> Response {
    if let Err(answer) = may_change(&state, client, &headers).await {
        return answer;
    }
    let Json(new) = match body {
        Ok(new) => new,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let added = match (parse_address(&new.address), parse_password(new.password)) {
        (Ok(address), Ok(password)) => state.operations.add_account(address, password).await,
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    answer(added, StatusCode::CREATED)
}

pub(crate) async fn remove(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if let Err(answer) = may_change(&state, client, &headers).await {
        return answer;
    }
    if !exists(&state, &id).await {
        return problem(StatusCode::NOT_FOUND, NO_ACCOUNT);
    }
    answer(state.operations.remove_account(id).await, StatusCode::NO_CONTENT)
}

pub(crate) async fn set_password(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Response {
    if let Err(answer) = may_change(&state, client, &headers).await {
        return answer;
    }
    let Json(new) = match body {
        Ok(new) => new,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    if !exists(&state, &id).await {
        return problem(StatusCode::NOT_FOUND, NO_ACCOUNT);
    }
    let changed = match parse_password(new.password) {
        Ok(password) => state.operations.set_password(id, password).await,
        Err(problem) => Err(problem),
    };
    answer(changed, StatusCode::NO_CONTENT)
}

pub(crate) async fn may_read(
    state: &State,
    client: MaybeClient,
    headers: &HeaderMap,
) -> Result<(), Response> {
    let caller = state.caller(client.map(|client| client.0), headers).await;
    caller.map(|_| ()).map_err(refuse)
}

async fn may_change(
    state: &State,
    client: MaybeClient,
    request_headers: &HeaderMap,
) -> Result<(), Response> {
    if !headers::from_this_host(request_headers) {
        return Err(problem(StatusCode::FORBIDDEN, "The request came from another site."));
    }
    let caller = state.caller(client.map(|client| client.0), request_headers).await;
    let Caller::Session(session) = caller.map_err(refuse)? else { return Ok(()) };
    let token = request_headers.get("x-form-token").and_then(|value| value.to_str().ok());
    if token.is_some_and(|token| state.sessions.form_token_fits(&session, token)) {
        return Ok(());
    }
    Err(problem(StatusCode::FORBIDDEN, "X-Form-Token is missing or does not fit the session."))
}

async fn exists(state: &State, id: &str) -> bool {
    is_id(id) && state.operations.accounts().await.iter().any(|account| account.id == id)
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::SignIn => {
            let challenge = [(header::WWW_AUTHENTICATE, "Session realm=\"twinpost\"")];
            let body = problem(StatusCode::UNAUTHORIZED, "Sign in, or send the admin password.");
            (challenge, body).into_response()
        }
        Refusal::Wait(seconds) => {
            let text = format!("Too many wrong passwords. Wait {seconds} seconds.");
            let body = problem(StatusCode::TOO_MANY_REQUESTS, &text);
            ([(header::RETRY_AFTER, seconds.to_string())], body).into_response()
        }
    }
}

fn answer(result: Result<(), String>, good: StatusCode) -> Response {
    match result {
        Ok(()) => good.into_response(),
        Err(text) => problem(StatusCode::UNPROCESSABLE_ENTITY, &text),
    }
}

pub(crate) fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(Problem { error: text.to_string() })).into_response()
}

const NO_ACCOUNT: &str = "There is no such account.";
/// OpenMetrics 1.0.0, "Protocol negotiation".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
