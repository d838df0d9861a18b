//! What templates make of values.

use serde_json::Value;

use super::tree::{Function, Node, Term};

/// What terms are evaluated in.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    whole: &'a Value,
    variables: Vec<(&'a str, Value)>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(whole: &'a Value) -> Self {
        Self {
            whole,
            variables: Vec::new(),
        }
    }

    /// Appends what a block makes of a value. Its variables end with it.
    fn block(&mut self, nodes: &'a [Node], value: &Value, text: &mut String) -> Result<(), String> {
        let outer = self.variables.len();
        let printed = self.print(nodes, value, text);
        self.variables.truncate(outer);
        printed
    }

    /// Appends what these parts make of a value.
    pub(super) fn print(
        &mut self,
        nodes: &'a [Node],
        value: &Value,
        text: &mut String,
    ) -> Result<(), String> {
        for node in nodes {
            fits(text.len())?;
            match node {
                Node::Text(plain) => text.push_str(plain),
                Node::Print(term) => text.push_str(&shown(&self.evaluated(term, value)?)),
                Node::Set(name, term) => {
                    let value = self.evaluated(term, value)?;
                    self.variables.push((name, value));
                }
                Node::If(term, then, otherwise) => match is_true(&self.evaluated(term, value)?) {
                    true => self.block(then, value, text)?,
                    false => self.block(otherwise, value, text)?,
                },
                Node::With(term, then, otherwise) => {
                    let inner = self.evaluated(term, value)?;
                    match is_true(&inner) {
                        true => self.block(then, &inner, text)?,
                        false => self.block(otherwise, value, text)?,
                    }
                }
                Node::Range(each, nodes, otherwise) => {
                    let members = members(&self.evaluated(&each.term, value)?)?;
                    if members.is_empty() {
                        self.block(otherwise, value, text)?;
                    }
                    for (key, member) in members {
                        let outer = self.variables.len();
                        let key = each.key.as_deref().map(|name| (name, key));
                        let of_member = each.member.as_deref().map(|name| (name, member.clone()));
                        self.variables.extend(key.into_iter().chain(of_member));
                        let printed = self.print(nodes, &member, text);
                        self.variables.truncate(outer);
                        printed?;
                    }
                }
            }
        }
        Ok(())
    }

    fn evaluated(&self, term: &Term, value: &Value) -> Result<Value, String> {
        let within = |value: &Value, path: &[String]| {
            path.iter()
                .try_fold(value, |value, name| field(value, name))
                .cloned()
        };
        match term {
            Term::Literal(literal) => Ok(literal.clone()),
            Term::Field(path) => within(value, path),
            Term::Variable(name, path) if name.is_empty() => within(self.whole, path),
            Term::Variable(name, path) => {
                let mut variables = self.variables.iter().rev();
                let found = variables.find(|(other, _)| other == name);
                let (_, value) = found.ok_or_else(|| format!("there is no variable ${name}"))?;
                within(value, path)
            }
            Term::Call(function, terms) => {
                let values = terms.iter().map(|term| self.evaluated(term, value));
                bounded(call(*function, &values.collect::<Result<Vec<_>, _>>()?)?)
            }
        }
    }
}

/// Looks whether the fields that these parts name are in a value. What those have in turn is not looked at.
pub(super) fn check(nodes: &[Node], value: &Value) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Print(term) | Node::Set(_, term) => check_term(term, value)?,
            Node::If(term, then, otherwise) => {
                check_term(term, value)?;
                check(then, value)?;
                check(otherwise, value)?;
            }
            // Within it, another value is meant.
            Node::With(term, _, otherwise) => {
                check_term(term, value)?;
                check(otherwise, value)?;
            }
            // Each member is another value.
            Node::Range(each, _, otherwise) => {
                check_term(&each.term, value)?;
                check(otherwise, value)?;
            }
        }
    }
    Ok(())
}

fn check_term(term: &Term, value: &Value) -> Result<(), String> {
    match term {
        Term::Literal(_) | Term::Variable(..) => Ok(()),
        Term::Field(path) => path
            .first()
            .map_or(Ok(()), |name| field(value, name).map(|_| ())),
        Term::Call(_, terms) => terms.iter().try_for_each(|term| check_term(term, value)),
    }
}

/// A member by its name: as it is written, or else in another spelling (`ExitCode` for `exit-code`).
fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    let Value::Object(members) = value else {
        return Err(format!("there is no field {name} in {}", kind(value)));
    };
    if let Some(value) = members.get(name) {
        return Ok(value);
    }
    let wanted = spelling(name);
    let found = members.iter().find(|(other, _)| spelling(other) == wanted);
    found.map(|(_, value)| value).ok_or_else(|| {
        if members.is_empty() {
            return format!("there is no field {name}: nothing is there");
        }
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        format!("there is no field {name}; there are {}", names.join(", "))
    })
}

fn spelling(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_'));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The largest text that a value of a template may be, and that it may print: more than anybody reads, less than a machine has.
const TEXT_MAX: usize = 64 << 20;

fn bounded(value: Value) -> Result<Value, String> {
    match &value {
        Value::String(text) => fits(text.len()).map(|()| value),
        _ => Ok(value),
    }
}

fn fits(length: usize) -> Result<(), String> {
    match length > TEXT_MAX {
        true => Err(format!(
            "it makes a text of more than {} MiB",
            TEXT_MAX >> 20
        )),
        false => Ok(()),
    }
}

fn call(function: Function, values: &[Value]) -> Result<Value, String> {
    match (function, values) {
        (Function::Json, [value]) => Ok(value.to_string().into()),
        (Function::Upper, [value]) => Ok(shown(value).to_uppercase().into()),
        (Function::Lower, [value]) => Ok(shown(value).to_lowercase().into()),
        (Function::Not, [value]) => Ok((!is_true(value)).into()),
        (Function::Len, [value]) => match value {
            Value::String(text) => Ok(text.len().into()),
            Value::Array(_) | Value::Object(_) | Value::Null => Ok(members(value)?.len().into()),
            other => Err(format!("len is not for {}", kind(other))),
        },
        (Function::Join, [list, between]) => {
            let members = members(list)?;
            let words: Vec<String> = members.iter().map(|(_, word)| shown(word)).collect();
            Ok(words.join(&shown(between)).into())
        }
        (Function::Index, [value, keys @ ..]) => keys.iter().try_fold(value.clone(), indexed),
        (Function::Equal, [value, others @ ..]) if !others.is_empty() => {
            Ok(others.contains(value).into())
        }
        // As Go has it: the first that decides, or the last.
        (Function::And, [values @ .., last]) => {
            let decides = values.iter().find(|value| !is_true(value));
            Ok(decides.unwrap_or(last).clone())
        }
        (Function::Or, [values @ .., last]) => {
            let decides = values.iter().find(|value| is_true(value));
            Ok(decides.unwrap_or(last).clone())
        }
        (Function::Split, [text, between]) => {
            let (text, between) = (shown(text), shown(between));
            Ok(text.split(&between).map(Value::from).collect())
        }
        (Function::Print, values) => Ok(values.iter().map(shown).collect::<String>().into()),
        (Function::PrintLine, values) => {
            let words: Vec<String> = values.iter().map(shown).collect();
            Ok(format!("{}\n", words.join(" ")).into())
        }
        (Function::NotEqual, [one, other]) => Ok((one != other).into()),
        _ => Err("a function has too few values, or too many".to_owned()),
    }
}

fn indexed(value: Value, key: &Value) -> Result<Value, String> {
    match (&value, key) {
        (Value::Array(list), Value::Number(number)) => number
            .as_u64()
            .and_then(|at| list.get(usize::try_from(at).ok()?).cloned())
            .ok_or_else(|| format!("there is no member {number} in a list of {}", list.len())),
        // As Go does: what a map doesn't have is nothing.
        (Value::Object(members), Value::String(name)) => Ok(match members.get(name) {
            Some(member) => member.clone(),
            None => field(&value, name)
                .cloned()
                .unwrap_or(Value::String(String::new())),
        }),
        _ => Err(format!("{key} is no member of {}", kind(&value))),
    }
}

/// Each with its place or its name.
fn members(value: &Value) -> Result<Vec<(Value, Value)>, String> {
    match value {
        Value::Array(list) => {
            let places = (0_u64..).map(Value::from);
            Ok(places.zip(list.iter().cloned()).collect())
        }
        Value::Object(members) => {
            let named = members.iter();
            Ok(named
                .map(|(name, member)| (Value::from(name.as_str()), member.clone()))
                .collect())
        }
        Value::Null => Ok(Vec::new()),
        other => Err(format!("{} has no members", kind(other))),
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        value => in_go(value),
    }
}

/// As Go shows it: lists as `[a b]`, and what has names as `map[name:value]`.
fn in_go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let members: Vec<String> = list.iter().map(in_go).collect();
            format!("[{}]", members.join(" "))
        }
        Value::Object(members) => {
            let named = members.iter();
            let members: Vec<String> = named
                .map(|(name, member)| format!("{name}:{}", in_go(member)))
                .collect();
            format!("map[{}]", members.join(" "))
        }
        other => other.to_string(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
