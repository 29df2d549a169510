//! The accounts: list, add, remove after a question, change a password.

use axum::Form;
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{frame, is_id, not_found, parse_address, parse_password, signed_in, signed_in_form};
use crate::page::{self, AccountsPage, PasswordPage, RemovePage};
use crate::session::Session;
use crate::{Account, Shared, State};

#[derive(Deserialize)]
pub(crate) struct Done {
    done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct AddForm {
    form_token: String,
    address: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    form_token: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct RemoveForm {
    form_token: String,
}

pub(crate) async fn page(
    Extract(state): Shared,
    headers: HeaderMap,
    Query(query): Query<Done>,
) -> Response {
    let session = match signed_in(&state, &headers) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    let done = match query.done.as_deref() {
        Some("added") => Some("The account was added."),
        Some("removed") => Some("The account was removed."),
        Some("password") => Some("The password was changed."),
        _ => None,
    };
    list(&state, &session, StatusCode::OK, done, None, String::new()).await
}

pub(crate) async fn add(
    Extract(state): Shared,
    headers: HeaderMap,
    Form(form): Form<AddForm>,
) -> Response {
    let session = match signed_in_form(&state, &headers, &form.form_token) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    let added = match (parse_address(&form.address), parse_password(form.password)) {
        (Ok(address), Ok(password)) => state.operations.add_account(address, password).await,
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    match added {
        Ok(()) => Redirect::to("/accounts?done=added").into_response(),
        Err(problem) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            list(&state, &session, status, None, Some(problem), form.address).await
        }
    }
}

pub(crate) async fn ask_remove(
    Extract(state): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    match signed_in(&state, &headers) {
        Ok(session) => remove_page(&state, &session, &id, None).await,
        Err(answer) => answer,
    }
}

pub(crate) async fn remove(
    Extract(state): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<RemoveForm>,
) -> Response {
    let session = match signed_in_form(&state, &headers, &form.form_token) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    if !is_id(&id) {
        return not_found().await;
    }
    match state.operations.remove_account(id.clone()).await {
        Ok(()) => Redirect::to("/accounts?done=removed").into_response(),
        Err(problem) => remove_page(&state, &session, &id, Some(problem)).await,
    }
}

pub(crate) async fn ask_password(
    Extract(state): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    match signed_in(&state, &headers) {
        Ok(session) => password_page(&state, &session, &id, None).await,
        Err(answer) => answer,
    }
}

pub(crate) async fn set_password(
    Extract(state): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<PasswordForm>,
) -> Response {
    let session = match signed_in_form(&state, &headers, &form.form_token) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    if !is_id(&id) {
        return not_found().await;
    }
    let changed = match parse_password(form.password) {
        Ok(password) => state.operations.set_password(id.clone(), password).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(()) => Redirect::to("/accounts?done=password").into_response(),
        Err(problem) => password_page(&state, &session, &id, Some(problem)).await,
    }
}

async fn list(
    state: &State,
    session: &Session,
    status: StatusCode,
    done: Option<&'static str>,
    problem: Option<String>,
    typed: String,
) -> Response {
    let frame = frame(state, session, "accounts");
    let accounts = state.operations.accounts().await;
    page::html(status, &AccountsPage { frame, accounts, done, problem, typed })
}

async fn remove_page(
    state: &State,
    session: &Session,
    id: &str,
    problem: Option<String>,
) -> Response {
    let Some(account) = find(state, id).await else { return gone() };
    let frame = frame(state, session, "accounts");
    page::html(code(problem.as_ref()), &RemovePage { frame, account, problem })
}

async fn password_page(
    state: &State,
    session: &Session,
    id: &str,
    problem: Option<String>,
) -> Response {
    let Some(account) = find(state, id).await else { return gone() };
    let frame = frame(state, session, "accounts");
    page::html(code(problem.as_ref()), &PasswordPage { frame, account, problem })
}

async fn find(state: &State, id: &str) -> Option<Account> {
    state.operations.accounts().await.into_iter().find(|account| account.id == id)
}

fn gone() -> Response {
    let meaning = "It may have been removed in the meantime. Look at the list of accounts again.";
    page::problem(StatusCode::NOT_FOUND, "There is no such account", meaning)
}

fn code(problem: Option<&String>) -> StatusCode {
    if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}
