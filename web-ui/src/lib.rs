//! The panel: what the owner of the pair sees and does in a browser, and the same for scripts.
//!
//! Server-rendered pages, one style sheet, one small script, a JSON API. It works without the script (by
//! reloading) and keeps nothing: a session is a signed cookie that either box understands, so a browser
//! stays signed in when the other box takes over. What the panel needs of the box it names as a trait,
//! [`Operations`]; it depends on nothing else of twinpost, opens no port and knows no TLS.
//!
//! Start reading at [`Panel`], then [`routes`] (one file per page), [`guard`] (who may), [`words`] (what
//! the status means, said for the owner).

pub mod guard;
pub mod headers;
pub mod limits;
pub mod operations;
mod page;
mod routes;
pub mod session;
mod statics;
pub mod status;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};

pub use guard::Client;
pub use operations::{Account, Answer, BackupParts, Digest, Event, Operations, Wish};
pub use status::{BoxStatus, Cable, CableKind, OneCopy, Side, Status, View};

/// The panel, before it becomes routes.
pub struct Panel {
    state: State,
}

/// What every route may use.
pub(crate) struct State {
    pub operations: Arc<dyn Operations>,
    pub sessions: session::Sessions,
    pub guard: guard::Guard,
}

pub(crate) type Shared = axum::extract::State<Arc<State>>;

/// The routes of the panel for HTTPS. `secret` is the pair's: the same on both boxes.
pub fn router(operations: Arc<dyn Operations>, secret: [u8; 32]) -> Router {
    Panel::new(operations, secret).router()
}

impl Panel {
    pub fn new(operations: Arc<dyn Operations>, secret: [u8; 32]) -> Panel {
        let sessions = session::Sessions::new(&secret, true);
        Panel { state: State { operations, sessions, guard: guard::Guard::default() } }
    }

    /// For working on the panel over plain HTTP: browsers refuse a `Secure` cookie there.
    #[must_use]
    pub fn without_tls(mut self) -> Panel {
        self.state.sessions.secure = false;
        self
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(routes::status::page))
            .route("/status", get(routes::status::part))
            .route("/login", get(routes::login::page).post(routes::login::submit))
            .route("/logout", post(routes::login::sign_out))
            .route("/pair/{wish}", post(routes::pair::submit))
            .route("/backup", post(routes::backup::submit))
            .route("/events", get(routes::pair::events))
            .route("/metrics", get(routes::api::metrics))
            .route("/accounts", get(routes::accounts::page).post(routes::accounts::add))
            .route(
                "/accounts/{id}/remove",
                get(routes::accounts::ask_remove).post(routes::accounts::remove),
            )
            .route(
                "/accounts/{id}/password",
                get(routes::accounts::ask_password).post(routes::accounts::set_password),
            )
            .route("/api/status", get(routes::api::status))
            .route("/api/events", get(routes::api::events))
            .route("/api/pair/{wish}", post(routes::api::wish))
            .route("/api/digest", get(routes::api::digest))
            .route("/api/backup", get(routes::backup::for_scripts))
            .route("/api/accounts", get(routes::api::accounts).post(routes::api::add))
            .route("/api/accounts/{id}", delete(routes::api::remove))
            .route("/api/accounts/{id}/password", put(routes::api::set_password))
            .route("/static/{name}", get(statics::file))
            .fallback(routes::not_found)
            .method_not_allowed_fallback(routes::wrong_method)
            .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
            .layer(axum::middleware::from_fn(headers::add))
            .with_state(Arc::new(self.state))
    }
}
