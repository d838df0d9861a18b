//! A pod's limits, kept by token buckets: what goes to the pod waits at the host's end of its link, what comes from it at
//! the pod's own end, which the pod may not change.

use nix::errno::Errno;

use crate::bandwidth::{Bandwidth, RateLimit};
use crate::error::NetworkError;
use crate::netlink::link::Link;
use crate::netlink::message::Batch;
use crate::netlink::qdisc::{self, Tbf};
use crate::netlink::rtnetlink::Rtnetlink;
use crate::netlink::socket::Refused;

/// How long a packet waits at most behind others, where the bucket has been full. Connections fill whatever queue there
/// is, and each of their packets waits for all of it.
const LATENCY_MS: u64 = 50;
/// What stands before a packet on a link; the kernel counts it.
const ETHERNET_HEADER: u32 = 14;

/// The bucket that keeps a limit. What may wait is what the bucket holds, and [`LATENCY_MS`] of the rate.
fn tbf(limit: RateLimit) -> Tbf {
    let rate = limit.rate.bytes();
    let waiting = u64::from(limit.burst.bytes()).saturating_add(rate / 1000 * LATENCY_MS);
    Tbf {
        rate,
        burst: limit.burst.bytes(),
        limit: u32::try_from(waiting).unwrap_or(u32::MAX),
    }
}

/// The least burst by which every packet passes that the link takes.
fn least_burst(mtu: u32) -> u32 {
    mtu.saturating_add(ETHERNET_HEADER)
}

fn check_burst(limit: RateLimit, link: &Link) -> Result<(), NetworkError> {
    let least = least_burst(link.mtu);
    if limit.burst.bytes() >= least {
        return Ok(());
    }
    Err(NetworkError::NoBandwidth(format!(
        "a burst of {} is smaller than the packets of {}, which would never pass; give {least}B at least",
        limit.burst, link.name
    )))
}

/// Puts a limit on what leaves by a link.
fn shape(rtnetlink: &mut Rtnetlink, link: &Link, limit: RateLimit) -> Result<(), NetworkError> {
    check_burst(limit, link)?;
    let mut batch = Batch::default();
    qdisc::replace_root(&mut batch, link.index, Tbf::KIND, &tbf(limit));
    rtnetlink
        .apply_all(&batch)
        .map_err(|refused| refusal(refused, &link.name))
}

fn refusal(refused: Refused, link: &str) -> NetworkError {
    match refused.errno {
        // No such kind; no traffic control at all.
        Errno::ENOENT | Errno::EOPNOTSUPP => NetworkError::NoBandwidth(format!(
            "the kernel lacks the queueing discipline tbf (module sch_tbf, CONFIG_NET_SCH_TBF): {refused}"
        )),
        _ => NetworkError::at(format!("limit the bandwidth of {link}"))(refused),
    }
}

/// The two ends of a pod's link. A pod on a link of its own kind has no end on the host.
#[derive(Debug)]
pub(super) struct Ends<'a> {
    pub(super) host: Option<(&'a mut Rtnetlink, &'a Link)>,
    pub(super) pod: (&'a mut Rtnetlink, &'a Link),
}

impl Ends<'_> {
    /// Limits what passes, in both directions.
    pub(super) fn limit(self, bandwidth: &Bandwidth) -> Result<(), NetworkError> {
        if let Some(limit) = bandwidth.ingress() {
            let (rtnetlink, link) = self.host.ok_or_else(no_host_end)?;
            shape(rtnetlink, link, limit)?;
        }
        if let Some(limit) = bandwidth.egress() {
            let (rtnetlink, link) = self.pod;
            shape(rtnetlink, link, limit)?;
        }
        Ok(())
    }

    /// The link on which a limit is missing, if there is one.
    pub(super) fn unlimited(self, bandwidth: &Bandwidth) -> Result<Option<String>, Refused> {
        let ends = [
            (bandwidth.ingress(), self.host),
            (bandwidth.egress(), Some(self.pod)),
        ];
        for (limit, end) in ends {
            if let (Some(limit), Some((rtnetlink, link))) = (limit, end) {
                let found = rtnetlink.root_qdisc(link.index)?;
                if !found.is_some_and(|qdisc| qdisc.is(&tbf(limit))) {
                    return Ok(Some(link.name.clone()));
                }
            }
        }
        Ok(None)
    }
}

/// Of networks without the host's help.
pub(super) fn no_host_end() -> NetworkError {
    NetworkError::NoBandwidth(
        "macvlan can limit what comes from the pod (out), and has no place on the host to limit what goes to it (in)"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::BandwidthSpec;

    fn egress(text: &str) -> RateLimit {
        let spec: BandwidthSpec = format!("out={text}").parse().unwrap();
        spec.0.egress().unwrap()
    }

    #[test]
    fn what_waits_is_bounded() {
        let ten = Tbf {
            rate: 1_250_000,
            burst: 73_728,
            limit: 73_728 + 62_500,
        };
        assert_eq!(tbf(egress("10mbit")), ten);
        let most = tbf(egress("1P,out-burst=3GiB"));
        assert_eq!((most.burst, most.limit), (3 << 30, u32::MAX));
        let least = tbf(egress("1k,out-burst=1514B"));
        assert_eq!((least.rate, least.limit), (125, 1514));
    }

    #[test]
    fn a_kernel_without_token_buckets_is_told_apart() {
        let text = |errno: Errno| refusal(errno.into(), "eth0").to_string();
        for errno in [Errno::ENOENT, Errno::EOPNOTSUPP] {
            let text = text(errno);
            assert!(text.contains("sch_tbf, CONFIG_NET_SCH_TBF"), "{text}");
        }
        let text = text(Errno::EPERM);
        assert!(
            text.starts_with("cannot limit the bandwidth of eth0: EPERM"),
            "{text}"
        );
    }
}
