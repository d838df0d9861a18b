//! Numbers of cgroups and networks as the interface has them. Pure.

use pod::control::{CpuStats, InterfaceUse, MemoryStats, NetworkUse, Pressure, StallTimes, Stalls};

use crate::api::{
    CpuUsage, IoUsage, MemoryUsage, NetworkInterfaceUsage, NetworkUsage, PsiData, PsiStats,
    SwapUsage, UInt64Value,
};

/// What a network is called that a machine has for itself.
const MACHINES: &str = "eth0";

pub(super) fn value(value: Option<u64>) -> Option<UInt64Value> {
    value.map(|value| UInt64Value { value })
}

pub(super) fn cpu(
    timestamp: i64,
    stats: &CpuStats,
    pressure: &Pressure,
    nano_cores: Option<u64>,
) -> CpuUsage {
    CpuUsage {
        timestamp,
        usage_core_nano_seconds: value(stats.usage_ns),
        usage_nano_cores: value(nano_cores),
        psi: pressure.cpu.as_ref().map(psi),
    }
}

pub(super) fn memory(timestamp: i64, stats: &MemoryStats, pressure: &Pressure) -> MemoryUsage {
    MemoryUsage {
        timestamp,
        working_set_bytes: value(stats.working_set),
        available_bytes: value(stats.available()),
        usage_bytes: value(stats.usage),
        rss_bytes: value(stats.anonymous),
        page_faults: value(stats.page_faults),
        major_page_faults: value(stats.major_page_faults),
        psi: pressure.memory.as_ref().map(psi),
    }
}

/// None where swap is not counted.
pub(super) fn swap(timestamp: i64, stats: &MemoryStats) -> Option<SwapUsage> {
    let used = stats.swap?;
    Some(SwapUsage {
        timestamp,
        swap_available_bytes: value(stats.swap_limit.map(|limit| limit.saturating_sub(used))),
        swap_usage_bytes: value(Some(used)),
    })
}

/// None where the kernel doesn't count it.
pub(super) fn io(timestamp: i64, pressure: &Pressure) -> Option<IoUsage> {
    pressure.io.as_ref().map(|stalls| IoUsage {
        timestamp,
        psi: Some(psi(stalls)),
    })
}

fn psi(stalls: &Stalls) -> PsiStats {
    PsiStats {
        full: Some(data(&stalls.full)),
        some: Some(data(&stalls.some)),
    }
}

fn data(times: &StallTimes) -> PsiData {
    let percent = |hundredths: u32| f64::from(hundredths) / 100.0;
    PsiData {
        total: times.total_us.saturating_mul(1000),
        avg10: percent(times.avg10),
        avg60: percent(times.avg60),
        avg300: percent(times.avg300),
    }
}

/// What went through the interfaces of a sandbox; the first one is the default. Of a machine, only what went through all of
/// them is known.
pub(super) fn network(
    timestamp: i64,
    interfaces: &[InterfaceUse],
    all: Option<NetworkUse>,
) -> Option<NetworkUsage> {
    let mut told = interfaces.iter().map(|interface| NetworkInterfaceUsage {
        name: interface.name.clone(),
        rx_bytes: value(Some(interface.received.bytes)),
        rx_errors: value(Some(interface.received.errors)),
        tx_bytes: value(Some(interface.sent.bytes)),
        tx_errors: value(Some(interface.sent.errors)),
    });
    let default_interface = match (told.next(), all) {
        (Some(first), _) => first,
        (None, Some(all)) => NetworkInterfaceUsage {
            name: MACHINES.to_owned(),
            rx_bytes: value(Some(all.received)),
            rx_errors: None,
            tx_bytes: value(Some(all.sent)),
            tx_errors: None,
        },
        (None, None) => return None,
    };
    Some(NetworkUsage {
        timestamp,
        default_interface: Some(default_interface),
        interfaces: told.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_counted_is_absent() {
        let (memory_stats, pressure) = (MemoryStats::default(), Pressure::default());
        let told = memory(7, &memory_stats, &pressure);
        assert_eq!(
            told,
            MemoryUsage {
                timestamp: 7,
                ..MemoryUsage::default()
            }
        );
        assert_eq!(swap(7, &memory_stats), None);
        assert_eq!(io(7, &pressure), None);
        assert_eq!(network(7, &[], None), None);
    }

    #[test]
    fn memory_that_is_left_and_stalls_are_in_the_units_of_the_interface() {
        let stats = MemoryStats {
            limit: Some(100),
            working_set: Some(30),
            swap: Some(5),
            swap_limit: Some(8),
            ..MemoryStats::default()
        };
        let times = StallTimes {
            avg10: 150,
            total_us: 2,
            ..StallTimes::default()
        };
        let pressure = Pressure {
            memory: Some(Stalls {
                some: times,
                ..Stalls::default()
            }),
            ..Pressure::default()
        };
        let told = memory(7, &stats, &pressure);
        assert_eq!(told.available_bytes, Some(UInt64Value { value: 70 }));
        let some = told.psi.unwrap().some.unwrap();
        assert_eq!((some.total, some.avg10), (2000, 1.5));
        let left = swap(7, &stats).unwrap().swap_available_bytes;
        assert_eq!(left, Some(UInt64Value { value: 3 }));
    }

    #[test]
    fn the_network_of_a_machine_is_known_as_a_whole() {
        let (received, sent) = (1, 2);
        let told = network(7, &[], Some(NetworkUse { received, sent })).unwrap();
        let default = told.default_interface.unwrap();
        assert_eq!(default.name, "eth0");
        assert_eq!(default.tx_bytes, Some(UInt64Value { value: 2 }));
    }
}
