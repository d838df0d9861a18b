//! Names of the files in which the store keeps what it knows of a reference.

use image_layer::sha256;
use image_name::Reference;

/// Longest file name that the file systems take, in bytes.
const MAX_FILE_NAME: usize = 255;

/// A file name for a reference, at most 255 bytes and never `.` or `..`.
///
/// It is the canonical form with `/` as `%2F`, so it reads well and [`of_file_name`] gives the
/// reference back. Where that is too long it is `%` and the sha256 of the canonical form, from which
/// nothing comes back.
pub(crate) fn file_name(reference: &Reference) -> String {
    let mut escaped = String::with_capacity(MAX_FILE_NAME);
    escaped.push_str(reference.registry());
    for component in reference.path().split('/') {
        escaped.push_str("%2F");
        escaped.push_str(component);
    }
    for (mark, part) in [
        (':', reference.tag()),
        ('@', reference.digest().map(AsRef::as_ref)),
    ] {
        if let Some(part) = part {
            escaped.push(mark);
            escaped.push_str(part);
        }
    }
    match escaped.len() {
        ..=MAX_FILE_NAME => escaped,
        _ => format!("%{}", sha256(reference.to_string().as_bytes()).hex()),
    }
}

/// The reference that [`file_name`] was made of, unless it was hashed.
pub(crate) fn of_file_name(name: &str) -> Option<Reference> {
    let reference = Reference::parse(&name.replace("%2F", "/")).ok()?;
    (file_name(&reference) == name).then_some(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_come_back_or_are_hashed() {
        for text in ["busybox", "localhost:5000/a/b:V1", "[::1]:5000/a__b"] {
            let reference = Reference::parse(text).unwrap();
            let name = file_name(&reference);
            assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
            assert_eq!(of_file_name(&name), Some(reference));
        }
        let path = format!("{}/{}", "a".repeat(100), "b".repeat(100));
        let named = |tag: &str| {
            let text = format!("q.io/{path}:{}", tag.repeat(128));
            file_name(&Reference::parse(&text).unwrap())
        };
        assert_eq!(named("t").len(), 65);
        assert_ne!(named("t"), named("u"));
        assert_eq!(of_file_name(&named("t")), None);
    }

    #[test]
    fn what_the_file_system_takes_is_not_hashed() {
        let path = format!("{}/{}", "a".repeat(120), "b".repeat(120));
        let of_tag = |length: usize| {
            let text = format!("q.io/{path}:{}", "t".repeat(length));
            Reference::parse(&text).unwrap()
        };
        // The longest tag that a name of 255 bytes has room for.
        let most = (1..128).filter(|length| file_name(&of_tag(*length)).len() == 255);
        let most = most.max().unwrap();
        assert_eq!(of_file_name(&file_name(&of_tag(most))), Some(of_tag(most)));
        assert_eq!(file_name(&of_tag(most + 1)).len(), 65);
    }
}
