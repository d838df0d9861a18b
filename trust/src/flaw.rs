//! Why a signature or an attestation doesn't count for an image.

use image_name::Digest;

use crate::bundle::BundleError;
use crate::fingerprint::Fingerprint;
use crate::one_line;
use crate::simple_signing::{MAX_PAYLOAD, PayloadError};
use crate::statement::StatementError;
use crate::timestamp::Timestamp;
use crate::unfit::Unfit;

/// Why a signature or an attestation doesn't count for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The annotation is no base64 or far too long.
    #[error("its signature is not base64 of a sane length")]
    Encoding,
    /// The payload is too large to be looked at.
    #[error("its payload is {size} bytes long, the limit is {MAX_PAYLOAD}")]
    PayloadTooLarge {
        /// Its length in bytes.
        size: usize,
    },
    /// No bundle, or none that a key can verify.
    #[error("{0}")]
    Bundle(BundleError),
    /// None of the keys made it, or its payload was changed.
    #[error("no key of the rule made it")]
    OtherKey,
    /// A key of the rule made it that doesn't count now.
    #[error("{0}")]
    Unfit(Unfit),
    /// A good key signed a payload that isn't understood.
    #[error("its payload is refused: {0}")]
    Payload(PayloadError),
    /// A good key signed a statement that isn't understood.
    #[error("{0}")]
    Statement(StatementError),
    /// A good key signed a statement of another kind.
    #[error("it is a statement of type {}, not {wanted}", one_line::quoted(.found))]
    OtherPredicate {
        /// The predicate type.
        found: String,
        /// What was wanted, in words.
        wanted: String,
    },
    /// A good key signed no image at all.
    #[error("it names no digest of an image")]
    NoDigest,
    /// A good key signed another image.
    #[error("it is for another image, {signed}")]
    OtherImage {
        /// The digest that was signed.
        signed: Digest,
    },
    /// A good key signed the image without a name, where the rule wants one.
    #[error("it carries no name, and the rule requires it to be for {}", one_line::plain(.wanted))]
    NoName {
        /// The name that is wanted.
        wanted: String,
    },
    /// A good key signed the image under another name.
    #[error("it is for another name, {}", one_line::quoted(.signed))]
    OtherName {
        /// The name that was signed.
        signed: String,
    },
    /// The rule is monotonic, and the signature doesn't say when it was made.
    #[error("it carries no timestamp, and the rule is monotonic")]
    NoTime,
    /// The rule is monotonic, and the signature's time can't be read.
    #[error("its timestamp is not a time, and the rule is monotonic")]
    UnreadableTime,
    /// The rule is monotonic, and the signature is from the future.
    #[error("its timestamp, {signed}, is in the future (it is {now} here)")]
    Future {
        /// The time that was signed.
        signed: Timestamp,
        /// This machine's time.
        now: Timestamp,
    },
    /// An attestation by a good key, about the image, says something else than the rule demands.
    #[error("{found}, and the rule requires that {wanted}")]
    Condition {
        /// The condition.
        wanted: String,
        /// What it says.
        found: String,
    },
}

impl Flaw {
    /// How much a flaw says about what went wrong; of several the highest is reported.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Self::OtherKey => 0,
            Self::Encoding | Self::PayloadTooLarge { .. } | Self::Bundle(_) => 1,
            Self::OtherPredicate { .. } | Self::NoDigest => 2,
            Self::Payload(_) | Self::Statement(_) => 3,
            Self::OtherImage { .. } => 4,
            Self::OtherName { .. } | Self::NoName { .. } => 5,
            Self::Unfit(_) => 6,
            Self::NoTime | Self::UnreadableTime | Self::Future { .. } | Self::Condition { .. } => 7,
        }
    }
}

/// The flaw that says most, and the key that made the signature if it is known.
#[derive(Debug, Default)]
pub(crate) struct Worst(pub(crate) Option<(Option<Fingerprint>, Flaw)>);

impl Worst {
    /// Keeps the heavier one.
    pub(crate) fn see(&mut self, key: Option<Fingerprint>, flaw: Flaw) {
        if self
            .0
            .as_ref()
            .is_none_or(|(_, known)| known.weight() < flaw.weight())
        {
            self.0 = Some((key, flaw));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_flaws_the_one_is_told_that_says_most() {
        let time = Timestamp::from_seconds(7).unwrap();
        let digest = Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap();
        // From what a stranger could have caused to what the signer has to mend.
        let flaws = [
            Flaw::OtherKey,
            Flaw::Encoding,
            Flaw::NoDigest,
            Flaw::Statement(StatementError::Json {
                reason: "x".to_owned(),
            }),
            Flaw::OtherImage { signed: digest },
            Flaw::OtherName {
                signed: "a.io/x".to_owned(),
            },
            Flaw::Unfit(Unfit::Expired { not_after: time }),
            Flaw::NoTime,
        ];
        for (at, flaw) in flaws.iter().enumerate() {
            for lighter in flaws.iter().take(at) {
                for order in [[flaw, lighter], [lighter, flaw]] {
                    let mut worst = Worst::default();
                    order
                        .into_iter()
                        .for_each(|flaw| worst.see(None, flaw.clone()));
                    assert_eq!(worst.0, Some((None, flaw.clone())));
                }
            }
        }
        // Of equal ones the first.
        let mut worst = Worst::default();
        worst.see(None, Flaw::UnreadableTime);
        worst.see(None, Flaw::NoTime);
        assert_eq!(worst.0, Some((None, Flaw::UnreadableTime)));
    }
}
