//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the
//! code under test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora
//! and mutate these.
//!
//! All but the first take a byte that says how, and then what a client sends.

#[cfg(test)]
mod seeds;

use std::time::Instant;

use crate::http::{Framing, Request, Upgrade};
use crate::process::{Ended, Wanted};
use crate::remote_command::{Kind, exit_status};
use crate::spdy::{Connection, Event, Limits, ResetReason, Role};
use crate::{port_forward, remote_command, websocket};

/// The head of a request, and what it is upgraded to.
pub fn stream_request(data: &[u8]) {
    let Ok(Some((request, length))) = Request::parse(data) else {
        return;
    };
    assert!(length <= data.len());
    let spdy = &remote_command::SPDY_PROTOCOLS;
    let answer = match Upgrade::negotiate(&request, spdy, &remote_command::WEBSOCKET_PROTOCOLS) {
        Ok(upgrade) => upgrade.answer(),
        Err(refusal) => refusal.to_bytes(),
    };
    // What a client sends puts no lines of its own into an answer.
    let head = String::from_utf8(answer).unwrap_or_default();
    let lines = head.split("\r\n\r\n").next().unwrap_or_default().lines();
    assert!((2..9).contains(&lines.count()), "{head}");
}

/// Frames of SPDY. What is answered can be read by the other side, and there is no more data than
/// came in.
pub fn spdy_frames(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let mut server = Connection::new(Role::Server, Limits { streams: 4 });
    let mut client = Connection::new(Role::Client, Limits { streams: 4 });
    let mut received = 0;
    for piece in data.chunks(usize::from(*first).max(1)) {
        let result = server.receive(piece);
        while let Some(event) = server.event() {
            match event {
                Event::Opened { stream, headers } if headers.get("port").is_some() => {
                    server.reset(stream, ResetReason::Refused);
                }
                Event::Opened { stream, .. } => server.reply(stream),
                Event::Data(stream, bytes) => {
                    received += bytes.len();
                    server.send(stream, &bytes);
                }
                Event::Ended(stream) => server.end(stream),
                Event::Reset(_) | Event::Replied(_) | Event::GoAway | Event::Pong(_) => {}
            }
        }
        let answer = std::mem::take(server.output());
        assert!(
            answer.len() <= 64 * piece.len() + 64,
            "{} bytes",
            answer.len()
        );
        assert_eq!(client.receive(&answer), Ok(()));
        while client.event().is_some() {}
        if result.is_err() {
            break;
        }
    }
    assert!(received <= data.len());
}

/// Frames of WebSocket. What is answered can be read by the other side.
pub fn websocket_frames(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let mut server = websocket::Connection::new(websocket::Role::Server);
    let mut client = websocket::Connection::new(websocket::Role::Client);
    let mut received = 0;
    for piece in data.chunks(usize::from(*first).max(1)) {
        let result = server.receive(piece);
        while let Some(event) = server.event() {
            if let websocket::Event::Part { bytes, .. } = event {
                received += bytes.len();
                server.send(false, &[&bytes]);
            }
        }
        if let Err(violation) = result {
            server.close(1002, &violation.to_string());
        }
        assert_eq!(client.receive(server.output()), Ok(()));
        server.output().clear();
        if result.is_err() {
            break;
        }
    }
    assert!(received <= data.len());
}

/// Clients of exec, in each protocol, to the end of the command.
pub fn exec_channels(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let Ok(wanted) = Wanted::new(true, true, first & 1 == 0, first & 1 == 1) else {
        return;
    };
    let framings = protocols(
        &remote_command::SPDY_PROTOCOLS,
        &remote_command::WEBSOCKET_PROTOCOLS,
    );
    let Some(upgrade) = framings.get(usize::from(first >> 1) % framings.len()) else {
        return;
    };
    remote_command::fuzz(
        upgrade,
        wanted,
        data,
        &exit_status(Kind::Exec, Ended::Exited(3)),
    );
}

/// Clients of port-forward, in each protocol.
pub fn forward_pairs(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let framings = protocols(
        &port_forward::SPDY_PROTOCOLS,
        &port_forward::WEBSOCKET_PROTOCOLS,
    );
    if let Some(upgrade) = framings.get(usize::from(*first) % framings.len()) {
        port_forward::fuzz(upgrade, data, Instant::now());
    }
}

fn protocols(spdy: &[&'static str], websocket: &[&'static str]) -> Vec<Upgrade> {
    let spdy = spdy
        .iter()
        .map(|protocol| Upgrade::agreed(Framing::Spdy, protocol));
    let websocket = websocket.iter();
    let websocket = websocket.map(|protocol| Upgrade::agreed(Framing::WebSocket, protocol));
    spdy.chain(websocket).collect()
}

#[cfg(test)]
mod tests {
    replay::targets! {
        seeds: super::seeds::of;
        stream_request: 20_000,
        spdy_frames: 5_000,
        websocket_frames: 20_000,
        exec_channels: 5_000,
        forward_pairs: 5_000,
    }
}
