//! Demands for attestations, as policy files write them.
//!
//! ```toml
//! [[rule.attestation]]
//! type = "https://slsa.dev/provenance/v1"
//! keys = ["…"]                              # if not the keys of the rule
//! [[rule.attestation.condition]]
//! field = "predicate.runDetails.builder.id"
//! one-of = ["https://ci.example.com/builder"]
//! ```

use serde::Deserialize;
use serde_json::Number;

use crate::condition::{Condition, Field, Scalar, Since, Test};
use crate::key_text::KeyText;
use crate::one_line;
use crate::rule::{AttestationDemand, RuleError};
use crate::statement::{SIGNATURE_TYPE, predicate_type};
use crate::toml_string::basic_string;

/// An attestation as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileAttestation {
    r#type: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    condition: Vec<FileCondition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileCondition {
    field: String,
    equals: Option<toml::Value>,
    one_of: Option<Vec<toml::Value>>,
    present: Option<bool>,
    at_most: Option<toml::Value>,
    newer_than: Option<toml::Value>,
}

impl FileAttestation {
    pub(crate) fn read(self) -> Result<AttestationDemand, RuleError> {
        let error = |reason: String| RuleError::Attestation {
            predicate_type: one_line::quoted(&self.r#type),
            reason,
        };
        let predicate_type = predicate_type(&self.r#type).unwrap_or(&self.r#type);
        if !predicate_type.contains(':') {
            return Err(error("its type is not a URI".to_owned()));
        }
        if predicate_type == SIGNATURE_TYPE {
            return Err(error("that is the type of signatures".to_owned()));
        }
        let conditions = self.condition.iter().map(FileCondition::read);
        Ok(AttestationDemand {
            predicate_type: predicate_type.to_owned(),
            keys: self.keys.iter().map(|key| KeyText::new(key)).collect(),
            conditions: conditions.collect::<Result<_, _>>().map_err(error)?,
        })
    }
}

impl FileCondition {
    fn read(&self) -> Result<Condition, String> {
        let field = Field::parse(&self.field)?;
        let mut tests = Vec::with_capacity(1);
        if let Some(value) = &self.equals {
            tests.push(Test::Equals(scalar(value)?));
        }
        if let Some(values) = &self.one_of {
            if values.is_empty() {
                return Err("one-of lists nothing".to_owned());
            }
            tests.push(Test::OneOf(
                values.iter().map(scalar).collect::<Result<_, _>>()?,
            ));
        }
        tests.extend(self.present.map(Test::Present));
        if let Some(value) = &self.at_most {
            match scalar(value)? {
                Scalar::Number(limit) => tests.push(Test::AtMost(limit)),
                _ => return Err("at-most needs a number".to_owned()),
            }
        }
        if let Some(value) = &self.newer_than {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Datetime(time) => time.to_string(),
                _ => return Err("newer-than needs an age such as \"7d\" or a time".to_owned()),
            };
            tests.push(Test::NewerThan(Since::parse(&text)?));
        }
        let mut tests = tests.into_iter();
        match (tests.next(), tests.next()) {
            (Some(test), None) => Ok(Condition { field, test }),
            _ => Err(format!(
                "the condition on {} needs one of equals, one-of, present, at-most and newer-than",
                one_line::quoted(&self.field)
            )),
        }
    }
}

fn scalar(value: &toml::Value) -> Result<Scalar, String> {
    Ok(match value {
        toml::Value::String(text) => Scalar::Text(text.clone()),
        toml::Value::Integer(number) => Scalar::Number((*number).into()),
        toml::Value::Float(number) => {
            Scalar::Number(Number::from_f64(*number).ok_or("not a finite number")?)
        }
        toml::Value::Boolean(value) => Scalar::Bool(*value),
        toml::Value::Datetime(time) => Scalar::Text(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => {
            return Err("only strings, numbers and booleans can be compared".to_owned());
        }
    })
}

/// Renders a demand as a TOML inline table, in one line: so it stands before the end of its rule, and a
/// torn file can't lose it.
pub(crate) fn render(demand: &AttestationDemand) -> String {
    let mut text = format!("{{ type = {}", basic_string(&demand.predicate_type));
    if !demand.keys.is_empty() {
        let keys = demand.keys.iter().map(|key| basic_string(key.as_str()));
        text.push_str(&format!(
            ", keys = [{}]",
            keys.collect::<Vec<_>>().join(", ")
        ));
    }
    if !demand.conditions.is_empty() {
        let conditions: Vec<_> = demand.conditions.iter().map(render_condition).collect();
        text.push_str(&format!(", condition = [{}]", conditions.join(", ")));
    }
    text.push_str(" }");
    text
}

fn render_condition(condition: &Condition) -> String {
    let test = match &condition.test {
        Test::Equals(value) => format!("equals = {}", render_scalar(value)),
        Test::OneOf(values) => {
            let values: Vec<_> = values.iter().map(render_scalar).collect();
            format!("one-of = [{}]", values.join(", "))
        }
        Test::Present(wanted) => format!("present = {wanted}"),
        Test::AtMost(limit) => format!("at-most = {limit}"),
        Test::NewerThan(since) => format!("newer-than = \"{since}\""),
    };
    let field = basic_string(condition.field.as_str());
    format!("{{ field = {field}, {test} }}")
}

fn render_scalar(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => basic_string(text),
        Scalar::Number(number) => number.to_string(),
        Scalar::Bool(value) => value.to_string(),
    }
}
