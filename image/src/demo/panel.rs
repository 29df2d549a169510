//! The panel's API, as far as the demo asks it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rack::client::Http;
use serde_json::{Value, json};

/// One box's panel, asked as the admin.
#[derive(Debug, Clone)]
pub struct Panel {
    http: Http,
}

/// What a box says about the pair and itself.
#[derive(Debug, Clone)]
pub struct Status {
    /// `both`, `alone(a)`, `alone(b)`, or what stands before a view.
    pub view: String,
    /// All of it.
    pub json: Value,
}

/// A box's state in one number.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Digest {
    /// Hexadecimal.
    pub digest: String,
    /// How many records it stands for.
    pub records: u64,
}

impl Panel {
    /// `limit` holds for each read of an answer.
    pub fn new(address: SocketAddr, password: &str, limit: Duration) -> Self {
        Self { http: Http::new(address, "admin", password, limit) }
    }

    /// What the box says now.
    pub fn status(&self) -> Result<Status> {
        let json = self.get("/api/status")?;
        let view = json.get("view").map(view_in_words).context("a status without a view")?;
        Ok(Status { view, json })
    }

    /// The digest of what the box holds.
    pub fn digest(&self) -> Result<Digest> {
        let json = self.get("/api/digest")?;
        let digest = json.get("digest").and_then(Value::as_str).context("no digest")?;
        let records =
            json.get("records").and_then(Value::as_u64).context("no number of records")?;
        Ok(Digest { digest: digest.to_owned(), records })
    }

    /// Makes an account.
    pub fn add_account(&self, address: &str, password: &str) -> Result<()> {
        let body = json!({ "address": address, "password": password }).to_string();
        let reply = self.http.post_json("/api/accounts", &body)?;
        match reply.status {
            200..300 => Ok(()),
            status => bail!(
                "the panel refused to add {address}: {status} {}",
                String::from_utf8_lossy(&reply.body)
            ),
        }
    }

    fn get(&self, path: &str) -> Result<Value> {
        let reply = self.http.get(path)?;
        if matches!(reply.status, UNAUTHORIZED | TOO_MANY_REQUESTS) {
            std::thread::sleep(REFUSED_PAUSE);
        }
        let text = String::from_utf8_lossy(&reply.body);
        if reply.status != 200 {
            bail!("{path}: {} {text}", reply.status);
        }
        serde_json::from_str(&text).with_context(|| format!("{path} is no JSON: {text}"))
    }
}

const UNAUTHORIZED: u16 = 401;
const TOO_MANY_REQUESTS: u16 = 429;
/// The admin's password is a setting of the pair and comes some seconds after its first view. Until
/// then every question counts as a wrong guess, and after a few of them the panel stops listening
/// for a minute.
const REFUSED_PAUSE: Duration = Duration::from_secs(4);

impl Status {
    /// Whether both boxes are in.
    pub fn is_both(&self) -> bool {
        self.view == "both"
    }

    /// How much memory the box uses, by the first field that says so.
    pub fn ram_bytes(&self) -> Option<u64> {
        find(&self.json, &|key| key.starts_with("ram_") || key.starts_with("memory_"))
    }
}

/// `"both"`, `"alone(a)"`, or the same as a tagged value: `{"alone":"a"}`.
fn view_in_words(view: &Value) -> String {
    match view {
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, side)| match side.as_str() {
                Some(side) => format!("{name}({side})").to_ascii_lowercase(),
                None => name.to_ascii_lowercase(),
            })
            .collect(),
        other => other.to_string(),
    }
}

/// The first number below a key that `wanted` likes, wherever it stands.
fn find(value: &Value, wanted: &impl Fn(&str) -> bool) -> Option<u64> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .find_map(|(key, value)| value.as_u64().filter(|_| wanted(key)))
            .or_else(|| fields.values().find_map(|value| find(value, wanted))),
        Value::Array(items) => items.iter().find_map(|value| find(value, wanted)),
        _ => None,
    }
}
