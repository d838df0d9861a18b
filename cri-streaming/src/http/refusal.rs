//! Answers that refuse a request.

use std::fmt::Write as _;

/// Why a request isn't served, as its client is told. The connection ends with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {text}")]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What it says.
    pub text: String,
    /// Headers that say more.
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// With that status, and a text for people.
    #[must_use]
    pub fn new(status: u16, text: impl Into<String>) -> Self {
        let headers = Vec::new();
        Self {
            status,
            text: text.into(),
            headers,
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (status, reason) = (self.status, reason(self.status));
        let mut answer = format!("HTTP/1.1 {status} {reason}\r\n");
        for (name, value) in &self.headers {
            // Writing into a text can't fail.
            let _ = write!(answer, "{name}: {value}\r\n");
        }
        let length = self.text.len() + 1;
        let _ = write!(
            answer,
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{}\n",
            self.text
        );
        answer.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
