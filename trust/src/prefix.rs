//! Prefixes: which images a rule is for.

use crate::name::{ImageName, MAX_NAME, NameError, Repository, check, text_type};
use crate::one_line;

/// Which repositories a rule is for: a registry host, a host and leading path components, or `*`
/// for all.
///
/// `a.io/foo` covers `a.io/foo` and `a.io/foo/x`, never `a.io/foobar`; `a.io` covers neither
/// `a.io:5000/x` nor `a.io.evil.net/x`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(String);

impl Prefix {
    /// Parses `*`, `host[:port]` or `host[:port]/path`.
    ///
    /// # Errors
    /// [`NameError`] for everything that could never match, such as a name without a host, one in
    /// upper case, with a scheme, a tag, a digest or a slash at its end.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text != "*" {
            check(text).map_err(|reason| NameError {
                what: "prefix",
                text: one_line::quoted(text),
                reason,
            })?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `*`.
    pub fn is_everything(&self) -> bool {
        self.0 == "*"
    }

    /// A scope of a containers policy.json. Beside prefixes these are wildcards for hosts
    /// (`*.example.com`) and single images, with a tag or a digest.
    pub(crate) fn scope(text: &str) -> Self {
        Self(if text.is_empty() { "*" } else { text }.to_owned())
    }

    fn kind(&self) -> Kind {
        let after_host = self.0.split_once('/').map_or("", |(_, path)| path);
        if self.is_everything() {
            Kind::Everything
        } else if self.0.starts_with("*.") {
            Kind::Hosts
        } else if after_host.contains([':', '@']) {
            Kind::Image
        } else {
            Kind::Path
        }
    }

    /// Whether the rule of this prefix is for an image.
    pub fn covers(&self, image: &ImageName<'_>) -> bool {
        let repository = image.repository.as_str();
        match self.kind() {
            Kind::Everything => true,
            Kind::Path => repository
                .strip_prefix(self.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Kind::Hosts => {
                let host = repository.split('/').next().unwrap_or_default();
                // Without the port, as podman matches; an address of IPv6 has no domain.
                let host = host.split(':').next().unwrap_or_default();
                let domain = self.as_str().trim_start_matches('*');
                host.len() > domain.len() && host.ends_with(domain)
            }
            Kind::Image => image.reference(repository) == self.as_str(),
        }
    }

    /// How specific the prefix is; of two that cover one image, the one with more decides.
    pub(crate) fn specificity(&self) -> (Kind, usize) {
        // Those of one kind that cover one image are longer the more specific they are.
        (self.kind(), self.as_str().len())
    }

    /// The name of the file in a policy folder that holds this prefix's rule: the prefix with `/`
    /// and `:` escaped as `%2F` and `%3A`, then `.toml`; `default.toml` for `*`. At most 255 bytes.
    ///
    /// Distinct prefixes have distinct names. No file name begins with a dot.
    pub fn file_name(&self) -> String {
        if self.is_everything() {
            return "default.toml".to_owned();
        }
        let escaped = self.0.replace('/', "%2F").replace(':', "%3A");
        if escaped.len() <= MAX_NAME - ".toml".len() {
            return format!("{escaped}.toml");
        }
        let hash = crate::fingerprint::Fingerprint::of(self.0.as_bytes()).to_string();
        format!("%{}.toml", hash.trim_start_matches("sha256:"))
    }
}

impl From<&Repository> for Prefix {
    /// The narrowest prefix that covers a repository.
    fn from(repository: &Repository) -> Self {
        Self(repository.0.clone())
    }
}

/// The kinds of scope, the most specific last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Everything,
    Hosts,
    Path,
    Image,
}

text_type!(Prefix);

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(prefix: &str, repository: &str) -> bool {
        Prefix::parse(prefix)
            .unwrap()
            .covers(&ImageName::of(&Repository::parse(repository).unwrap()))
    }

    #[test]
    fn prefixes_cover_whole_components() {
        assert!(covers("a.io/foo", "a.io/foo"));
        assert!(covers("a.io/foo", "a.io/foo/x/y"));
        assert!(covers("a.io", "a.io/foo"));
        assert!(covers("*", "a.io/foo"));
        assert!(covers("localhost:5000", "localhost:5000/x"));
        assert!(covers("[::1]:5000/a", "[::1]:5000/a/b"));
    }

    #[test]
    fn neighbours_are_not_covered() {
        for (prefix, repository) in [
            ("a.io/foo", "a.io/foobar"),
            ("a.io/foo", "a.io/foo-bar"),
            ("a.io/foo", "a.io/foo.bar/x"),
            ("a.io/foo", "a.io/fo"),
            ("a.io/foo/x", "a.io/foo"),
            ("a.io/foo", "b.a.io/foo"),
            ("a.io", "a.io.evil.net/x"),
            ("a.io", "a.iox/x"),
            ("a.io", "a.io:5000/x"),
            ("a.io:500", "a.io:5000/x"),
            ("a.io:5000", "a.io/x"),
            ("a.io:5000", "a.io:5001/x"),
            ("localhost", "localhost:5000/x"),
            ("docker.io/library", "docker.io/libraryx/y"),
        ] {
            assert!(!covers(prefix, repository), "{prefix} covers {repository}");
        }
    }

    #[test]
    fn file_names_are_distinct_and_plain() {
        let name = |text: &str| Prefix::parse(text).unwrap().file_name();
        assert_eq!(
            name("registry.example.com:5000/team"),
            "registry.example.com%3A5000%2Fteam.toml"
        );
        assert_eq!(name("*"), "default.toml");
        let long = |end: &str| format!("a.io/{}{end}", "x/".repeat(110));
        assert_eq!(name(&long("a")).len(), 70);
        assert_ne!(name(&long("a")), name(&long("b")));
        for text in ["a.io/b-c", "a.io/b/c", "[::1]:5000/a", &long("a")] {
            let name = name(text);
            assert!(
                !name.contains('/') && !name.starts_with('.') && name.len() <= 255,
                "{name}"
            );
        }
    }

    #[test]
    fn scopes_of_policy_json_are_wildcards_and_single_images_too() {
        let digest =
            oci_spec::image::Digest::try_from(format!("sha256:{}", "0a".repeat(32))).unwrap();
        let covers = |scope: &str, repository: &str| {
            let repository = Repository::parse(repository).unwrap();
            let tagged = ImageName {
                tag: Some("1"),
                ..ImageName::of(&repository)
            };
            let pinned = ImageName {
                digest: Some(&digest),
                ..tagged
            };
            let scope = Prefix::scope(scope);
            (scope.covers(&tagged), scope.covers(&pinned))
        };
        let pinned = format!("a.io/x@{digest}");
        assert_eq!(covers("", "a.io/x"), (true, true));
        assert_eq!(covers("*.a.io", "b.a.io/x"), (true, true));
        assert_eq!(covers("*.a.io", "c.b.a.io:5000/x"), (true, true));
        assert_eq!(covers("a.io/x:1", "a.io/x"), (true, false));
        assert_eq!(covers(&pinned, "a.io/x"), (false, true));
        for (scope, repository) in [
            ("*.a.io", "a.io/x"),
            ("*.a.io", "ba.io/x"),
            ("*.a.io", "b.a.io.evil.net/x"),
            ("a.io/x:1", "a.io/x/y"),
            ("a.io/x:2", "a.io/x"),
            ("a.io/x:11", "a.io/x"),
            ("a.io:5000", "a.io/x"),
        ] {
            assert_eq!(covers(scope, repository), (false, false), "{scope}");
        }
        let order = ["*", "*.io", "*.a.io", "a.io", "a.io/x", "a.io/x:1"];
        let order = order.map(|scope| Prefix::scope(scope).specificity());
        assert!(order.is_sorted());
    }
}
