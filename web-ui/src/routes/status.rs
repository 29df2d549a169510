//! The first page: how the pair is. The script fetches `/status`, its changing part, every two seconds, so
//! that the words stand in one place.

use axum::extract::{Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{frame, signed_in};
use crate::page::{self, Live, StatusPage};
use crate::session::Session;
use crate::{Shared, State, Wish, words};

#[derive(Deserialize)]
pub(crate) struct Done {
    done: Option<String>,
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
    let done = query.done.as_deref().and_then(Wish::named).map(words::taken);
    show(&state, &session, StatusCode::OK, done, None).await
}

pub(crate) async fn show(
    state: &State,
    session: &Session,
    code: StatusCode,
    done: Option<&'static str>,
    problem: Option<String>,
) -> Response {
    let status = state.operations.status().await;
    let live = Live::new(&status);
    let wishes = words::wishes(&status);
    let frame = frame(state, session, "status");
    page::html(code, &StatusPage { frame, live, wishes, done, problem })
}

/// For the script: no page, and no detour to the login page.
pub(crate) async fn part(Extract(state): Shared, headers: HeaderMap) -> Response {
    if state.session(&headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    page::html(StatusCode::OK, &Live::new(&state.operations.status().await))
}
