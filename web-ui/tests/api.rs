//! The JSON API, with a password and with a session.

#![allow(clippy::unwrap_used, reason = "a test: what is not there fails it")]

mod panel;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use panel::{Fake, Numbers, PASSWORD};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use web_ui::{Account, Status, router};

const ID: &str = "0000000000000000000000009e3779b9";

struct Script {
    fake: Arc<Fake>,
    router: Router,
}

impl Script {
    fn new() -> Script {
        let fake = Arc::new(Fake::new("alone", Numbers::Stand));
        Script { router: router(fake.clone(), [3; 32]), fake }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

fn basic(password: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("admin:{password}"));
    format!("Basic {encoded}")
}

/// A session's cookie and its form token.
async fn session(script: &Script) -> (String, String) {
    let request = Request::post("/login")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("password={PASSWORD}")))
        .unwrap();
    let response = script.router.clone().oneshot(request).await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_string();
    let (_, page) = script.call("GET", "/accounts", &[("cookie", &cookie)], None).await;
    let token = page.split_once("name=\"form_token\" value=\"").unwrap().1;
    (cookie, token.split('"').next().unwrap().to_string())
}

#[tokio::test]
async fn a_script_reads_adds_and_removes_with_the_password() {
    let script = Script::new();
    let password = basic(PASSWORD);
    let admin = [("authorization", password.as_str())];
    let (status, body) = script.call("GET", "/api/status", &admin, None).await;
    assert_eq!(status, StatusCode::OK);
    let picture: Status = serde_json::from_str(&body).unwrap();
    assert_eq!(picture.one_copy.unwrap().messages, 1204);
    let raw: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(raw["view"], json!({"alone": "a"}));
    assert_eq!(raw["boxes"][0]["holds"], json!(["a", "b"]));

    let new = json!({"address": "new@example.test", "password": "long enough"});
    let (status, _) = script.call("POST", "/api/accounts", &admin, Some(new)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, body) = script.call("GET", "/api/accounts", &admin, None).await;
    let accounts: Vec<Account> = serde_json::from_str(&body).unwrap();
    assert_eq!(accounts.last().unwrap().address, "new@example.test");

    let path = format!("/api/accounts/{ID}");
    let change = Some(json!({"password": "another one"}));
    let (status, _) = script.call("PUT", &format!("{path}/password"), &admin, change).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = script.call("DELETE", &path, &admin, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = script.call("DELETE", &path, &admin, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_events_and_wishes_are_for_the_admin_only() {
    let script = Script::new();
    let password = basic(PASSWORD);
    let admin = [("authorization", password.as_str())];
    for path in ["/metrics", "/api/events"] {
        assert_eq!(script.call("GET", path, &[], None).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(script.call("GET", path, &admin, None).await.0, StatusCode::OK);
    }
    assert!(script.call("GET", "/metrics", &admin, None).await.1.ends_with("# EOF\n"));
    let path = "/api/pair/begin-maintenance";
    assert_eq!(script.call("POST", path, &[], None).await.0, StatusCode::UNAUTHORIZED);
    let (cookie, token) = session(&script).await;
    let with_cookie = [("cookie", cookie.as_str())];
    assert_eq!(script.call("POST", path, &with_cookie, None).await.0, StatusCode::FORBIDDEN);
    assert!(script.fake.wishes.lock().unwrap().is_empty());
    let with_token = [("cookie", cookie.as_str()), ("x-form-token", token.as_str())];
    assert_eq!(script.call("POST", path, &with_token, None).await.0, StatusCode::ACCEPTED);
    let refused = script.call("POST", "/api/pair/give-back", &admin, None).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(*script.fake.wishes.lock().unwrap(), [web_ui::Wish::BeginMaintenance]);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_counted_without_a_basic_challenge() {
    let script = Script::new();
    let wrong = basic("guess");
    for _ in 0..5 {
        let request = Request::get("/api/status").header("authorization", &wrong);
        let request = request.body(Body::empty()).unwrap();
        let response = script.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert!(!challenge.to_lowercase().contains("basic"));
    }
    let right = basic(PASSWORD);
    let answer = script.call("GET", "/api/status", &[("authorization", &right)], None).await;
    assert_eq!(answer.0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_session_needs_its_form_token_also_beside_a_password() {
    let script = Script::new();
    let (cookie, token) = session(&script).await;
    let password = basic(PASSWORD);
    let path = format!("/api/accounts/{ID}");
    let only_cookie = [("cookie", cookie.as_str())];
    assert_eq!(script.call("GET", "/api/status", &only_cookie, None).await.0, StatusCode::OK);
    let with_password = [("cookie", cookie.as_str()), ("authorization", password.as_str())];
    for headers in [&only_cookie[..], &with_password[..]] {
        assert_eq!(script.call("DELETE", &path, headers, None).await.0, StatusCode::FORBIDDEN);
    }
    let elsewhere =
        [("authorization", password.as_str()), ("origin", "https://evil.example"), ("host", "box")];
    assert_eq!(script.call("DELETE", &path, &elsewhere, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(script.fake.accounts.lock().unwrap().len(), 3);
    let good = [("cookie", cookie.as_str()), ("x-form-token", token.as_str())];
    assert_eq!(script.call("DELETE", &path, &good, None).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn bad_bodies_are_told_in_json() {
    let script = Script::new();
    let password = basic(PASSWORD);
    let admin = [("authorization", password.as_str())];
    let rows = [
        (json!({"address": "new@example.test"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"address": "nobody", "password": "long enough"}), StatusCode::UNPROCESSABLE_ENTITY),
        (
            json!({"address": "x@example.test", "password": "short"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!([1, 2]), StatusCode::UNPROCESSABLE_ENTITY),
    ];
    for (body, expected) in rows {
        let (status, answer) = script.call("POST", "/api/accounts", &admin, Some(body)).await;
        assert_eq!(status, expected, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["error"].as_str().is_some_and(|text| !text.is_empty()));
    }
    // A form cannot pose as JSON: other sites can send forms.
    let (status, _) = script.call("POST", "/api/accounts", &admin, None).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for id in ["zz", "..%2Fx", &"f".repeat(40)] {
        let (status, _) = script.call("DELETE", &format!("/api/accounts/{id}"), &admin, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}
