//! The first page: how the pair is. The script fetches `/status`, its changing part, every two seconds, so
//! that the words stand in one place.

use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{frame, signed_in};
use crate::Shared;
use crate::page::{self, Live, StatusPage};

pub(crate) async fn page(Extract(state): Shared, headers: HeaderMap) -> Response {
    let session = match signed_in(&state, &headers) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    let live = Live::new(&state.operations.status().await);
    page::html(StatusCode::OK, &StatusPage { frame: frame(&state, &session, "status"), live })
}

/// For the script: no page, and no detour to the login page.
pub(crate) async fn part(Extract(state): Shared, headers: HeaderMap) -> Response {
    if state.session(&headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    page::html(StatusCode::OK, &Live::new(&state.operations.status().await))
}
