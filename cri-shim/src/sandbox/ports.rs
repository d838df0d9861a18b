//! Ports of the host that lead to a sandbox.

use cni_glue::ports::{ContainerPort, PortSpec, Protocol};

use crate::api::{self, PortMapping};
use crate::error::CriError;

/// Most ports: each is a rule, and a socket that keeps it.
const MOST: usize = 4096;

/// The ports that a request asks for; one without a port of the host asks for nothing.
///
/// # Errors
/// [`CriError::Invalid`].
pub(super) fn specs(mappings: &[PortMapping]) -> Result<Vec<PortSpec>, CriError> {
    if mappings.len() > MOST {
        return Err(CriError::invalid(
            "config.port_mappings",
            format!("{} are more than {MOST}", mappings.len()),
        ));
    }
    let wanted = mappings.iter().filter(|mapping| mapping.host_port != 0);
    wanted.map(spec).collect()
}

fn spec(mapping: &PortMapping) -> Result<PortSpec, CriError> {
    let invalid = |reason: String| CriError::invalid("config.port_mappings", reason);
    let number = |port: i32| {
        let number = u16::try_from(port).ok().filter(|number| *number != 0);
        number.ok_or_else(|| invalid(format!("{port} is no port")))
    };
    let host_ip = match mapping.host_ip.as_str() {
        "" | "0.0.0.0" | "::" => None,
        text => Some(
            text.parse()
                .map_err(|_| invalid(format!("{text:?} is no address")))?,
        ),
    };
    let protocol = match api::Protocol::try_from(mapping.protocol) {
        Ok(api::Protocol::Tcp) => Protocol::Tcp,
        Ok(api::Protocol::Udp) => Protocol::Udp,
        Ok(api::Protocol::Sctp) => Protocol::Sctp,
        Err(_) => return Err(invalid(format!("{} is no protocol", mapping.protocol))),
    };
    let container = number(mapping.container_port)?;
    Ok(PortSpec {
        host_ip,
        host_port: number(mapping.host_port)?,
        count: 1,
        container: ContainerPort::Number(container, 1),
        protocol: Some(protocol),
    })
}
