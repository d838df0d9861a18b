//! Pods and files are called in messages what the person who asked called them.

use std::path::Path;
use std::sync::Mutex;

use pod::PodUuid;

/// The pods that this command line names, and by which words.
static TYPED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Files that stand for others while a command works, and what a person knows them as.
static STANDING_IN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Notes that a file is worked on in the place of what a person named, or of a stream.
pub(crate) fn stands_for(path: &Path, typed: &str) {
    if let Ok(mut known) = STANDING_IN.lock() {
        known.push((path.display().to_string(), typed.to_owned()));
    }
}

/// Whether a file stands for something that has no path.
pub(crate) fn is_no_file(path: &Path) -> bool {
    let path = path.display().to_string();
    STANDING_IN.lock().is_ok_and(|known| {
        let mut known = known.iter();
        known.any(|(other, typed)| *other == path && typed == STANDARD_INPUT)
    })
}

/// What is read where no file is named.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Notes what a pod was called. Who has typed its UUID, or the beginning of that, is told the UUID.
pub(crate) fn remember(uuid: PodUuid, typed: &str) {
    let uuid = uuid.to_string();
    let called = match uuid.starts_with(&typed.to_ascii_lowercase()) {
        true => uuid.clone(),
        false => typed.to_owned(),
    };
    if let Ok(mut known) = TYPED.lock()
        && known.iter().all(|(other, _)| *other != uuid)
    {
        known.push((uuid, called));
    }
}

/// A message with the names that were typed, in the place of UUIDs and of files that nobody knows.
pub(crate) fn as_typed(message: &str) -> String {
    let mut text = message.to_owned();
    if let Ok(known) = STANDING_IN.lock() {
        for (path, typed) in known.iter() {
            text = text.replace(path, typed);
        }
    }
    if let Ok(known) = TYPED.lock() {
        for (uuid, typed) in known.iter().filter(|(uuid, typed)| uuid != typed) {
            // Where the name itself is what a message is about, the UUID tells whose it is.
            if !text.contains(&format!("`{typed}`")) {
                text = replaced(&text, uuid, typed);
            }
        }
    }
    text
}

/// Replaces a UUID where it names a pod; in a path it is a directory's name.
fn replaced(text: &str, uuid: &str, typed: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(uuid) {
        result.push_str(before);
        let in_path = before.ends_with(['/', '-', '=']) || after.starts_with(['/', '-']);
        result.push_str(if in_path { uuid } else { typed });
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_stands_for_is_named() {
        stands_for(Path::new("/store/stage-1/image"), "standard input");
        assert_eq!(
            as_typed("/store/stage-1/image is not an image"),
            "standard input is not an image"
        );
    }

    #[test]
    fn a_pod_is_called_what_it_was_called_and_paths_stay() {
        let uuid = "0c2f";
        let said = "pod 0c2f: /pods/run/0c2f/x; `fairing stop --force 0c2f` ends it";
        assert_eq!(
            replaced(said, uuid, "web"),
            "pod web: /pods/run/0c2f/x; `fairing stop --force web` ends it"
        );
    }
}
