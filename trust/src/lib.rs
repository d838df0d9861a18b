//! Decides which images may run: keys, policies, signatures, verdicts.
//!
//! The crate is pure. It takes bytes that others have read and gives values and verdicts back; it
//! never opens a file or a socket. Its border is [`verify()`]: from a [`Policy`], the name and the
//! digests of an image ([`Subject`]) and the signatures the store holds, it makes a
//! [`VerifiedImage`], the only value that lets a pod be prepared, or a [`Refusal`] that says why
//! not.
//!
//! # How an image is judged
//!
//! 1. Rules are matched by prefix on whole path components; the longest prefix decides, alone.
//!    Without a matching rule an image is refused.
//! 2. `signed-by` counts the distinct keys of the rule that signed the image, in either format. A
//!    signature counts when it verifies over the raw payload, its key is neither revoked nor out of
//!    its time, and the payload, parsed strictly, names a digest of the image's chain (its index or
//!    its platform manifest) and, if it names any, the image's repository.
//! 3. A `monotonic` rule wants signatures that say when they were made, and refuses an image that was
//!    signed before the newest one seen by its name.
//! 4. Each attestation that the rule demands is a signed statement of a type, about a digest of the
//!    chain, that meets all of its conditions.
//! 5. `digest` wants the platform manifest or the index to be listed; `accept-unsigned` and
//!    `reject` look at nothing.
//!
//! # Signing times
//!
//! Nobody but the signer vouches for them, so they are part of what is signed: `optional.timestamp` of
//! the tag format (whole seconds, as podman writes them, or a text, as `cosign sign -a timestamp=…`
//! does), and the annotation `timestamp` of a statement's subject (what the same command writes into a
//! bundle). A time more than [`CLOCK_SKEW`] ahead of this machine's clock doesn't count. The caller keeps
//! the newest [`VerifiedImage::signed_at`] of each name, and gives it back in [`Circumstances`].
//!
//! # For commands
//!
//! | to | call |
//! |---|---|
//! | read rules | [`Policy::parse`]; [`Policy::check`] for what is left to the moment of use |
//! | read containers' policy.json in their place | [`ContainersPolicy::parse`], read the files of [`ContainersPolicy::key_files_for`], [`ContainersPolicy::into_policy`], [`Policy::revoke_as`] |
//! | judge | [`verify()`]; [`waive`] |
//! | explain | [`explain()`], [`explain_name`] |
//! | test a policy | [`test_policy`] |
//! | edit a rule, revoke a key | [`add_key`], [`remove_key`], [`add_digest`], [`accept_unsigned`], [`Rule::to_toml`]; [`Revocation::to_toml`] |
//! | make, open and write keys | [`PrivateKey::generate`], [`PrivateKey::is_encrypted`], [`PrivateKey::from_pem`], [`PrivateKey::from_encrypted_pem`], [`PrivateKey::to_encrypted_pem`] |
//! | sign in the tag format | [`payload`], [`PrivateKey::sign`] |
//! | sign as a bundle | [`signature_statement`], [`PrivateKey::sign_statement`]; [`BUNDLE_MEDIA_TYPE`] |
//! | attest | [`predicate_type`], [`attestation_statement`], [`PrivateKey::sign_statement`] |
//! | look into what is stored | [`Claim`], [`Bundle`], [`Statement`] |
//!
//! # An example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use image_name::{Prefix, Repository};
//! use trust::{Circumstances, Evidence, Policy, PolicySource, PrivateKey, Subject, Timestamp};
//!
//! let key = PrivateKey::generate(trust::Algorithm::EcdsaP256)?;
//! let file = trust::add_key(None, &Prefix::parse("registry.example.com/team")?, key.public())?;
//! let source = PolicySource { path: "/etc/fairing/trust.d/team.toml".into(), text: file };
//! let policy = Policy::parse(&[], &[source])?;
//!
//! let repository = Repository::parse("registry.example.com/team/app")?;
//! let manifest = format!("sha256:{}", "0123456789abcdef".repeat(4)).parse()?;
//! let statement = trust::signature_statement(&repository, &manifest, None);
//! let bundles = [key.sign_statement(&statement)];
//!
//! let subject = Subject {
//!     reference: &"registry.example.com/team/app:1.0".parse()?,
//!     digests: std::slice::from_ref(&manifest),
//!     manifest: &manifest,
//! };
//! let at = Circumstances { now: Timestamp::from_clock(std::time::SystemTime::now()), newest_seen: None };
//! let evidence = Evidence { simple: &[], bundles: &bundles };
//! let image = trust::verify(&policy, &subject, &evidence, &at)?;
//! assert_eq!(image.verification().keys, [key.public().fingerprint()]);
//!
//! let refusal = trust::verify(&policy, &subject, &Evidence::default(), &at).unwrap_err();
//! assert!(refusal.to_string().contains("is not signed"));
//! # Ok(())
//! # }
//! ```
//!
//! # What is not promised
//!
//! A signature binds a digest to a repository, not to a tag: whoever controls a registry can serve
//! an older signed image under a newer tag of the same repository, unless its rule is monotonic. A
//! reference with a digest, or a `digest` rule, pins one image. Bundles by cosign name no repository:
//! such a one counts for every repository that its key is trusted for.
//!
//! # Rooms
//!
//! | what | files |
//! |---|---|
//! | which signed names count; names themselves are of the crate `image_name` | `identity` |
//! | keys | `key`, `key_text`, `private_key`, `encrypted_key`, `pem`, `fingerprint`, `held_key` (as they stand now) |
//! | what is signed | `simple_signing`, `bundle`, `statement`, `condition`, `timestamp`, `strict_json` |
//! | rules | `rule`, `revocation`, `policy`; read by `policy_file`, `attestation_file` and `containers_policy`, written by `rule_text`, `rule_edit`, `rule_file_name` |
//! | verdicts | `verify`, `signed` (one signature), `flaw`, `refusal`, `verified`, `explain`, `policy_test` |

mod algorithm;
mod any_image;
mod attestation_file;
mod bundle;
mod condition;
mod containers_policy;
mod digest;
mod encrypted_key;
mod explain;
mod fingerprint;
mod flaw;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod held_key;
mod identity;
mod integrity;
mod key;
mod key_error;
mod key_text;
mod one_line;
mod pem;
mod policy;
mod policy_file;
mod policy_test;
mod private_key;
mod refusal;
mod refused_image;
mod revocation;
mod rule;
mod rule_edit;
mod rule_file_name;
mod rule_id;
mod rule_text;
mod signature_facts;
mod signed;
mod simple_signing;
mod statement;
mod strict_json;
mod subject;
mod timestamp;
mod toml_string;
mod unfit;
mod verified;
mod verify;

pub use algorithm::Algorithm;
pub use bundle::{BUNDLE_MEDIA_TYPE, Bundle, BundleError, MAX_BUNDLE};
pub use condition::{Condition, Field, Scalar, Since, Test};
pub use containers_policy::{ContainersPolicy, ContainersPolicyError};
pub use digest::DigestError;
pub use explain::{
    AttestationExplanation, Explanation, RuleExplanation, SignatureExplanation, explain,
    explain_name,
};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use flaw::Flaw;
pub use identity::Identity;
pub use integrity::Integrity;
pub use key::PublicKey;
pub use key_error::KeyError;
pub use key_text::{KeyText, Validity};
pub use p256::elliptic_curve::zeroize::Zeroizing;
pub use policy::{Masked, PlacedRule, Policy, PolicyError, PolicySource, is_policy_file};
pub use policy_test::{CaseOutcome, PolicyTestError, test_policy};
pub use private_key::PrivateKey;
pub use refusal::{Demand, Refusal};
pub use refused_image::RefusedImage;
pub use revocation::{PlacedRevocation, Revocation};
pub use rule::{AttestationDemand, Requirement, Rule, RuleError};
pub use rule_edit::{
    EditError, Removal, accept_unsigned, add_digest, add_key, add_keys, remove_key, sole_rule,
};
pub use rule_file_name::rule_file_name;
pub use rule_id::RuleId;
pub use signature_facts::{SignatureFacts, signature_facts};
pub use signed::{Evidence, MAX_BUNDLES, MAX_SIGNATURES, SignatureLayer};
pub use simple_signing::{Claim, MAX_PAYLOAD, PayloadError, payload};
pub use statement::{
    SIGNATURE_TYPE, Statement, StatementError, attestation_statement, predicate_type,
    signature_statement,
};
pub use subject::Subject;
pub use timestamp::{CLOCK_SKEW, SignedTime, Timestamp, TimestampError};
pub use unfit::Unfit;
pub use verified::{Attested, Basis, Verification, VerifiedImage};
pub use verify::{Circumstances, verify, waive};
