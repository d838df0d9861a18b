//! Fuzz target of what registries say in headers and in bodies of errors.

#[cfg(test)]
mod seeds;

use ureq::http::Uri;

use super::answer::sanitize;
use super::challenge::choose;
use super::endpoint::resolve;
use super::referrers::next_page;

/// One header a line, each as if it were of any kind.
pub fn registry_headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    drop(choose(text.lines()));
    for line in text.lines() {
        drop(choose(std::iter::once(line)));
        drop(next_page(line));
        let base = Uri::from_static("https://registry.example.com/v2/team/app/blobs/uploads/");
        if let Some(url) = resolve(&base, line) {
            assert!(url.authority().is_some());
        }
    }
    let shown = sanitize(&text);
    assert!(shown.len() <= 200 && !shown.chars().any(char::is_control));
}

#[cfg(test)]
mod tests {
    replay::targets! {
        seeds: super::seeds::of;
        registry_headers: 30_000,
    }
}
