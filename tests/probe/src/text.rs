//! Files of the kernel.

/// A file's text; what cannot be read is empty, and its absence shows in the report.
pub(crate) fn text(path: &str) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
