//! Whom a sandbox asks for names.

use cni_glue::names::{DnsMode, DnsOptions};

use crate::api::DnsConfig;
use crate::error::CriError;

/// Most servers, search domains and options, of each: a library looks at fewer of them.
const MOST: usize = 64;

/// What a request says; as the host has it if that is nothing.
///
/// # Errors
/// [`CriError::Invalid`] if a server has no address, or a word can't stand in resolv.conf.
pub(super) fn options(config: Option<&DnsConfig>) -> Result<DnsOptions, CriError> {
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
    let mut servers = Vec::with_capacity(config.servers.len());
    for server in &config.servers {
        let address = server.parse();
        servers.push(address.map_err(|_| {
            CriError::invalid(
                "config.dns_config.servers",
                format!("{server:?} is no address"),
            )
        })?);
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
            assert_eq!(options(nothing).unwrap().mode, DnsMode::Host);
        }
        let said = options(Some(&DnsConfig {
            servers: vec!["10.96.0.10".into()],
            searches: vec!["default.svc.cluster.local".into()],
            options: vec!["ndots:5".into()],
        }))
        .unwrap();
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
            options(Some(&bad)).unwrap_err();
        }
    }
}
