//! Conditions on what an attestation says, such as "no critical finding" or "built by this builder".

use std::fmt;

use serde_json::Number;

use crate::one_line;
use crate::statement::Statement;
use crate::strict_json::Node;
use crate::timestamp::Timestamp;

/// Where in a statement a value stands: `predicate.` and names joined by dots, positions of a list
/// from 0 among them (`predicate.runDetails.builder.id`, `predicate.materials.0.uri`); or, for names
/// with a dot in them, a JSON pointer (`/predicate/invocation/builder.id`, RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// Below `predicate`.
    names: Vec<String>,
}

/// A value that a policy compares with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// Yes or no.
    Bool(bool),
}

/// How old a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// At most this many seconds before now.
    Age(u64),
    /// After this moment.
    Moment(Timestamp),
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is this one.
    Equals(Scalar),
    /// It is one of these.
    OneOf(Vec<Scalar>),
    /// It is there (or isn't), whatever it is. `null` counts as not there.
    Present(bool),
    /// It is a number, and not larger than this one.
    AtMost(Number),
    /// It is a time, and newer than this.
    NewerThan(Since),
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which value.
    pub field: Field,
    /// What is asked of it.
    pub test: Test,
}

impl Field {
    /// Parses a path.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|name| name.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        let shown = one_line::quoted(text);
        match names.split_first() {
            Some((first, rest)) if first == "predicate" && !rest.is_empty() => {
                if rest.iter().any(String::is_empty) {
                    return Err(format!("field {shown} has an empty name"));
                }
                Ok(Self {
                    text: text.to_owned(),
                    names: rest.to_vec(),
                })
            }
            _ => Err(format!("field {shown} does not begin with \"predicate.\"")),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Since {
    /// Parses an age (`90s`, `30m`, `12h`, `7d`) or a moment (RFC 3339).
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let age = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 60 * 60,
                "d" => 24 * 60 * 60,
                _ => return None,
            };
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| number.parse::<u64>().ok()?.checked_mul(seconds))?
        };
        match age() {
            Some(age) => Ok(Self::Age(age)),
            None => Timestamp::parse(text).map(Self::Moment).map_err(|_| {
                let shown = one_line::quoted(text);
                format!("{shown} is neither an age such as \"7d\" nor a time")
            }),
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(time) => time.fmt(f),
            Self::Age(seconds) => {
                let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm'), (1, 's')];
                let whole = units
                    .into_iter()
                    .find(|(unit, _)| seconds.is_multiple_of(*unit));
                let (unit, letter) = whole.unwrap_or((1, 's'));
                write!(f, "{}{letter}", seconds / unit)
            }
        }
    }
}

impl Scalar {
    fn is(&self, node: &Node) -> bool {
        match (self, node) {
            (Self::Text(wanted), Node::Text(text)) => wanted == text,
            (Self::Bool(wanted), Node::Bool(value)) => wanted == value,
            (Self::Number(wanted), Node::Number(number)) => {
                wanted == number
                    || wanted.is_f64() != number.is_f64() && wanted.as_f64() == number.as_f64()
            }
            _ => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&one_line::quoted(text)),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

impl Condition {
    /// Whether a statement meets the condition now; if not, what it says instead.
    pub(crate) fn check(&self, statement: &Statement, now: Timestamp) -> Result<(), String> {
        let value = statement.field(self.field.names.iter().map(String::as_str));
        let value = value.filter(|value| **value != Node::Null);
        let met = match (&self.test, value) {
            (Test::Present(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (Test::Equals(wanted), Some(value)) => wanted.is(value),
            (Test::OneOf(wanted), Some(value)) => wanted.iter().any(|wanted| wanted.is(value)),
            (Test::AtMost(limit), Some(Node::Number(number))) => at_most(number, limit),
            (Test::NewerThan(since), Some(Node::Text(text))) => newer(text, *since, now),
            (Test::AtMost(_) | Test::NewerThan(_), Some(_)) => false,
        };
        if met {
            return Ok(());
        }
        Err(match value {
            None => format!("it has no {}", self.field.as_str()),
            Some(value) => format!("its {} is {}", self.field.as_str(), shown(value)),
        })
    }
}

/// Compared as whole numbers where both are, so that large ones aren't rounded together.
fn at_most(number: &Number, limit: &Number) -> bool {
    match (number.as_i128(), limit.as_i128()) {
        (Some(number), Some(limit)) => number <= limit,
        _ => {
            matches!((number.as_f64(), limit.as_f64()), (Some(number), Some(limit)) if number <= limit)
        }
    }
}

fn newer(text: &str, since: Since, now: Timestamp) -> bool {
    let Ok(time) = Timestamp::parse(text) else {
        return false;
    };
    let oldest = match since {
        Since::Age(seconds) => now.minus(seconds),
        Since::Moment(moment) => moment,
    };
    time > oldest && !time.is_future(now)
}

fn shown(value: &Node) -> String {
    match value {
        Node::Text(text) => one_line::quoted(text),
        Node::Number(number) => number.to_string(),
        Node::Bool(value) => value.to_string(),
        Node::Null => "null".to_owned(),
        Node::List(_) => "a list".to_owned(),
        Node::Object(_) => "an object".to_owned(),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_str();
        match &self.test {
            Test::Equals(wanted) => write!(f, "{field} is {wanted}"),
            Test::OneOf(wanted) => {
                let wanted: Vec<_> = wanted.iter().map(Scalar::to_string).collect();
                write!(f, "{field} is one of {}", wanted.join(", "))
            }
            Test::Present(true) => write!(f, "{field} is present"),
            Test::Present(false) => write!(f, "{field} is absent"),
            Test::AtMost(limit) => write!(f, "{field} is at most {limit}"),
            Test::NewerThan(since) => write!(f, "{field} is newer than {since}"),
        }
    }
}

#[cfg(test)]
mod tests;
