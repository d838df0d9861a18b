//! A pair of streams: the bytes of one connection to a port, and what went wrong with it.

/// The number of a pair among those of its client.
pub(super) type Pair = u32;

/// How a pair ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending<'a> {
    /// All was forwarded, or the client wants no more.
    Done,
    /// The connection to the port broke. That is told without a text: for one, `kubectl` leaves
    /// with all its pairs.
    Broken,
    /// There has never been a connection, and why.
    Failed(&'a str),
}

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
