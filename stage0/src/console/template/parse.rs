//! The grammar of templates.

use serde_json::Value;

use super::tree::{Function, Node, Term};

/// How deeply things stand in each other at most.
const DEPTH_MAX: usize = 32;

/// A template taken apart: text, and what stands in braces.
enum Piece<'a> {
    Text(&'a str),
    Action(&'a str),
}

/// The parts of a template.
pub(super) fn nodes(text: &str) -> Result<Vec<Node>, String> {
    let pieces = pieces(text)?;
    let mut pieces = pieces.iter();
    let (nodes, end) = block(&mut pieces, 0)?;
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
fn block<'a>(
    pieces: &mut std::slice::Iter<'_, Piece<'a>>,
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
            "if" | "range" => {
                let term = term(rest)?;
                let (then, otherwise) = branches(pieces, word, depth)?;
                nodes.push(match word {
                    "if" => Node::If(term, then, otherwise),
                    _ => Node::Range(term, then, otherwise),
                });
            }
            _ => nodes.push(Node::Print(term(action)?)),
        }
    }
    Ok((nodes, None))
}

fn branches(
    pieces: &mut std::slice::Iter<'_, Piece<'_>>,
    word: &str,
    depth: usize,
) -> Result<(Vec<Node>, Vec<Node>), String> {
    let missing = || format!("{{{{end}}}} is missing after {{{{{word} …}}}}");
    let (then, end) = block(pieces, depth + 1)?;
    let otherwise = match end {
        Some("end") => Vec::new(),
        Some("else") => match block(pieces, depth + 1)? {
            (otherwise, Some("end")) => otherwise,
            _ => return Err(missing()),
        },
        Some(other) => return Err(format!("{{{{{other}}}}} is not there yet in templates")),
        None => return Err(missing()),
    };
    Ok((then, otherwise))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Field(Vec<String>),
    Literal(Value),
    Word(String),
    Open,
    Close,
    Pipe,
}

/// A term with what its value is passed on to: `.Labels | json`.
fn term(text: &str) -> Result<Term, String> {
    let tokens = tokens(text)?;
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
    loop {
        let term = command(rest, passed.take(), depth)?;
        match rest.split_first() {
            Some((Token::Pipe, after)) => {
                *rest = after;
                passed = Some(term);
            }
            _ => return Ok(term),
        }
    }
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
        (None, Some(_)) => Err("values stand beside each other without a function".to_owned()),
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
    match (word, word.parse::<i64>()) {
        (_, Ok(number)) => Token::Literal(number.into()),
        ("true", _) => Token::Literal(true.into()),
        ("false", _) => Token::Literal(false.into()),
        (word, Err(_)) => Token::Word(word.to_owned()),
    }
}
