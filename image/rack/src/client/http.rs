//! HTTP/1.1 over TLS with a user's password: the panel's API.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::stream::Stream;
use crate::Result;

/// Where to ask, and as whom. Each request is a connection of its own.
#[derive(Debug, Clone)]
pub struct Http {
    address: SocketAddr,
    authorization: String,
    limit: Duration,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Http {
    /// `limit` holds for each read.
    pub fn new(address: SocketAddr, user: &str, password: &str, limit: Duration) -> Http {
        let authorization = STANDARD.encode(format!("{user}:{password}"));
        Http { address, authorization, limit }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Result<Reply> {
        self.ask("GET", path, None)
    }

    /// POST of a JSON text.
    pub fn post_json(&self, path: &str, json: &str) -> Result<Reply> {
        self.ask("POST", path, Some(json))
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Result<Reply> {
        self.ask("DELETE", path, None)
    }

    fn ask(&self, method: &str, path: &str, json: Option<&str>) -> Result<Reply> {
        let mut stream = Stream::tls("HTTP", self.address, self.limit)?;
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {}\r\n\
             Connection: close\r\n",
            self.address, self.authorization
        );
        if let Some(json) = json {
            let length = json.len();
            request += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        }
        request += "\r\n";
        request += json.unwrap_or_default();
        stream.send(request.as_bytes())?;
        let status = status(&mut stream)?;
        let (length, chunked) = headers(&mut stream)?;
        let body = match length {
            _ if chunked => chunks(&mut stream)?,
            Some(length) => stream.exactly(length)?,
            None => stream.rest()?,
        };
        Ok(Reply { status, body })
    }
}

fn status(stream: &mut Stream) -> Result<u16> {
    let line = stream.line()?;
    let text = String::from_utf8_lossy(&line);
    let code = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    code.ok_or_else(|| stream.unexpected("an HTTP/1.1 status", &line))
}

/// The length of the body if it is told, and whether it comes in chunks.
fn headers(stream: &mut Stream) -> Result<(Option<usize>, bool)> {
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = stream.line()?;
        if line.is_empty() {
            return Ok((length, chunked));
        }
        let text = String::from_utf8_lossy(&line).to_ascii_lowercase();
        match text.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok(),
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
            None => return Err(stream.unexpected("a header field", &line)),
        }
    }
}

/// RFC 9112 §7.1, without extensions and trailers.
fn chunks(stream: &mut Stream) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = stream.line()?;
        let length = std::str::from_utf8(&line)
            .ok()
            .and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok());
        let length = length.ok_or_else(|| stream.unexpected("a chunk's length", &line))?;
        body.extend(stream.exactly(length)?);
        stream.line()?;
        if length == 0 {
            return Ok(body);
        }
    }
}
