//! What ends a client's connection.

use crate::{spdy, websocket};

/// What a client sent that it must not send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("{0}")]
    Spdy(#[from] spdy::Violation),
    #[error("{0}")]
    WebSocket(#[from] websocket::Violation),
    #[error("{0}")]
    Base64(#[from] websocket::NotBase64),
}

impl Violation {
    /// The code by which WebSocket says so.
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Base64(_) => 1007,
            Self::Spdy(_) | Self::WebSocket(_) => 1002,
        }
    }
}
