//! Which networks a pod joins: the value of `--net`.

use crate::id::{InvalidName, NetworkName};

/// Why a text is no selection of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelection {
    /// A name.
    #[error("{0}")]
    Name(#[from] InvalidName),
    /// A network twice.
    #[error("network {0} is named twice")]
    Twice(NetworkName),
    /// Two that exclude each other.
    #[error("{0:?} can't be combined with other networks")]
    Alone(String),
    /// Arguments where none can be.
    #[error("{0:?} takes no arguments")]
    Arguments(String),
    /// An argument of another form.
    #[error("{0:?} is not an argument of a network: write NAME:KEY=VALUE;KEY=VALUE")]
    Argument(String),
}

/// A network that a pod joins, and what its plugins are told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRequest {
    /// Which.
    pub name: NetworkName,
    /// `CNI_ARGS`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<(String, String)>,
}

/// The networks of a pod.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// A namespace with nothing but a loopback.
    None,
    /// The host's own.
    Host,
    /// Every network that is configured, and the default one.
    All,
    /// These.
    Named(Vec<NetworkRequest>),
}

/// The network that a pod joins if none is named.
pub(super) const DEFAULT: &str = "default";

impl Selection {
    /// The default network, or what the values of `--net` say.
    ///
    /// # Errors
    /// [`InvalidSelection`] if a value is malformed, or they contradict each other.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSelection> {
        let mut named: Vec<NetworkRequest> = Vec::new();
        let mut special = None;
        let mut count = 0;
        for entry in values.into_iter().flat_map(|value| value.split(',')) {
            count += 1;
            let (name, arguments) = match entry.split_once(':') {
                Some((name, arguments)) => (name, Some(arguments)),
                None => (entry, None),
            };
            let alone = match name {
                "none" => Self::None,
                "host" => Self::Host,
                "all" => Self::All,
                _ => {
                    let request = NetworkRequest {
                        name: name.parse()?,
                        arguments: arguments
                            .map(parse_arguments)
                            .transpose()?
                            .unwrap_or_default(),
                    };
                    if named.iter().any(|other| other.name == request.name) {
                        return Err(InvalidSelection::Twice(request.name));
                    }
                    named.push(request);
                    continue;
                }
            };
            if arguments.is_some() {
                return Err(InvalidSelection::Arguments(name.into()));
            }
            special = Some((name, alone));
        }
        match special {
            Some((name, _)) if count > 1 => Err(InvalidSelection::Alone(name.into())),
            Some((_, alone)) => Ok(alone),
            None if named.is_empty() => Ok(Self::Named(vec![NetworkRequest {
                name: DEFAULT.parse()?,
                arguments: Vec::new(),
            }])),
            None => Ok(Self::Named(named)),
        }
    }
}

fn parse_arguments(text: &str) -> Result<Vec<(String, String)>, InvalidSelection> {
    let mut arguments: Vec<(String, String)> = Vec::new();
    for argument in text.split(';') {
        let invalid = || InvalidSelection::Argument(argument.into());
        let (key, value) = argument.split_once('=').ok_or_else(invalid)?;
        let key_is_good = !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let again = arguments.iter().any(|(other, _)| other == key);
        if !key_is_good || again || value.contains('\0') {
            return Err(invalid());
        }
        arguments.push((key.into(), value.into()));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(values: &[&str]) -> Vec<String> {
        match Selection::parse(values.iter().copied()).unwrap() {
            Selection::Named(requests) => requests.iter().map(|r| r.name.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_the_default_network() {
        assert_eq!(names(&[]), ["default"]);
        assert_eq!(names(&["default"]), ["default"]);
        assert_eq!(names(&["front,back", "side"]), ["front", "back", "side"]);
        assert_eq!(Selection::parse(["none"]), Ok(Selection::None));
        assert_eq!(Selection::parse(["host"]), Ok(Selection::Host));
        assert_eq!(Selection::parse(["all"]), Ok(Selection::All));
    }

    #[test]
    fn networks_are_told_arguments() {
        let parsed = Selection::parse(["front:IP=10.1.2.3;K=a=b,back:IP=fd00::5"]).unwrap();
        let Selection::Named(requests) = parsed else {
            panic!("not named");
        };
        assert_eq!(
            requests[0].arguments,
            [("IP".into(), "10.1.2.3".into()), ("K".into(), "a=b".into())]
        );
        assert_eq!(requests[1].arguments, [("IP".into(), "fd00::5".into())]);
    }

    #[test]
    fn contradictions_are_errors() {
        use InvalidSelection::*;
        let error = |values: &[&str]| Selection::parse(values.iter().copied()).unwrap_err();
        assert!(matches!(error(&["a,a"]), Twice(_)));
        assert!(matches!(error(&["a", "a:K=V"]), Twice(_)));
        assert!(matches!(error(&["none,a"]), Alone(_)));
        assert!(matches!(error(&["host", "none"]), Alone(_)));
        assert!(matches!(error(&["host:K=V"]), Arguments(_)));
        assert!(matches!(error(&["a:K"]), Argument(_)));
        assert!(matches!(error(&["a:"]), Argument(_)));
        assert!(matches!(error(&["a:K=1;K=2"]), Argument(_)));
        assert!(matches!(error(&[""]), Name(_)));
        assert!(matches!(error(&["a,"]), Name(_)));
        assert!(matches!(error(&["a/b"]), Name(_)));
    }
}
