//! A copy of everything, as a download.
//!
//! It is sent while it is made, so nobody knows how long it is before its end. One that cannot be
//! finished breaks off: to the browser that is a failed download, and no file that looks whole.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Form;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Bytes, Frame};
use serde::Deserialize;

use super::{MaybeClient, api, signed_in_form, status};
use crate::operations::BackupParts;
use crate::{Shared, State, words};

#[derive(Deserialize)]
pub(crate) struct BackupForm {
    form_token: String,
}

pub(crate) async fn submit(
    Extract(state): Shared,
    headers: HeaderMap,
    Form(form): Form<BackupForm>,
) -> Response {
    let session = match signed_in_form(&state, &headers, &form.form_token) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    match begin(&state).await {
        Ok(answer) => answer,
        Err(problem) => {
            let problem = Some(words::sentence(&problem));
            status::show(&state, &session, StatusCode::CONFLICT, None, problem).await
        }
    }
}

/// For a script: it sends the admin password.
pub(crate) async fn for_scripts(
    Extract(state): Shared,
    client: MaybeClient,
    headers: HeaderMap,
) -> Response {
    if let Err(answer) = api::may_read(&state, client, &headers).await {
        return answer;
    }
    match begin(&state).await {
        Ok(answer) => answer,
        Err(problem) => api::problem(StatusCode::SERVICE_UNAVAILABLE, &problem),
    }
}

/// A backup that fails at once is told in words.
async fn begin(state: &State) -> Result<Response, String> {
    let now = state.operations.status().await.now;
    let mut parts = state.operations.backup().await;
    let first = match parts.recv().await {
        Some(Ok(first)) => first,
        Some(Err(problem)) => return Err(problem),
        None => return Err("the box gave no backup".into()),
    };
    let name = format!("attachment; filename=\"twinpost-{now}.backup\"");
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let body = Download { next: Some(first), rest: parts };
    Ok((head, Body::new(body)).into_response())
}

struct Download {
    next: Option<Vec<u8>>,
    rest: BackupParts,
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        let part = match self.next.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.rest.poll_recv(context),
        };
        part.map(|part| part.map(|part| part.map(|bytes| Frame::data(bytes.into()))))
    }
}
