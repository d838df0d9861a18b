//! What templates make of values.

use serde_json::Value;

use super::tree::{Function, Node, Term};

/// Appends what these parts make of a value.
pub(super) fn print(nodes: &[Node], value: &Value, text: &mut String) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(plain) => text.push_str(plain),
            Node::Print(term) => text.push_str(&shown(&evaluated(term, value)?)),
            Node::If(term, then, otherwise) => match is_true(&evaluated(term, value)?) {
                true => print(then, value, text)?,
                false => print(otherwise, value, text)?,
            },
            Node::Range(term, each, otherwise) => {
                let members = members(&evaluated(term, value)?)?;
                if members.is_empty() {
                    print(otherwise, value, text)?;
                }
                for member in &members {
                    print(each, member, text)?;
                }
            }
        }
    }
    Ok(())
}

/// Looks whether the fields that these parts name are in a value. What those have in turn is not looked at.
pub(super) fn check(nodes: &[Node], value: &Value) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Print(term) => check_term(term, value)?,
            Node::If(term, then, otherwise) => {
                check_term(term, value)?;
                check(then, value)?;
                check(otherwise, value)?;
            }
            // Each member is another value.
            Node::Range(term, _, otherwise) => {
                check_term(term, value)?;
                check(otherwise, value)?;
            }
        }
    }
    Ok(())
}

fn check_term(term: &Term, value: &Value) -> Result<(), String> {
    match term {
        Term::Literal(_) => Ok(()),
        Term::Field(path) => path
            .first()
            .map_or(Ok(()), |name| field(value, name).map(|_| ())),
        Term::Call(_, terms) => terms.iter().try_for_each(|term| check_term(term, value)),
    }
}

fn evaluated(term: &Term, value: &Value) -> Result<Value, String> {
    match term {
        Term::Literal(literal) => Ok(literal.clone()),
        Term::Field(path) => path
            .iter()
            .try_fold(value, |value, name| field(value, name))
            .cloned(),
        Term::Call(function, terms) => {
            let values = terms.iter().map(|term| evaluated(term, value));
            call(*function, &values.collect::<Result<Vec<_>, _>>()?)
        }
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
            let words: Vec<String> = members(list)?.iter().map(shown).collect();
            Ok(words.join(&shown(between)).into())
        }
        (Function::Index, [value, keys @ ..]) => keys.iter().try_fold(value.clone(), indexed),
        (Function::Equal, [value, others @ ..]) if !others.is_empty() => {
            Ok(others.contains(value).into())
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

fn members(value: &Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(list) => Ok(list.clone()),
        Value::Object(members) => Ok(members.values().cloned().collect()),
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
        Value::String(text) => text.clone(),
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
