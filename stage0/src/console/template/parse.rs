//! The grammar of templates.

use serde_json::Value;

use super::tree::{Each, Function, Node, Term};

/// How deeply things stand in each other at most.
const DEPTH_MAX: usize = 32;
/// How many functions may follow one another.
const PIPES_MAX: usize = 64;

/// A template taken apart: text, and what stands in braces.
enum Piece<'a> {
    Text(&'a str),
    Action(&'a str),
}

/// The parts of a template.
pub(super) fn nodes(text: &str) -> Result<Vec<Node>, String> {
    let pieces = pieces(text)?;
    let mut pieces = pieces.iter();
    let (nodes, end) = block(&mut pieces, &mut Vec::new(), 0)?;
    match end {
        None => Ok(nodes),
        Some(word) => Err(format!(
            "{{{{{word}}}}} without {{{{if}}}} or {{{{range}}}}"
        )),
    }
}

fn pieces(mut text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    while let Some((before, after)) = text.split_once("{{") {
        let (action, rest) = action(after).ok_or("it ends within {{")?;
        let mut before = before;
        let mut inner = action;
        if let Some(trimmed) = inner.strip_prefix("- ").or((inner == "-").then_some("")) {
            before = before.trim_end();
            inner = trimmed;
        }
        text = rest;
        if let Some(trimmed) = inner.strip_suffix(" -") {
            text = rest.trim_start();
            inner = trimmed;
        }
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Action(inner.trim()));
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

/// What stands in braces, and what follows them. Braces in quotes are text.
fn action(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '"' || letter == '`' => quote = Some(letter),
            None => {
                if let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix("}}")) {
                    return Some((text.get(..at)?, rest));
                }
            }
        }
    }
    None
}

/// What stands up to the end of a block, and the word that ends it.
/// `known` are the variables that there are in it, and at its end those that were there before it.
fn block<'a>(
    pieces: &mut std::slice::Iter<'_, Piece<'a>>,
    known: &mut Vec<String>,
    depth: usize,
) -> Result<(Vec<Node>, Option<&'a str>), String> {
    let outer = known.len();
    let parsed = parts(pieces, known, depth);
    known.truncate(outer);
    parsed
}

fn parts<'a>(
    pieces: &mut std::slice::Iter<'_, Piece<'a>>,
    known: &mut Vec<String>,
    depth: usize,
) -> Result<(Vec<Node>, Option<&'a str>), String> {
    if depth > DEPTH_MAX {
        return Err("its blocks are nested too deeply".to_owned());
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let action = match piece {
            Piece::Text("") => continue,
            Piece::Text(text) => {
                nodes.push(Node::Text((*text).to_owned()));
                continue;
            }
            Piece::Action(action) => *action,
        };
        if action.starts_with("/*") {
            continue;
        }
        let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
        match word {
            "end" | "else" => return Ok((nodes, Some(action))),
            "if" | "range" | "with" => nodes.push(branching(pieces, word, rest, known, depth)?),
            _ => match assigned(action)? {
                (names, rest) if names.is_empty() => nodes.push(Node::Print(term(rest, known)?)),
                (names, rest) => {
                    let value = term(rest, known)?;
                    let [name] = names.as_slice() else {
                        return Err(format!("{action:?} sets more than one variable"));
                    };
                    known.push(name.clone());
                    nodes.push(Node::Set(name.clone(), value));
                }
            },
        }
    }
    Ok((nodes, None))
}

/// The block that begins with one of these words, up to its end.
fn branching(
    pieces: &mut std::slice::Iter<'_, Piece<'_>>,
    word: &str,
    rest: &str,
    known: &mut Vec<String>,
    depth: usize,
) -> Result<Node, String> {
    let outer = known.len();
    let (names, rest) = assigned(rest)?;
    let term = term(rest, known)?;
    known.extend(names.iter().cloned());
    let branches = branches(pieces, word, known, depth);
    known.truncate(outer);
    let (then, otherwise) = branches?;
    Ok(match (word, names.as_slice()) {
        ("range", names) => {
            let (key, member) = match names {
                [] => (None, None),
                [member] => (None, Some(member.clone())),
                [key, member] => (Some(key.clone()), Some(member.clone())),
                names => {
                    let names: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
                    return Err(format!(
                        "range has two variables at most, not {}",
                        names.join(", ")
                    ));
                }
            };
            Node::Range(Each { term, key, member }, then, otherwise)
        }
        ("if", []) => Node::If(term, then, otherwise),
        ("with", []) => Node::With(term, then, otherwise),
        (word, _) => {
            return Err(format!(
                "variables of {word} are not there yet in templates"
            ));
        }
    })
}

fn branches(
    pieces: &mut std::slice::Iter<'_, Piece<'_>>,
    word: &str,
    known: &mut Vec<String>,
    depth: usize,
) -> Result<(Vec<Node>, Vec<Node>), String> {
    let missing = || format!("{{{{end}}}} is missing after {{{{{word} …}}}}");
    let (then, end) = block(pieces, known, depth + 1)?;
    let otherwise = match end {
        Some("end") => Vec::new(),
        Some("else") => match block(pieces, known, depth + 1)? {
            (otherwise, Some("end")) => otherwise,
            _ => return Err(missing()),
        },
        // Both end with the same word.
        Some(other) => match other.strip_prefix("else if ") {
            Some(rest) if depth < DEPTH_MAX => {
                vec![branching(pieces, "if", rest, known, depth + 1)?]
            }
            Some(_) => return Err("its blocks are nested too deeply".to_owned()),
            None => return Err(format!("{{{{{other}}}}} is not there yet in templates")),
        },
        None => return Err(missing()),
    };
    Ok((then, otherwise))
}

/// The variables that get a value, without their dollars, and the rest.
fn assigned(text: &str) -> Result<(Vec<String>, &str), String> {
    let Some((before, rest)) = text.split_once(":=").filter(|_| text.starts_with('$')) else {
        return Ok((Vec::new(), text));
    };
    let names = before.split(',').map(|name| {
        let name = name.trim();
        let letters = name.strip_prefix('$').filter(|letters| {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !letters.is_empty() && letters.chars().all(is_letter)
        });
        letters
            .map(str::to_owned)
            .ok_or_else(|| format!("{name:?} is no variable"))
    });
    Ok((names.collect::<Result<_, _>>()?, rest))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Literal(Value),
    Word(String),
    Open,
    Close,
    Pipe,
}

/// A term with what its value is passed on to: `.Labels | json`.
fn term(text: &str, known: &[String]) -> Result<Term, String> {
    let tokens = tokens(text)?;
    for token in &tokens {
        if let Token::Variable(name, _) = token
            && !name.is_empty()
            && !known.contains(name)
        {
            return Err(format!("there is no variable ${name}"));
        }
    }
    let mut rest = tokens.as_slice();
    let term = pipeline(&mut rest, 0)?;
    match rest {
        [] => Ok(term),
        _ => Err(format!("{text:?} has a parenthesis too many")),
    }
}

fn pipeline(rest: &mut &[Token], depth: usize) -> Result<Term, String> {
    if depth > DEPTH_MAX {
        return Err("its parentheses are nested too deeply".to_owned());
    }
    let mut passed = None;
    for _ in 0..PIPES_MAX {
        let term = command(rest, passed.take(), depth)?;
        match rest.split_first() {
            Some((Token::Pipe, after)) => {
                *rest = after;
                passed = Some(term);
            }
            _ => return Ok(term),
        }
    }
    Err("it has too many pipes".to_owned())
}

/// A value, or a function with what it is of.
fn command(rest: &mut &[Token], passed: Option<Term>, depth: usize) -> Result<Term, String> {
    let mut function = None;
    let mut terms = Vec::new();
    while let Some((token, after)) = rest.split_first() {
        match token {
            Token::Pipe | Token::Close => break,
            Token::Word(word) if function.is_none() && terms.is_empty() => {
                *rest = after;
                function = Some(named(word)?);
            }
            Token::Word(word) => return Err(format!("{word:?} is not understood there")),
            Token::Field(path) => {
                *rest = after;
                terms.push(Term::Field(path.clone()));
            }
            Token::Variable(name, path) => {
                *rest = after;
                terms.push(Term::Variable(name.clone(), path.clone()));
            }
            Token::Literal(value) => {
                *rest = after;
                terms.push(Term::Literal(value.clone()));
            }
            Token::Open => {
                *rest = after;
                let inner = pipeline(rest, depth + 1)?;
                let Some((Token::Close, after)) = rest.split_first() else {
                    return Err("a parenthesis is not closed".to_owned());
                };
                *rest = after;
                terms.push(match rest.split_first() {
                    // A field of what stands in the parentheses.
                    Some((Token::Field(path), after)) => {
                        *rest = after;
                        let names = path
                            .iter()
                            .cloned()
                            .map(|n| Term::Literal(Value::String(n)));
                        Term::Call(Function::Index, [inner].into_iter().chain(names).collect())
                    }
                    _ => inner,
                });
            }
        }
    }
    terms.extend(passed);
    match (function, terms.pop()) {
        (Some(function), last) => {
            terms.extend(last);
            Ok(Term::Call(function, terms))
        }
        (None, None) => Err("nothing stands in {{}}".to_owned()),
        (None, Some(only)) if terms.is_empty() => Ok(only),
        (None, Some(key)) => labelled(&terms, key),
    }
}

/// `.Label "tier"`, as the lists of docker and podman have it.
fn labelled(terms: &[Term], key: Term) -> Result<Term, String> {
    match terms {
        [Term::Field(path)] if path.len() == 1 && path.iter().all(|name| name == "Label") => {
            let labels = Term::Field(vec!["Labels".to_owned()]);
            Ok(Term::Call(Function::Index, vec![labels, key]))
        }
        _ => Err("values stand beside each other without a function".to_owned()),
    }
}

fn named(word: &str) -> Result<Function, String> {
    Ok(match word {
        "json" => Function::Json,
        "upper" => Function::Upper,
        "lower" => Function::Lower,
        "len" => Function::Len,
        "join" => Function::Join,
        "index" => Function::Index,
        "eq" => Function::Equal,
        "ne" => Function::NotEqual,
        "not" => Function::Not,
        "and" => Function::And,
        "or" => Function::Or,
        "split" => Function::Split,
        "print" => Function::Print,
        "println" => Function::PrintLine,
        other => return Err(format!("{other} is not there yet in templates")),
    })
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '(' | ')' | '|' => {
                rest = rest.get(1..).unwrap_or_default();
                match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Pipe,
                }
            }
            '"' => {
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                let value = values.next().and_then(Result::ok);
                let value = value.ok_or("a quote is not closed")?;
                rest = rest.get(values.byte_offset()..).unwrap_or_default();
                Token::Literal(value)
            }
            '`' => {
                let inner = rest.get(1..).and_then(|rest| rest.split_once('`'));
                let (text, after) = inner.ok_or("a quote is not closed")?;
                rest = after;
                Token::Literal(text.into())
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || "()|\"`".contains(c);
                let (word, after) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
                rest = after;
                plain(word)
            }
        };
        tokens.push(token);
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn plain(word: &str) -> Token {
    if let Some(path) = word.strip_prefix('.') {
        let names = path.split('.').filter(|name| !name.is_empty());
        return Token::Field(names.map(str::to_owned).collect());
    }
    if let Some(variable) = word.strip_prefix('$') {
        let mut names = variable.split('.').map(str::to_owned);
        let name = names.next().unwrap_or_default();
        return Token::Variable(name, names.filter(|name| !name.is_empty()).collect());
    }
    match (word, word.parse::<i64>()) {
        (_, Ok(number)) => Token::Literal(number.into()),
        ("true", _) => Token::Literal(true.into()),
        ("false", _) => Token::Literal(false.into()),
        (word, Err(_)) => Token::Word(word.to_owned()),
    }
}
