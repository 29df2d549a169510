//! What the owner wants of the pair's addresses, and what was decided about them.

use axum::Form;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{frame, not_found, signed_in, signed_in_form, status};
use crate::operations::Wish;
use crate::page::{self, EventsPage};
use crate::{Shared, words};

#[derive(Deserialize)]
pub(crate) struct WishForm {
    form_token: String,
}

pub(crate) async fn submit(
    Extract(state): Shared,
    headers: HeaderMap,
    Path(name): Path<String>,
    Form(form): Form<WishForm>,
) -> Response {
    let session = match signed_in_form(&state, &headers, &form.form_token) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    let Some(wish) = Wish::named(&name) else { return not_found().await };
    match state.operations.wish(wish).await {
        Ok(()) => Redirect::to(&format!("/?done={}", wish.name())).into_response(),
        Err(problem) => {
            let problem = Some(words::sentence(&problem));
            status::show(&state, &session, StatusCode::CONFLICT, None, problem).await
        }
    }
}

pub(crate) async fn events(Extract(state): Shared, headers: HeaderMap) -> Response {
    let session = match signed_in(&state, &headers) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    let now = state.operations.status().await;
    let events = state.operations.events().await;
    let frame = frame(&state, &session, "events");
    page::html(StatusCode::OK, &EventsPage::new(frame, &now, &events))
}
