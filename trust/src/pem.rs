//! PEM texts (RFC 7468): what is written, and what a wrong label tells the user.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::zeroize::Zeroizing;

use crate::key_error::KeyError;

/// Label of a SubjectPublicKeyInfo (RFC 7468, section 13).
pub(crate) const PUBLIC: &str = "PUBLIC KEY";
/// Label of an unencrypted PKCS#8 private key (RFC 7468, section 10).
pub(crate) const PRIVATE: &str = "PRIVATE KEY";
/// Label of an encrypted key as cosign writes it.
pub(crate) const SIGSTORE: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// Label of an encrypted key as older cosigns wrote it.
pub(crate) const COSIGN: &str = "ENCRYPTED COSIGN PRIVATE KEY";

/// Characters of base64 on each line of a PEM text.
const LINE: usize = 64;

/// Encodes DER as a PEM text that ends in a newline. No copy of it stays behind in memory.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    // Reserved whole, so that growing leaves no part of a private key in freed memory.
    let lines = base64.len().div_ceil(LINE);
    let size = base64.len() + lines + 2 * label.len() + "-----BEGIN -----\n-----END -----\n".len();
    let mut text = Zeroizing::new(String::with_capacity(size));
    let mut push = |parts: &[&str]| parts.iter().for_each(|part| text.push_str(part));
    push(&["-----BEGIN ", label, "-----\n"]);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        push(&[line, "\n"]);
        rest = after;
    }
    push(&["-----END ", label, "-----\n"]);
    text
}

/// The label of a PEM text.
pub(crate) fn label(text: &str) -> Option<&str> {
    text.strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.split_once("-----"))
        .map(|(label, _)| label)
}

/// The bytes between the lines of a PEM text of this label, by the lax rules of RFC 7468: lines of
/// any length. Wiped from memory when dropped.
pub(crate) fn decode(text: &str, label: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body = text
        .strip_prefix("-----BEGIN ")?
        .strip_prefix(label)?
        .strip_prefix("-----")?
        .strip_suffix("-----")?
        .strip_suffix(label)?
        .strip_suffix("-----END ")?;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    STANDARD.decode(base64.as_str()).ok().map(Zeroizing::new)
}

/// Checks the label of a PEM text before its contents are decoded, so that the usual mix-ups get
/// an answer that helps.
pub(crate) fn expect_label(text: &str, wanted: &'static str) -> Result<(), KeyError> {
    let label = label(text).ok_or(KeyError::NotPem { wanted })?;
    if label == wanted {
        return Ok(());
    }
    let hint = match label {
        PRIVATE => "the public key is needed here",
        PUBLIC => "the private key is needed here",
        COSIGN | SIGSTORE => "it is encrypted: give its passphrase",
        "ENCRYPTED PRIVATE KEY" => "decrypt it with: openssl pkcs8 -in KEY -out PLAIN",
        "EC PRIVATE KEY" => "convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY",
        "CERTIFICATE" => "take its key with: openssl x509 -pubkey -noout -in CERTIFICATE",
        _ => "it is of a different kind",
    };
    Err(KeyError::Label {
        found: crate::one_line::plain(label),
        wanted,
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_key_is_left_where_its_text_grew() {
        for length in [0, 1, 47, 48, 49, 96, 1000] {
            let text = encode(PRIVATE, &vec![7; length]);
            assert_eq!(text.capacity(), text.len(), "{length} bytes");
            assert_eq!(label(&text), Some(PRIVATE));
            let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
            assert_eq!(STANDARD.decode(base64).unwrap(), vec![7; length]);
            assert!(text.ends_with("-----\n"));
            assert!(text.lines().all(|line| line.len() <= LINE));
        }
    }

    #[test]
    fn what_is_written_is_read_by_its_label_alone() {
        let text = encode(PUBLIC, b"some bytes");
        let trimmed = text.trim_end();
        assert_eq!(decode(trimmed, PUBLIC).unwrap().as_slice(), b"some bytes");
        assert!(decode(trimmed, PRIVATE).is_none());
        let one_line = text.replace('\n', " ");
        assert_eq!(
            decode(one_line.trim_end(), PUBLIC).unwrap().as_slice(),
            b"some bytes"
        );
        for (from, to) in [
            ("-----BEGIN", "----BEGIN"),
            ("-----END", "----END"),
            ("END PUBLIC", "END PRIVATE"),
            ("c29t", "c29*"),
        ] {
            let bad = trimmed.replace(from, to);
            assert!(decode(&bad, PUBLIC).is_none(), "{bad}");
        }
        assert_eq!(label("PUBLIC KEY"), None);
        assert_eq!(label("-----BEGIN X"), None);
    }

    #[test]
    fn a_key_of_another_kind_is_told_with_what_helps() {
        for (found, hint) in [
            (PRIVATE, "the public key is needed"),
            (COSIGN, "give its passphrase"),
            (SIGSTORE, "give its passphrase"),
            ("ENCRYPTED PRIVATE KEY", "openssl pkcs8 -in"),
            ("EC PRIVATE KEY", "-topk8"),
            ("CERTIFICATE", "x509 -pubkey"),
            ("RSA PUBLIC KEY", "of a different kind"),
        ] {
            let error = expect_label(&encode(found, b"x"), PUBLIC)
                .unwrap_err()
                .to_string();
            assert!(error.contains(hint) && error.contains(found), "{error}");
        }
        let error = expect_label(&encode(PUBLIC, b"x"), PRIVATE)
            .unwrap_err()
            .to_string();
        assert!(error.contains("the private key is needed"), "{error}");
        expect_label(&encode(PUBLIC, b"x"), PUBLIC).unwrap();
        let none = expect_label("garbage", PUBLIC).unwrap_err();
        assert_eq!(none, KeyError::NotPem { wanted: PUBLIC });
    }
}
