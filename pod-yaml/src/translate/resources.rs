//! Limits, requests and devices.

use engine::devices::request::{ALL_ACCESS, DeviceRequest};
use pod::manifest::{Cpu, HugepageLimit, Limit, Memory, Resources};

use crate::kubernetes::{Amounts, Resources as Asked};
use crate::reading::{Error, Findings, Place, Quantity};

/// The time in which processor time is counted, in microseconds.
const PERIOD: u64 = 100_000;
/// The least and the most of shares.
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

/// What is limited, and which devices are asked for.
pub(super) fn resources(
    asked: &Asked,
    findings: &Findings,
) -> Result<(Resources, Vec<DeviceRequest>), Error> {
    let (limits, requests) = (&asked.limits, &asked.requests);
    for (name, (place, request)) in requests {
        if let Some((_, limit)) = limits.get(name)
            && request > limit
        {
            return Err(place.wrong("more is requested than the limit"));
        }
    }
    let amount = |of: &Amounts, name: &str| of.get(name).map(|(_, amount)| *amount);
    let requested = |name| amount(requests, name).or_else(|| amount(limits, name));
    let mut resources = Resources::default();
    if let Some(limit) = amount(limits, "cpu") {
        let quota = limit.thousandths().saturating_mul(PERIOD / 1000);
        resources.cpu = Cpu {
            // The kernel takes no less than a millisecond.
            quota: Some(Limit::At(quota.max(1000))),
            period: Some(PERIOD),
            ..Cpu::default()
        };
    }
    // Of a request of 0, nothing is asked.
    if let Some(request) = requested("cpu").filter(|request| request.thousandths() > 0) {
        let shares = request.thousandths().saturating_mul(1024) / 1000;
        resources.cpu.shares = Some(shares.clamp(*SHARES.start(), *SHARES.end()));
    }
    resources.memory = Memory {
        limit: bytes(amount(limits, "memory")),
        // No swap: a limit that could be swapped around would be none.
        swap: bytes(amount(limits, "memory")),
        // What is limited keeps nothing more than the limit lets it have anyway.
        reservation: bytes(amount(requests, "memory")),
        ..Memory::default()
    };
    let mut devices = Vec::new();
    for (name, (place, amount)) in limits {
        match name.as_str() {
            "cpu" | "memory" => {}
            "ephemeral-storage" => {
                findings.ignore(place.finding("ignored: what an app writes to disk is not limited"))
            }
            name => match name.strip_prefix("hugepages-") {
                Some(size) => resources.hugepage_limits.push(HugepageLimit {
                    page_size: page_size(size, place)?,
                    limit: amount.whole(),
                }),
                None => devices.push(device(name, *amount, place)?),
            },
        }
    }
    resources.check().map_err(|error| {
        let place = limits.values().chain(requests.values()).next();
        match place {
            Some((place, _)) => place.wrong(error),
            None => Error(Vec::new()),
        }
    })?;
    Ok((resources, devices))
}

fn bytes(amount: Option<Quantity>) -> Option<Limit> {
    let bytes = amount.map(Quantity::whole).filter(|bytes| *bytes > 0);
    bytes.map(Limit::At)
}

/// The kernel's name for a size such as `2Mi`.
fn page_size(size: &str, place: &Place) -> Result<String, Error> {
    let bytes = Quantity::parse(size).map(Quantity::whole);
    let named = bytes.and_then(|bytes| {
        let units = [(30_u32, "GB"), (20, "MB"), (10, "KB")];
        let of = |(shift, unit)| {
            let count: u64 = bytes >> shift;
            (count > 0 && count << shift == bytes).then(|| format!("{count}{unit}"))
        };
        units.into_iter().find_map(of)
    });
    named.ok_or_else(|| place.wrong(format!("{size:?} is not a size of pages such as 2Mi")))
}

/// What other things are: one device each, by the name that its vendor describes it by, or by its path (podman's words).
fn device(name: &str, amount: Quantity, place: &Place) -> Result<DeviceRequest, Error> {
    if amount != Quantity::from_whole(1) {
        return Err(place.wrong(
            "one device is asked for by each name: write 1; further ones have names of their own, such as VENDOR/CLASS=1: 1",
        ));
    }
    if let Some(path) = name.strip_prefix("podman.io/device=") {
        return Ok(DeviceRequest::Node {
            host: path.into(),
            place: None,
            access: ALL_ACCESS,
        });
    }
    let named = name.parse().map(DeviceRequest::Named);
    named.map_err(|_| {
        place.wrong("there is no such resource; devices are asked for as VENDOR/CLASS=DEVICE: 1")
    })
}
