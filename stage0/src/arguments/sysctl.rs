//! Kernel parameters and shared memory of a pod, as people write them.

use super::quantity::memory;

/// Longest name of one.
const NAME_MAX: usize = 255;
/// What procfs takes of one write: a page, less the end of the text.
const VALUE_MAX: usize = 4095;

/// Parses `NAME=VALUE`.
pub(crate) fn sysctl(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, _)) if name.len() > NAME_MAX => {
            Err("its name is longer than any kernel parameter's".to_owned())
        }
        Some((name, "")) if !name.is_empty() => Err("it has no value".to_owned()),
        Some((_, value)) if value.len() > VALUE_MAX => Err(format!(
            "its value has {} bytes, and the kernel takes {VALUE_MAX}",
            value.len()
        )),
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a kernel parameter is NAME=VALUE, such as net.core.somaxconn=1024".to_owned()),
    }
}

/// Parses the size of `/dev/shm`.
pub(crate) fn shm_size(text: &str) -> Result<u64, String> {
    memory(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_parameter_has_a_name_and_a_value_that_the_kernel_takes() {
        let pair = ("a.b".to_owned(), "1 2".to_owned());
        assert_eq!(sysctl("a.b=1 2"), Ok(pair));
        let long = format!("a={}", "x".repeat(VALUE_MAX + 1));
        for (bad, part) in [
            ("a", "NAME=VALUE"),
            ("=1", "NAME=VALUE"),
            ("a=", "no value"),
            (long.as_str(), "4096 bytes"),
            (&format!("{}=1", "x".repeat(256)), "longer than any"),
        ] {
            let error = sysctl(bad).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
