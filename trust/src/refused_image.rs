//! The image that a refusal is about.

use std::fmt;

use image_name::{Digest, Repository};

use crate::one_line::{plain, short};
use crate::policy::Policy;
use crate::subject::Subject;

/// The image that was judged, and for whom: `NAME:TAG@DIGEST`, with the namespace of Kubernetes that its pod is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedImage {
    /// What it was asked for by.
    pub reference: String,
    /// Its repository.
    pub repository: Repository,
    /// What names it: its index if it has one, else its manifest.
    pub digest: Digest,
    /// The namespace of Kubernetes that its pod is in; `None` if it is in none.
    pub kubernetes_namespace: Option<String>,
}

impl RefusedImage {
    pub(crate) fn of(policy: &Policy, subject: &Subject<'_>) -> Self {
        Self {
            reference: subject.reference.to_string(),
            repository: subject.reference.repository().clone(),
            digest: subject.digests.first().unwrap_or(subject.manifest).clone(),
            kubernetes_namespace: policy.kubernetes_namespace().map(str::to_owned),
        }
    }

    /// Its name with the digest that was judged.
    pub fn full_name(&self) -> String {
        match self.reference.contains('@') {
            true => plain(&self.reference),
            false => format!("{}@{}", plain(&self.reference), self.digest),
        }
    }
}

impl fmt::Display for RefusedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_name())?;
        match &self.kubernetes_namespace {
            Some(name) => write!(f, " for Kubernetes namespace {}", short(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_with_its_digest_once_and_with_its_namespace() {
        let digest = format!("sha256:{}", "1".repeat(64));
        let of = |reference: &str, namespace: Option<&str>| {
            let image = RefusedImage {
                reference: reference.to_owned(),
                repository: Repository::parse("a.io/x").unwrap(),
                digest: digest.parse().unwrap(),
                kubernetes_namespace: namespace.map(str::to_owned),
            };
            image.to_string()
        };
        assert_eq!(of("a.io/x:1", None), format!("a.io/x:1@{digest}"));
        let by_digest = format!("a.io/x@{digest}");
        assert_eq!(of(&by_digest, None), by_digest);
        let named = format!("a.io/x:1@{digest} for Kubernetes namespace dev");
        assert_eq!(of("a.io/x:1", Some("dev")), named);
        // Whoever asks may say anything.
        let long = of("a.io/x:1", Some(&"x\n".repeat(1 << 10)));
        assert!(long.len() < 300 && !long.contains('\n'), "{long}");
    }
}
