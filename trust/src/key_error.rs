//! Why a text is no key.

use crate::algorithm::Algorithm;

/// Longest PEM text that is looked at, in bytes; all kinds of key need less than 300.
pub(crate) const MAX_PEM: usize = 16 * 1024;

/// Why a text is no key, or no key could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text doesn't begin as PEM.
    #[error("not PEM text: it must begin with \"-----BEGIN {wanted}-----\"")]
    NotPem {
        /// The label that is wanted.
        wanted: &'static str,
    },
    /// The text is far longer than any key.
    #[error("too long for a key: {size} bytes, the limit is {MAX_PEM}")]
    TooLong {
        /// Its length in bytes.
        size: usize,
    },
    /// The PEM text holds something else.
    #[error("it is a {found:?}, not a {wanted:?}: {hint}")]
    Label {
        /// The label found.
        found: String,
        /// The label wanted.
        wanted: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The PEM text or the DER within is broken.
    #[error("broken key: {reason}")]
    Broken {
        /// What the decoder says.
        reason: String,
    },
    /// A key of a kind that isn't supported.
    #[error("keys of algorithm {oid} are not supported: use Ed25519 or ECDSA on P-256 or P-384")]
    Unsupported {
        /// The object identifier of its algorithm.
        oid: String,
    },
    /// An Ed25519 key of small order, under which a signature can fit every message.
    #[error("weak Ed25519 key: a signature can be forged for it without its private key")]
    Weak,
    /// A key of a kind that signatures are verified with, but not made.
    #[error("signing with {algorithm} keys is not supported: use ecdsa-p256 or ed25519")]
    VerifyOnly {
        /// The kind.
        algorithm: Algorithm,
    },
    /// The passphrase is another, or the file was changed.
    #[error("wrong passphrase, or a damaged key")]
    WrongPassphrase,
    /// An encrypted key that would take too much memory or time to open.
    #[error("encrypted key refused: {reason}")]
    Encryption {
        /// What is wrong with it.
        reason: String,
    },
    /// A name that stands for no kind of key.
    #[error("unknown key algorithm {text}: use ecdsa-p256 or ed25519")]
    UnknownAlgorithm {
        /// The text, quoted.
        text: String,
    },
    /// The kernel gave no random bytes.
    #[error("cannot get random bytes: {reason}")]
    Random {
        /// What the system says.
        reason: String,
    },
}
