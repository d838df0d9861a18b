//! Whether the processor can run virtual machines.

use std::path::Path;

/// What of KVM this machine lacks; `None` if virtual machines can use it. That its device is there proves nothing: kernels
/// that run as guests of others can have it, and run the instructions of a guest one by one.
pub fn kvm_lack() -> Option<&'static str> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    lack(&processors, Path::new("/dev/kvm").exists())
}

fn lack(processors: &str, has_device: bool) -> Option<&'static str> {
    let flags = processors.lines().find_map(|line| {
        let (name, flags) = line.split_once(':')?;
        (name.trim() == "flags").then_some(flags)
    });
    let mut flags = flags.unwrap_or_default().split_whitespace();
    if !flags.any(|flag| matches!(flag, "vmx" | "svm")) {
        return Some("the processor does not offer it (vmx or svm in /proc/cpuinfo)");
    }
    (!has_device).then_some("there is no /dev/kvm")
}

#[cfg(test)]
mod tests {
    use super::lack;

    #[test]
    fn kvm_takes_both_a_processor_and_a_device() {
        let with =
            |flag: &str| format!("model name\t: x\nflags\t\t: fpu {flag} sse\n\nflags\t: fpu\n");
        for flag in ["vmx", "svm"] {
            assert_eq!(lack(&with(flag), true), None);
            assert_eq!(lack(&with(flag), false), Some("there is no /dev/kvm"));
        }
        // A device alone is no proof.
        for processors in [with("vmxx"), "vmx".to_owned(), String::new()] {
            let lack = lack(&processors, true).unwrap();
            assert!(lack.contains("processor"), "{lack}");
        }
    }
}
