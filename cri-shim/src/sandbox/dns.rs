//! Whom a sandbox asks for names.

use cni_glue::names::{DnsMode, DnsOptions, InvalidNameServer, NameServer};

use crate::api::DnsConfig;
use crate::error::CriError;
use crate::journal::{self, Priority};

/// Most servers, search domains and options, of each: a library looks at fewer of them.
const MOST: usize = 64;

/// What a request says; as the host has it if that is nothing. Kubelets hand the host's file on, in which a server may be
/// behind an interface of the host: in a network of its own, a sandbox doesn't reach it and does without.
///
/// # Errors
/// [`CriError::Invalid`] if a server has no address, or a word can't stand in resolv.conf.
pub(super) fn options(
    config: Option<&DnsConfig>,
    is_host_network: bool,
) -> Result<DnsOptions, CriError> {
    let Some(config) = config.filter(|config| **config != DnsConfig::default()) else {
        return Ok(DnsOptions {
            mode: DnsMode::Host,
            ..DnsOptions::default()
        });
    };
    for (field, words) in [
        ("servers", &config.servers),
        ("searches", &config.searches),
        ("options", &config.options),
    ] {
        if words.len() > MOST {
            return Err(CriError::invalid(
                format!("config.dns_config.{field}"),
                format!("{} are more than {MOST}", words.len()),
            ));
        }
    }
    let servers = config.servers.iter().map(|server| server.parse());
    let servers = servers.collect::<Result<Vec<NameServer>, InvalidNameServer>>();
    let mut servers =
        servers.map_err(|error| CriError::invalid("config.dns_config.servers", error))?;
    if !is_host_network {
        for server in servers.extract_if(.., |server| server.has_zone()) {
            journal::line(
                Priority::Warning,
                &format!(
                    "warning: a sandbox is told of no name server {server}, which is behind an interface of the host"
                ),
            );
        }
    }
    for (field, words) in [("searches", &config.searches), ("options", &config.options)] {
        if let Some(word) = words.iter().find(|word| !can_stand(word)) {
            return Err(CriError::invalid(
                format!("config.dns_config.{field}"),
                format!("{word:?} can't stand in resolv.conf"),
            ));
        }
    }
    Ok(DnsOptions {
        mode: DnsMode::None,
        servers,
        search: config.searches.clone(),
        options: config.options.clone(),
    })
}

fn can_stand(word: &str) -> bool {
    let stands = |c: char| !c.is_whitespace() && !c.is_control();
    !word.is_empty() && word.chars().all(stands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_all_that_there_is() {
        for nothing in [None, Some(&DnsConfig::default())] {
            assert_eq!(options(nothing, false).unwrap().mode, DnsMode::Host);
        }
        let said = DnsConfig {
            servers: vec!["10.96.0.10".into()],
            searches: vec!["default.svc.cluster.local".into()],
            options: vec!["ndots:5".into()],
        };
        let said = options(Some(&said), false).unwrap();
        assert_eq!(said.mode, DnsMode::None);
        assert_eq!(said.servers.len(), 1);
        for bad in [
            DnsConfig {
                servers: vec!["dns".into()],
                ..DnsConfig::default()
            },
            DnsConfig {
                searches: vec!["a\nnameserver 1.1.1.1".into()],
                ..DnsConfig::default()
            },
            DnsConfig {
                options: vec![String::new()],
                ..DnsConfig::default()
            },
        ] {
            options(Some(&bad), false).unwrap_err();
        }
    }

    #[test]
    fn a_server_behind_an_interface_of_the_host_is_for_who_has_that() {
        let config = DnsConfig {
            servers: vec!["fe80::1%3".into(), "192.0.2.1".into()],
            ..DnsConfig::default()
        };
        let told = |is_host_network| {
            let told = options(Some(&config), is_host_network).unwrap();
            let servers = told.servers.iter().map(ToString::to_string);
            servers.collect::<Vec<_>>()
        };
        assert_eq!(told(false), ["192.0.2.1"]);
        assert_eq!(told(true), ["fe80::1%3", "192.0.2.1"]);
    }
}
