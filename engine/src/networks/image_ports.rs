//! Ports as images speak of them.

use cni_glue::ports::Protocol;
use image_store::Image;

/// How an image names its ports: a label of this prefix and the name, whose value is `PORT[/PROTOCOL]`.
const PORT_LABEL: &str = "io.fairing.port.";

pub(super) fn named(images: &[&Image], name: &str) -> Option<(u16, Protocol)> {
    let label = format!("{PORT_LABEL}{name}");
    let configs = images
        .iter()
        .filter_map(|image| image.config().config().as_ref());
    let mut ports = configs.filter_map(|config| parse_port(config.labels().as_ref()?.get(&label)?));
    ports.next()
}

/// A port with its protocol: `80`, `53/udp`.
pub(super) fn parse_port(text: &str) -> Option<(u16, Protocol)> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((number, protocol.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_give_ports_names() {
        assert_eq!(parse_port("80"), Some((80, Protocol::Tcp)));
        assert_eq!(parse_port("53/udp"), Some((53, Protocol::Udp)));
        for bad in ["", "0", "65536", "x", "80/icmp"] {
            assert_eq!(parse_port(bad), None, "{bad}");
        }
    }
}
