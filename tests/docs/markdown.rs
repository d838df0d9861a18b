//! As much of Markdown as the documents use.

/// The lines that are not in fenced blocks of code, with their numbers from 1 on.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What stands between backticks.
pub(crate) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The text without what stands between backticks.
pub(crate) fn without_code_spans(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// The anchors of the headings, as GitHub makes them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    prose(text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            other => other.is_alphanumeric().then_some(other),
        })
        .collect()
}

#[test]
fn headings_have_the_anchors_of_github() {
    let text = "# policy.json\n```\n# no heading\n```\n## What `run` gets, and why\n";
    assert_eq!(anchors(text), ["policyjson", "what-run-gets-and-why"]);
}

#[test]
fn code_is_told_from_prose() {
    assert_eq!(code_spans("a `b` c `d`").collect::<Vec<_>>(), ["b", "d"]);
    assert_eq!(without_code_spans("a `b` c"), "a  c");
    let lines: Vec<_> = prose("one\n```sh\ntwo\n```\nthree\n").collect();
    assert_eq!(lines, [(1, "one"), (5, "three")]);
}
