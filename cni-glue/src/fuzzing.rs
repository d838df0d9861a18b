//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under
//! test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora and mutate these.

use crate::config::{NetworkList, Source, SpecVersion};
use crate::names::{self, DnsOptions};
use crate::runtime::CniResult;

/// What plugins answer to ADD.
pub fn cni_result(data: &[u8]) {
    let result = match CniResult::parse_answer(data) {
        Ok(result) => result,
        Err(reason) => {
            assert!(!reason.contains(|c: char| c.is_control()), "{reason:?}");
            return;
        }
    };
    assert_eq!(
        CniResult::parse(&result.to_value(SpecVersion::V1_1_0)).as_ref(),
        Ok(&result)
    );
    for version in [
        SpecVersion::V0_3_1,
        SpecVersion::V0_4_0,
        SpecVersion::V1_0_0,
    ] {
        let older = CniResult::parse(&result.to_value(version));
        assert_eq!(older.map(|older| older.ips).as_ref(), Ok(&result.ips));
    }
}

/// Configurations of networks. What is kept of one while a pod is in the network is the same network.
pub fn network_list(data: &[u8]) {
    let Ok(list) = NetworkList::parse(data, Source::Kept) else {
        return;
    };
    let kept = list.to_value().to_string();
    let again = NetworkList::parse(kept.as_bytes(), Source::Kept);
    assert_eq!(again.ok().as_ref(), Some(&list));
}

/// The host's `/etc/resolv.conf`.
pub fn resolv_conf(data: &[u8]) {
    let wanted = DnsOptions::default();
    let pods = names::resolv_conf(&wanted, [], data);
    for line in String::from_utf8_lossy(&pods).lines() {
        let key = line.split(' ').next();
        let is_known = matches!(key, Some("nameserver" | "search" | "options"));
        assert!(is_known, "{line:?}");
    }
    assert_eq!(names::resolv_conf(&wanted, [], &pods), pods);
}

#[cfg(test)]
mod tests {
    replay::targets! {
        cni_result: 10_000,
        network_list: 20_000,
        resolv_conf: 20_000,
    }
}
