//! Names of the files that rules are kept in.

use image_name::Prefix;

use crate::fingerprint::Fingerprint;

/// Longest file name that the file systems take, in bytes.
const MAX_FILE_NAME: usize = 255;

/// The name of the file in a policy directory that holds the rule of a prefix: the prefix with `/`
/// and `:` escaped as `%2F` and `%3A`, then `.toml`; `default.toml` for `*`. At most 255 bytes.
///
/// Distinct prefixes have distinct names. No file name begins with a dot.
pub fn rule_file_name(prefix: &Prefix) -> String {
    if prefix.is_everything() {
        return "default.toml".to_owned();
    }
    let escaped = prefix.as_str().replace('/', "%2F").replace(':', "%3A");
    let name = format!("{escaped}.toml");
    if name.len() <= MAX_FILE_NAME {
        return name;
    }
    let hash = Fingerprint::of(prefix.as_str().as_bytes()).to_string();
    format!("%{}.toml", hash.trim_start_matches("sha256:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_distinct_and_plain() {
        let name = |text: &str| rule_file_name(&Prefix::parse(text).unwrap());
        assert_eq!(
            name("registry.example.com:5000/team"),
            "registry.example.com%3A5000%2Fteam.toml"
        );
        assert_eq!(name("*"), "default.toml");
        let long = |end: &str| format!("a.io/{}{end}", "x/".repeat(110));
        assert_eq!(name(&long("a")).len(), 70);
        assert_ne!(name(&long("a")), name(&long("b")));
        // The longest name that fits stands for itself.
        let full = |length: usize| name(&format!("a.io/{}", "x".repeat(length)));
        let most = 255 - "a.io%2F.toml".len();
        assert_eq!(full(most), format!("a.io%2F{}.toml", "x".repeat(most)));
        assert!(full(most + 1).starts_with('%'));
        for text in ["a.io/b-c", "a.io/b/c", "[::1]:5000/a", &long("a")] {
            let name = name(text);
            assert!(
                !name.contains('/') && !name.starts_with('.') && name.len() <= 255,
                "{name}"
            );
        }
    }
}
