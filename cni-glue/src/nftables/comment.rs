//! The comments of tables, rules and elements.

use crate::netlink::message::text;

/// The type of the comment among the data that programs keep with tables, rules and elements.
const COMMENT: u8 = 0;

/// A comment as `nft` writes and shows it.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let mut text = text.as_bytes();
    text = text.get(..text.len().min(250)).unwrap_or_default();
    let mut bytes = vec![COMMENT, u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    bytes.extend(text);
    bytes.push(0);
    bytes
}

/// The comment in such data.
pub(super) fn comment_of(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *kind == COMMENT {
            return Some(text(value));
        }
        data = rest.get(usize::from(*length)..)?;
    }
    None
}
