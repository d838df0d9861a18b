//! Which protocol a request is upgraded to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::head::{Method, Request};
use super::refusal::Refusal;

/// What the bytes after the answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// SPDY/3.1.
    Spdy,
    /// WebSocket (RFC 6455).
    WebSocket,
}

/// An upgrade that both sides agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// To which framing.
    pub framing: Framing,
    /// What is spoken in it: one of those that the server has. Empty if the client named none.
    pub protocol: &'static str,
    accept: Option<String>,
}

impl Upgrade {
    /// What a request asks for, of what is spoken in either framing. Of several that a client
    /// offers, the one that it names first.
    ///
    /// # Errors
    /// What it is to be answered with: it asks for no upgrade, or for none to a protocol that is
    /// spoken.
    pub fn negotiate(
        request: &Request,
        spdy: &[&'static str],
        websocket: &[&'static str],
    ) -> Result<Self, Refusal> {
        let asks = |name, wanted: &str| request.list(name).any(|v| v.eq_ignore_ascii_case(wanted));
        if asks("connection", "upgrade") && asks("upgrade", "SPDY/3.1") {
            let offered = "X-Stream-Protocol-Version";
            if request.list(offered).next().is_none() {
                return Err(Refusal::new(400, format!("{offered} is missing")));
            }
            let protocol = choose(request, offered, spdy)?;
            return Ok(Self {
                framing: Framing::Spdy,
                protocol,
                accept: None,
            });
        }
        if asks("connection", "upgrade") && asks("upgrade", "websocket") {
            let accept = Some(handshake(request)?);
            let protocol = choose(request, "Sec-WebSocket-Protocol", websocket)?;
            return Ok(Self {
                framing: Framing::WebSocket,
                protocol,
                accept,
            });
        }
        let headers = vec![("Upgrade", "SPDY/3.1, websocket".to_owned())];
        let text = "it has to be upgraded to SPDY/3.1 or to WebSocket".to_owned();
        Err(Refusal {
            status: 426,
            text,
            headers,
        })
    }

    /// One that both sides have agreed on already.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn agreed(framing: Framing, protocol: &'static str) -> Self {
        let accept = None;
        Self {
            framing,
            protocol,
            accept,
        }
    }

    /// The answer, after which the protocol begins.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        let (upgrade, header) = match self.framing {
            Framing::Spdy => ("SPDY/3.1", "X-Stream-Protocol-Version"),
            Framing::WebSocket => ("websocket", "Sec-WebSocket-Protocol"),
        };
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
        );
        if let Some(accept) = &self.accept {
            answer.push_str(&format!("Sec-WebSocket-Accept: {accept}\r\n"));
        }
        if !self.protocol.is_empty() {
            answer.push_str(&format!("{header}: {}\r\n", self.protocol));
        }
        answer.push_str("\r\n");
        answer.into_bytes()
    }
}

/// The first that the client offers and that is spoken. An empty name stands for clients that offer
/// none.
fn choose(
    request: &Request,
    header: &'static str,
    spoken: &[&'static str],
) -> Result<&'static str, Refusal> {
    let known = |offer: &str| spoken.iter().find(|known| **known == offer).copied();
    let chosen = match request.list(header).next() {
        None => known(""),
        Some(_) => request
            .list(header)
            .filter(|offer| !offer.is_empty())
            .find_map(known),
    };
    chosen.ok_or_else(|| {
        let spoken = spoken.iter().filter(|name| !name.is_empty());
        let spoken = spoken.copied().collect::<Vec<_>>().join(", ");
        let text = format!("none of the protocols in {header} is spoken here, but {spoken}");
        let headers = vec![("X-Accepted-Stream-Protocol-Versions", spoken)];
        Refusal {
            status: 403,
            text,
            headers,
        }
    })
}

/// What WebSocket's own handshake answers (RFC 6455, 4.2).
fn handshake(request: &Request) -> Result<String, Refusal> {
    if request.method != Method::Get {
        return Err(Refusal::new(405, "WebSocket is asked for with GET"));
    }
    if request.value("Sec-WebSocket-Version") != Some("13") {
        let headers = vec![("Sec-WebSocket-Version", "13".to_owned())];
        let text = "only version 13 of WebSocket is spoken".to_owned();
        return Err(Refusal {
            status: 426,
            text,
            headers,
        });
    }
    let key = request.value("Sec-WebSocket-Key").unwrap_or_default();
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => Ok(websocket_accept(key)),
        _ => Err(Refusal::new(
            400,
            "Sec-WebSocket-Key is not 16 bytes in Base64",
        )),
    }
}

/// The answer to a key of a handshake: proof that a server of WebSocket has read it.
#[must_use]
pub fn websocket_accept(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let text = format!("{key}{GUID}");
    // The protocol's own choice, where nothing has to be kept from anybody.
    STANDARD.encode(digest::digest(
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        text.as_bytes(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPDY: [&str; 2] = ["v4.channel.k8s.io", "channel.k8s.io"];
    const WEBSOCKET: [&str; 3] = ["", "channel.k8s.io", "v5.channel.k8s.io"];

    fn negotiated(method: &str, headers: &str) -> Result<Upgrade, Refusal> {
        let text = format!(
            "{method} /exec/a HTTP/1.1\r\n{}\r\n\r\n",
            headers.replace("; ", "\r\n")
        );
        let (request, _) = Request::parse(text.as_bytes()).unwrap().unwrap();
        Upgrade::negotiate(&request, &SPDY, &WEBSOCKET)
    }

    #[test]
    fn what_both_speak_is_chosen_in_the_order_of_the_client() {
        let spdy =
            "Connection: keep-alive, Upgrade; Upgrade: SPDY/3.1; X-Stream-Protocol-Version: ";
        let websocket = "Connection: upgrade; Upgrade: WebSocket; Sec-WebSocket-Version: 13; \
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        for (method, headers, expected) in [
            (
                "POST",
                format!("{spdy}v4.channel.k8s.io"),
                Ok("v4.channel.k8s.io"),
            ),
            (
                "GET",
                format!("{spdy}v9.channel.k8s.io, channel.k8s.io"),
                Ok("channel.k8s.io"),
            ),
            ("POST", format!("{spdy}v9.channel.k8s.io"), Err(403)),
            ("POST", spdy.to_owned(), Err(400)),
            ("GET", websocket.to_owned(), Ok("")),
            (
                "GET",
                format!("{websocket}; Sec-WebSocket-Protocol: v5.channel.k8s.io, channel.k8s.io"),
                Ok("v5.channel.k8s.io"),
            ),
            (
                "GET",
                format!("{websocket}; Sec-WebSocket-Protocol: chat"),
                Err(403),
            ),
            ("POST", websocket.to_owned(), Err(405)),
            ("GET", websocket.replace("13", "8"), Err(426)),
            ("GET", websocket.replace("dGhl", ""), Err(400)),
            ("GET", "Host: a".to_owned(), Err(426)),
            ("GET", "Upgrade: websocket".to_owned(), Err(426)),
            (
                "GET",
                "Connection: Upgrade; Upgrade: h2c".to_owned(),
                Err(426),
            ),
        ] {
            let got = negotiated(method, &headers);
            let got = got
                .map(|upgrade| upgrade.protocol)
                .map_err(|refusal| refusal.status);
            assert_eq!(got, expected, "{method} {headers}");
        }
    }

    #[test]
    fn the_answer_is_the_one_of_the_specification() {
        // RFC 6455, 1.3.
        assert_eq!(
            websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        let upgrade = negotiated(
            "POST",
            "Connection: Upgrade; Upgrade: SPDY/3.1; \
            X-Stream-Protocol-Version: v4.channel.k8s.io",
        );
        assert_eq!(
            String::from_utf8(upgrade.unwrap().answer()).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
             X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
        );
    }
}
