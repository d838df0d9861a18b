//! Values in messages, which are no longer than a line.

/// A message without most of a value that is long, wherever it stands. What is no value of a flag is often a whole file.
pub(super) fn shortened(text: String, value: Option<&str>) -> String {
    const SHOWN: usize = 64;
    let text = match value.filter(|value| value.chars().count() > SHOWN) {
        Some(value) => {
            let beginning: String = value.chars().take(SHOWN).collect();
            text.replace(value, &format!("{beginning}…"))
        }
        None => return text,
    };
    // A part of it may be repeated by who refused it.
    const LINE: usize = 400;
    match text.chars().count() > LINE {
        true => text.chars().take(LINE).chain(['…']).collect(),
        false => text,
    }
}
