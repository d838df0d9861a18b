//! Templates of `--format`, in the part of Go's language that scripts use: fields, variables, `json` and a few functions
//! more, `if`, `with` and `range`.

mod evaluate;
mod parse;
mod tree;

use serde_json::Value;

use self::tree::{Node, Term};

/// A template that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Node>);

impl Template {
    /// Parses a template. `\t` and `\n` stand for what they mean, since shells pass them on as they are.
    ///
    /// # Errors
    /// What is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        parse::nodes(&text).map(Self)
    }

    /// What it makes of a value.
    ///
    /// # Errors
    /// If it names what the value doesn't have.
    pub(crate) fn render(&self, value: &Value) -> Result<String, String> {
        let mut text = String::new();
        evaluate::Scope::new(value).print(&self.0, value, &mut text)?;
        Ok(text)
    }

    /// Looks whether it names only what `value` has, whatever that holds.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        evaluate::check(&self.0, value)
    }

    /// What it makes of the names of its fields: the heading of a table.
    pub(crate) fn heading(&self) -> String {
        let word = |node: &Node| match node {
            Node::Text(text) => text.clone(),
            Node::Print(term) => title(term),
            Node::If(..) | Node::With(..) | Node::Range(..) | Node::Set(..) => String::new(),
        };
        self.0.iter().map(word).collect()
    }
}

/// `RunningFor` as a heading: `RUNNING FOR`.
fn title(term: &Term) -> String {
    let name = match term {
        Term::Field(path) | Term::Variable(_, path) => path.last(),
        Term::Call(_, terms) => return terms.first().map_or(String::new(), title),
        Term::Literal(_) => None,
    };
    // What is no word is called as docker calls it.
    let usual = [
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("ImageID", "IMAGE ID"),
    ];
    if let Some((_, heading)) = usual
        .iter()
        .find(|(field, _)| name.is_some_and(|n| n == field))
    {
        return (*heading).to_owned();
    }
    let mut heading = String::new();
    let mut was_lower = false;
    for letter in name.map_or("", String::as_str).chars() {
        if letter.is_uppercase() && was_lower {
            heading.push(' ');
        }
        was_lower = letter.is_lowercase();
        heading.push(if letter == '-' {
            ' '
        } else {
            letter.to_ascii_uppercase()
        });
    }
    heading
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(template: &str, value: &Value) -> Result<String, String> {
        Template::parse(template)?.render(value)
    }

    fn pod() -> Value {
        json!({
            "ID": "0c2f", "Names": "web", "exit-code": 3, "Labels": {"tier": "front", "a": "b"},
            "networks": [{"name": "lan", "ip": "10.0.0.2"}, {"name": "wan", "ip": "10.1.0.2"}],
            "none": null, "up": true, "words": ["a", "b", null],
        })
    }

    #[test]
    fn templates_show_what_they_name() {
        for (template, text) in [
            ("{{.ID}}\\t{{ .Names }}", "0c2f\tweb"),
            ("{{.ExitCode}} {{.exit_code}}", "3 3"),
            ("{{.Labels.tier}}", "front"),
            ("{{json .Labels}}", r#"{"a":"b","tier":"front"}"#),
            ("{{.Labels | json}}", r#"{"a":"b","tier":"front"}"#),
            ("{{.none}}", "<no value>"),
            ("{{upper .Names}} {{len .Names}}", "WEB 3"),
            ("{{index .Labels \"tier\"}}", "front"),
            ("{{(index .networks 1).ip}}", "10.1.0.2"),
            ("{{range .networks}}{{.name}} {{end}}", "lan wan "),
            ("{{range .Labels}}{{.}},{{end}}", "b,front,"),
            (
                "{{range $i, $n := .networks}}{{$i}}{{$n.name}} {{$.ID}} {{end}}",
                "0lan 0c2f 1wan 0c2f ",
            ),
            (
                "{{range $n := .networks}}{{with $n}}{{.ip}}{{end}} {{end}}",
                "10.0.0.2 10.1.0.2 ",
            ),
            (
                "{{range $k, $v := .Labels}}{{$k}}={{$v}},{{end}}",
                "a=b,tier=front,",
            ),
            (
                "{{$x := .ID}}{{if true}}{{$x := 1}}{{$x}}{{end}}{{$x}}",
                "10c2f",
            ),
            ("{{with .none}}x{{else}}{{.ID}}{{end}}", "0c2f"),
            ("{{if .none}}a{{else if .up}}b{{else}}c{{end}}", "b"),
            ("{{range .networks}}{{println .name}}{{end}}", "lan\nwan\n"),
            ("{{index (split .ID \"c\") 1}}", "2f"),
            ("{{if and .up (or .none .ID)}}both{{end}}", "both"),
            ("{{.Label \"tier\"}}", "front"),
            ("{{.Labels}}", "map[a:b tier:front]"),
            (
                "{{.words}} {{json .words}}",
                "[a b <nil>] [\"a\",\"b\",null]",
            ),
            ("{{if .up}}yes{{else}}no{{end}}", "yes"),
            ("{{if .none}}yes{{else}}no{{end}}", "no"),
            ("{{if eq .Names \"web\"}}it{{end}}", "it"),
            ("{{if not (ne .ExitCode 3)}}three{{end}}", "three"),
            ("{{\"}}\"}}", "}}"),
            ("a {{- .ID -}} b", "a0c2fb"),
            ("{{/* nothing */}}", ""),
            ("plain", "plain"),
        ] {
            assert_eq!(made(template, &pod()).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_a_template_gets_wrong_is_said() {
        for (template, part) in [
            ("{{.Nmae}}", "no field Nmae"),
            ("{{.Names.x}}", "no field x"),
            ("{{.ID", "ends within {{"),
            ("{{frob .ID}}", "frob"),
            ("{{if .ID}}", "{{end}} is missing"),
            ("{{end}}", "{{end}} without"),
            ("{{}}", "nothing stands in {{}}"),
            ("{{(.ID}}", "parenthesis"),
            ("{{len .up}}", "len"),
            ("{{index .networks 7}}", "7"),
            ("{{$x}}", "there is no variable $x"),
            (
                "{{if .up}}{{$x := 1}}{{end}}{{$x}}",
                "there is no variable $x",
            ),
            ("{{range $a, $b, $c := .networks}}{{end}}", "$a, $b, $c"),
            ("{{range x := .networks}}{{end}}", "x"),
            ("{{.ID \"x\"}}", "beside each other"),
        ] {
            let error = made(template, &pod()).unwrap_err();
            assert!(error.contains(part), "{template}: {error}");
        }
        for deep in [
            "{{if .up}}".repeat(10_000),
            format!("{{{{{}}}}}", "(".repeat(10_000)),
        ] {
            let error = made(&deep, &pod()).unwrap_err();
            assert!(error.contains("nested too deeply"), "{error}");
        }
        let pipes = |count, function: &str| {
            let piped = format!("|{function}").repeat(count);
            made(&format!("{{{{json .{piped}}}}}"), &pod()).unwrap_err()
        };
        assert_eq!(pipes(10_000, "print"), "it has too many pipes");
        // Each doubles the backslashes.
        assert_eq!(pipes(40, "json"), "it makes a text of more than 64 MiB");
    }

    #[test]
    fn names_are_checked_without_what_they_stand_for() {
        let fields = json!({"ID": null, "Labels": null, "Networks": null});
        for (template, part) in [
            ("{{.ID}} {{.Labels.tier}} {{index .Networks 3}}", None),
            (
                "{{range .Networks}}{{.anything}}{{else}}{{.ID}}{{end}}",
                None,
            ),
            ("{{if .ID}}{{.Labels}}{{else}}plain{{end}}", None),
            ("{{json .}}", None),
            (
                "{{.Foo}}",
                Some("no field Foo; there are ID, Labels, Networks"),
            ),
            ("{{upper (index .Foo 1)}}", Some("no field Foo")),
            ("{{if .ID}}{{else}}{{.Foo}}{{end}}", Some("no field Foo")),
            ("{{range .Foo}}{{end}}", Some("no field Foo")),
            ("{{range .ID}}{{else}}{{.Foo}}{{end}}", Some("no field Foo")),
        ] {
            let checked = Template::parse(template).unwrap().check(&fields);
            match part {
                None => assert_eq!(checked, Ok(()), "{template}"),
                Some(part) => assert!(checked.unwrap_err().contains(part), "{template}"),
            }
        }
    }

    #[test]
    fn headings_are_the_names_of_the_fields() {
        let template = Template::parse("{{.ID}}\t{{.RunningFor}}\t{{json .exit-code}}").unwrap();
        assert_eq!(template.heading(), "ID\tRUNNING FOR\tEXIT CODE");
        let template = Template::parse("{{.CPUPerc}}\t{{.MemUsage}}\t{{.PIDs}}").unwrap();
        assert_eq!(template.heading(), "CPU %\tMEM USAGE / LIMIT\tPIDS");
    }
}
