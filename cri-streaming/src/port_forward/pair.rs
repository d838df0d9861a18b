//! A pair of streams: the bytes of one connection to a port, and what went wrong with it.

/// The number of a pair among those of its client.
pub(super) type Pair = u32;

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    /// It wants a connection to a port.
    Connect(Pair, u16),
    /// It sent bytes to the port.
    Data(Pair, Vec<u8>),
    /// It sends nothing more.
    End(Pair),
    /// It wants the connection no more.
    Reset(Pair),
    /// It leaves.
    Gone,
}
