//! The files beside the pages, inside the program. A browser asks each time whether one has changed (the
//! box that answers may be the other one, with another version) and gets 304 while it has not.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

struct File {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    tag: String,
}

static FILES: LazyLock<[File; 3]> = LazyLock::new(|| {
    [
        new("panel.css", "text/css; charset=utf-8", include_bytes!("../static/panel.css")),
        new("panel.js", "text/javascript; charset=utf-8", include_bytes!("../static/panel.js")),
        new("icon.svg", "image/svg+xml", include_bytes!("../static/icon.svg")),
    ]
});

pub(crate) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let caching = [(header::ETAG, file.tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == file.tag)) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, file.kind)], file.bytes).into_response()
}

fn new(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> File {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    File { name, kind, bytes, tag: format!("\"{hex}\"") }
}
