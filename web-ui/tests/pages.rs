//! Requests into the router, as a browser and as an attacker would send them.

#![allow(clippy::unwrap_used, reason = "a test: what is not there fails it")]

mod panel;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use panel::{Fake, Numbers, PASSWORD};
use tower::ServiceExt as _;
use web_ui::{Client, Wish, router};

const SECRET: [u8; 32] = [3; 32];
const ID: &str = "0000000000000000000000009e3779b9";

struct Browser {
    fake: Arc<Fake>,
    router: Router,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    head: Response<()>,
    body: String,
}

impl Browser {
    fn new(scene: &str) -> Browser {
        let fake = Arc::new(Fake::new(scene, Numbers::Stand));
        Browser { router: router(fake.clone(), SECRET), fake, cookie: None }
    }

    async fn signed_in(scene: &str) -> Browser {
        let mut browser = Browser::new(scene);
        let answer = browser.post("/login", &format!("password={PASSWORD}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), "/");
        let cookie = answer.header("set-cookie");
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        browser.cookie = Some(cookie.split(';').next().unwrap().to_string());
        browser
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, head: Response::from_parts(parts, ()), body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        self.send(form_request(path, form)).await
    }

    /// The token in the forms of this session.
    async fn form_token(&self) -> String {
        let page = self.get("/accounts").await.body;
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_string()
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.head.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn form_request(path: &str, form: &str) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_string()))
        .unwrap()
}

#[tokio::test]
async fn without_a_session_there_is_only_the_login_page() {
    let browser = Browser::new("both");
    let removal = format!("/accounts/{ID}/remove");
    let password = format!("/accounts/{ID}/password");
    for path in ["/", "/accounts", &removal, &password] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/login"));
        assert!(answer.body.is_empty());
    }
    for path in ["/accounts", &removal, &password, "/logout"] {
        let form = "form_token=x&address=eve@example.test&password=12345678";
        let answer = browser.post(path, form).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/login"));
    }
    assert_eq!(browser.get("/status").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/api/status").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.fake.accounts.lock().unwrap().len(), 3);
    assert_eq!(browser.get("/login").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_carries_the_strict_headers() {
    let browser = Browser::signed_in("both").await;
    for path in
        ["/", "/login", "/accounts", "/api/status", "/static/panel.js", "/nothing", "/status"]
    {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("strict-transport-security"), "");
        let cached = if path.starts_with("/static/") { "no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), cached, "{path}");
    }
}

#[tokio::test]
async fn no_page_holds_anything_inline_that_the_policy_would_stop() {
    let browser = Browser::signed_in("alone").await;
    let removal = format!("/accounts/{ID}/remove");
    let password = format!("/accounts/{ID}/password");
    for path in ["/", "/accounts", "/nothing", &removal, &password] {
        let body = browser.get(path).await.body;
        assert!(!body.contains("style=") && !body.contains("<style"), "{path}");
        assert!(!body.contains(" onclick") && !body.contains("<script>"), "{path}");
        assert!(!body.contains("http://") && !body.contains("https://"), "{path}");
    }
}

#[tokio::test]
async fn wrong_passwords_are_told_and_then_have_to_wait() {
    let browser = Browser::new("both");
    let login = |address: [u8; 4], password: &str| {
        let mut request = form_request("/login", &format!("password={password}"));
        request.extensions_mut().insert(Client(address.into()));
        request
    };
    for _ in 0..5 {
        let answer = browser.send(login([192, 0, 2, 1], "guess")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.body.contains("That is not the admin password"));
        assert_eq!(answer.header("set-cookie"), "");
    }
    let answer = browser.send(login([192, 0, 2, 1], PASSWORD)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 61);
    assert!(answer.body.contains("Too many wrong passwords"));
    let other = browser.send(login([192, 0, 2, 2], PASSWORD)).await;
    assert_eq!(other.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_login_form_of_another_site_is_not_taken() {
    let browser = Browser::new("both");
    let mut request = form_request("/login", &format!("password={PASSWORD}"));
    request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    let answer = browser.send(request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn the_other_box_takes_the_session() {
    let mut browser = Browser::signed_in("both").await;
    browser.router = router(Arc::new(Fake::new("alone", Numbers::Stand)), SECRET);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    browser.router = router(Arc::new(Fake::new("both", Numbers::Stand)), [4; 32]);
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "another pair does not");
}

#[tokio::test]
async fn the_status_page_tells_how_the_pair_is() {
    let both = Browser::signed_in("both").await.get("/").await.body;
    assert!(both.contains("Both boxes are in service"));
    assert!(both.contains("mail-a.example.test") && both.contains("mail-b.example.test"));
    assert!(!both.contains("One copy since"));
    assert!(both.contains("aria-live=\"polite\""));

    let browser = Browser::signed_in("alone").await;
    let (alone, part) = (browser.get("/").await.body, browser.get("/status").await.body);
    for body in [&alone, &part] {
        assert!(body.contains("Box b is out of service"));
        assert!(body.contains("One copy since <time"));
        assert!(body.contains("1\u{202f}204 messages"));
        assert!(body.contains("both addresses"));
    }
    assert!(!part.contains("<html"));
}

#[tokio::test]
async fn an_account_is_added_gets_a_password_and_is_removed() {
    let browser = Browser::signed_in("both").await;
    let token = browser.form_token().await;
    let form = format!("form_token={token}&address=new%40example.test&password=long+enough");
    let answer = browser.post("/accounts", &form).await;
    assert_eq!(answer.header("location"), "/accounts?done=added");
    assert_eq!(
        browser.fake.passwords.lock().unwrap()[0],
        ("new@example.test".to_string(), "long enough".to_string())
    );
    let page = browser.get("/accounts?done=added").await.body;
    assert!(page.contains("The account was added.") && page.contains("new@example.test"));

    let path = format!("/accounts/{ID}/password");
    assert!(browser.get(&path).await.body.contains("ann@example.test"));
    let answer = browser.post(&path, &format!("form_token={token}&password=another+one")).await;
    assert_eq!(answer.header("location"), "/accounts?done=password");
    assert_eq!(browser.fake.passwords.lock().unwrap()[1], (ID.into(), "another one".into()));

    let path = format!("/accounts/{ID}/remove");
    let question = browser.get(&path).await.body;
    assert!(question.contains("Remove ann@example.test?"));
    assert_eq!(browser.fake.accounts.lock().unwrap().len(), 4, "asking removes nothing");
    let answer = browser.post(&path, &format!("form_token={token}")).await;
    assert_eq!(answer.header("location"), "/accounts?done=removed");
    assert!(!browser.get("/accounts").await.body.contains("ann@example.test"));
    assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_address_is_handed_over_by_a_form_of_this_page_only() {
    let browser = Browser::signed_in("both").await;
    let token = browser.form_token().await;
    assert!(browser.get("/").await.body.contains("action=\"/pair/handover\""));
    for token in ["", "x"] {
        let answer = browser.post("/pair/handover", &format!("form_token={token}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(browser.get("/pair/handover").await.status.is_client_error(), "a link moves nothing");
    assert!(browser.fake.wishes.lock().unwrap().is_empty());
    let form = format!("form_token={token}");
    let answer = browser.post("/pair/handover", &form).await;
    assert_eq!(answer.header("location"), "/?done=handover");
    assert!(browser.get("/?done=handover").await.body.contains("is being handed over."));
    assert_eq!(*browser.fake.wishes.lock().unwrap(), [Wish::Handover]);
    let refused = browser.post("/pair/give-back", &form).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("Each box holds its own address already."));
    assert_eq!(browser.post("/pair/war", &form).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_backup_is_downloaded_by_a_form_of_this_page_only() {
    let browser = Browser::signed_in("both").await;
    let form = format!("form_token={}", browser.form_token().await);
    assert!(browser.get("/").await.body.contains("action=\"/backup\""));
    assert_eq!(browser.post("/backup", "form_token=x").await.status, StatusCode::FORBIDDEN);
    assert!(browser.get("/backup").await.status.is_client_error());
    assert_eq!(Browser::new("both").post("/backup", &form).await.header("location"), "/login");
    let answer = browser.post("/backup", &form).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "everything"));
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"twinpost-"), "{disposition}");
}

#[tokio::test]
async fn a_backup_that_is_not_whole_does_not_look_whole() {
    let browser = Browser::signed_in("starting").await;
    let form = format!("form_token={}", browser.form_token().await);
    let answer = browser.post("/backup", &form).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("A record is damaged."), "said in words");
    let browser = Browser::signed_in("alone").await;
    let form = format!("form_token={}", browser.form_token().await);
    let mut request = form_request("/backup", &form);
    let cookie = browser.cookie.as_ref().unwrap();
    request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    let response = browser.router.clone().oneshot(request).await.unwrap();
    let broken_off = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    assert!(broken_off.is_err(), "the download breaks off");
}

#[tokio::test]
async fn the_events_are_listed_newest_first() {
    let browser = Browser::signed_in("both").await;
    let page = browser.get("/events").await.body;
    let (new, old) = (page.find("Both boxes are in service"), page.find("goes on alone"));
    assert!(new.unwrap() < old.unwrap(), "{page}");
    assert!(!page.contains("<has>"), "escaped");
    assert_eq!(Browser::new("both").get("/events").await.header("location"), "/login");
}

#[tokio::test]
async fn a_form_without_its_token_changes_nothing() {
    let browser = Browser::signed_in("both").await;
    let stranger = Browser::signed_in("both").await;
    let foreign = stranger.form_token().await;
    for token in ["", "x", foreign.as_str()] {
        let form = format!("form_token={token}&address=eve%40example.test&password=12345678");
        for path in ["/accounts".to_string(), format!("/accounts/{ID}/remove")] {
            assert_eq!(browser.post(&path, &form).await.status, StatusCode::FORBIDDEN, "{token}");
        }
    }
    let mut request = form_request(
        "/accounts",
        &format!(
            "form_token={}&address=eve%40example.test&password=12345678",
            browser.form_token().await
        ),
    );
    request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(browser.send(request).await.status, StatusCode::FORBIDDEN);
    let missing = browser.post("/accounts", "address=eve%40example.test&password=12345678").await;
    assert!(missing.status.is_client_error());
    assert_eq!(browser.fake.accounts.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn bad_input_is_explained_and_escaped() {
    let browser = Browser::signed_in("both").await;
    let token = browser.form_token().await;
    let rows = [
        ("%3Cscript%3E%40x", "long+enough", "That is not a mail address"),
        ("new%40example.test", "short", "The password is too short"),
        ("ann%40example.test", "long+enough", "There is an account ann@example.test already."),
    ];
    for (address, password, problem) in rows {
        let form = format!("form_token={token}&address={address}&password={password}");
        let answer = browser.post("/accounts", &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(problem), "{}", answer.body);
        assert!(!answer.body.contains("<script>"), "what was typed is escaped");
        assert!(!answer.body.contains("long enough"), "no password is shown again");
    }
    let huge = format!("form_token={token}&address=a&password={}", "x".repeat(20_000));
    assert_eq!(browser.post("/accounts", &huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    for path in ["/accounts/..%2F..%2Fx/remove", "/accounts/zz/password", "/accounts//remove"] {
        assert!(browser.get(path).await.status.is_client_error(), "{path}");
        let form = format!("form_token={token}&password=long+enough");
        assert!(browser.post(path, &form).await.status.is_client_error(), "{path}");
    }
    let wrong = browser.send(Request::put("/accounts").body(Body::empty()).unwrap()).await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn signing_out_ends_the_cookie() {
    let browser = Browser::signed_in("both").await;
    let token = browser.form_token().await;
    let answer = browser.post("/logout", &format!("form_token={token}")).await;
    assert_eq!(answer.header("location"), "/login");
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
}

#[tokio::test]
async fn static_files_are_asked_for_once() {
    let browser = Browser::new("both");
    let rows =
        [("panel.css", "text/css"), ("panel.js", "text/javascript"), ("icon.svg", "image/svg")];
    for (name, kind) in rows {
        let answer = browser.get(&format!("/static/{name}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("content-type").starts_with(kind));
        let request = Request::get(format!("/static/{name}"))
            .header("if-none-match", answer.header("etag"))
            .body(Body::empty())
            .unwrap();
        let again = browser.send(request).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    assert_eq!(browser.get("/static/panel.rs").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/static/..%2FCargo.toml").await.status, StatusCode::NOT_FOUND);
}
