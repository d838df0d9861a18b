//! What a user can do about an image that the policy refuses.

use std::path::Path;

use image_name::{Digest, Prefix, Reference};
use trust::{Demand, Flaw, Refusal, RefusedImage, RuleId};

/// Where the command of a line ends and its explanation begins: what is pasted into a shell whole
/// does the same.
pub const NOTE: &str = "  # ";

/// From where an image was to come.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The store, or the registry that its name says.
    Name,
    /// The same, where nobody types the command that runs it: nothing runs once.
    Node,
    /// A directory or archive, which commands take for a name.
    Place(&'a str),
    /// As by name, and by this command, which only brings it into the store: its words after the program's name.
    Pull(&'a str),
    /// A command was to bring it into the store: its words after the program's name.
    Import(&'a str),
}

/// What would allow the image, a line each: commands that can be copied (with the user's own key
/// files for `KEY` and `KEY.pub`), or the file to edit where there is no command.
///
/// To go without verification is offered only where no rule speaks of the image: who wrote a rule
/// meant it.
pub fn advice(refusal: &Refusal, origin: Origin<'_>) -> Vec<String> {
    let sign = |reference: &str| sign(reference, origin);
    match refusal {
        Refusal::NoRule {
            image,
            signed,
            elsewhere,
        } => no_rule(image, origin, *signed, elsewhere.as_deref()),
        // The message names the rule and its file. There is no way around it.
        Refusal::Rejected { rule, .. } => vec![format!(
            "the rule {:?} is in {}: to be changed there, by whoever keeps it",
            rule.prefix().as_str(),
            rule.place()
        )],
        // Whoever has such a key needs another.
        Refusal::Unsigned { demand } | Refusal::NotEnough { demand, .. }
            if !demand.unfit.is_empty() && !of_command_line(&demand.rule) =>
        {
            vec![
                sign(&demand.image.reference),
                add_key(demand, Some("a key that counts")),
            ]
        }
        Refusal::Unsigned { demand } | Refusal::NotEnough { demand, .. } => {
            vec![sign(&demand.image.reference)]
        }
        // Whose signature to trust is the user's to decide: either is enough.
        Refusal::WrongKey { demand, .. } if of_command_line(&demand.rule) => {
            vec![sign(&demand.image.reference)]
        }
        Refusal::WrongKey { demand, .. } => vec![
            sign(&demand.image.reference),
            format!("or {}", add_key(demand, None)),
        ],
        Refusal::WrongSignature { demand, flaw, .. } => wrong_signature(demand, flaw, origin),
        Refusal::RolledBack { demand, .. } => vec![
            format!(
                "fairing fetch {}{NOTE}what its registry has now",
                shell_word(&demand.image.reference)
            ),
            format!(
                "{}{NOTE}to go back on purpose, sign it again",
                sign(&demand.image.reference)
            ),
        ],
        Refusal::NotAttested {
            demand,
            predicate_type,
            ..
        } => vec![format!(
            "fairing image sign --key KEY --attest FILE --type {} {}",
            shell_word(predicate_type),
            shell_word(&demand.image.reference)
        )],
        Refusal::Unsupported { rule, .. } => {
            vec![format!(
                "change {:?} in {}",
                rule.prefix().as_str(),
                rule.place()
            )]
        }
        Refusal::DigestNotListed {
            image,
            manifest,
            rule,
        } => digest_not_listed(&image.reference, manifest, origin, rule),
        Refusal::BrokenKey { rule, position, .. } => vec![format!(
            "replace or remove key {position} of rule {:?} in {}",
            rule.prefix().as_str(),
            rule.place()
        )],
        Refusal::BrokenChain { image, .. } => {
            vec![format!("fairing fetch {}", shell_word(&image.reference))]
        }
        // By any of its names it would run: that which is wanted most.
        Refusal::ByEveryName { first, .. } => advice(first, origin),
        _ => Vec::new(),
    }
}

/// What a rule is said to be in that a command makes of keys that it was given: no other rule counts then.
pub const COMMAND_LINE: &str = "the command line";

fn of_command_line(rule: &RuleId) -> bool {
    rule.file() == Path::new(COMMAND_LINE)
}

/// What lets an image run of which no rule speaks.
fn no_rule(
    image: &RefusedImage,
    origin: Origin<'_>,
    signed: bool,
    elsewhere: Option<&RuleId>,
) -> Vec<String> {
    let (reference, repository) = (image.reference.as_str(), &image.repository);
    let mut lines = Vec::new();
    if let (Some(namespace), Some(rule)) = (&image.kubernetes_namespace, elsewhere) {
        lines.push(format!(
            "add {:?} to kubernetes-namespaces of rule {:?} in {}",
            shown(namespace),
            rule.prefix().as_str(),
            rule.place()
        ));
    }
    lines.push(allow(reference, origin));
    if signed {
        let add = trust_add(&Prefix::from(repository));
        lines.push(format!("{add}{NOTE}trusts its publisher's key"));
    } else if matches!(origin, Origin::Name | Origin::Node | Origin::Pull(_)) {
        let sign = sign(reference, origin);
        lines.push(format!("{sign}{NOTE}signs it, if it is yours"));
    }
    if let Origin::Import(command) = origin {
        lines.push(bring_once(command));
    }
    lines.push(match origin {
        Origin::Node => return lines,
        Origin::Name => run_once(reference),
        Origin::Pull(command) => bring_once(command),
        Origin::Place(place) => run_once(place),
        // What is brought in is there to stay.
        Origin::Import(_) => format!(
            "fairing trust allow --unsigned {}{NOTE}every image of that name, whoever made it",
            shell_word(Prefix::from(repository).as_str())
        ),
    });
    lines
}

/// The same command once more, for what is then judged at each start.
fn bring_once(command: &str) -> String {
    format!(
        "{}{NOTE}into the store alone, without verification",
        unverified(command)
    )
}

fn run_once(image: &str) -> String {
    format!(
        "fairing run --insecure-options=image {}{NOTE}once, without verification",
        shell_word(image)
    )
}

/// The digest itself is named: the store may have an earlier one by that name, which is pinned already.
fn digest_not_listed(
    reference: &str,
    manifest: &Digest,
    origin: Origin<'_>,
    rule: &RuleId,
) -> Vec<String> {
    let name = reference.parse().ok();
    // Commands leave rules for namespaces alone, and one for all would not decide.
    let is_own = |name: &Reference| {
        Prefix::from(name.repository()) == *rule.prefix() && rule.kubernetes_namespaces().is_empty()
    };
    let own = name.filter(is_own);
    match (own, origin) {
        (Some(name), Origin::Name | Origin::Node | Origin::Pull(_)) => {
            let pinned = format!("{}@{manifest}", name.repository());
            vec![format!(
                "fairing trust allow {}{NOTE}pins that digest, too",
                shell_word(&pinned)
            )]
        }
        (Some(_), Origin::Place(_) | Origin::Import(_)) => vec![allow(reference, origin)],
        (None, _) => vec![format!("add its digest to those in {}", rule.place())],
    }
}

fn wrong_signature(demand: &Demand, flaw: &Flaw, origin: Origin<'_>) -> Vec<String> {
    let sign = |reference: &str| sign(reference, origin);
    match flaw {
        // The same key would not do: another one must sign, and be trusted if it isn't yet.
        Flaw::Unfit(_) => vec![
            sign(&demand.image.reference),
            add_key(demand, Some("if that key is new")),
        ],
        Flaw::Future { .. } => vec![
            format!("date{NOTE}is this machine's clock right?"),
            format!("else {}", sign(&demand.image.reference)),
        ],
        _ => vec![sign(&demand.image.reference)],
    }
}

/// How a key comes to count: by a command, or in the file of a rule for some namespaces, which commands leave alone.
fn add_key(demand: &Demand, why: Option<&str>) -> String {
    let rule = &demand.rule;
    let how = match rule.kubernetes_namespaces() {
        [] => trust_add(&prefix_to_add(demand)),
        _ => format!(
            "add the key to rule {:?} in {}",
            rule.prefix().as_str(),
            rule.place()
        ),
    };
    match why {
        Some(why) => format!("{how}{NOTE}{why}"),
        None => how,
    }
}

/// Where a key is best added: to the rule itself, but not to one for all images.
fn prefix_to_add(demand: &Demand) -> Prefix {
    match demand.rule.prefix().is_everything() {
        true => Prefix::from(&demand.image.repository),
        false => demand.rule.prefix().clone(),
    }
}

/// A namespace, which whoever asks could call anything.
fn shown(namespace: &str) -> String {
    const MAX: usize = 63;
    namespace.chars().take(MAX).collect()
}

fn allow(reference: &str, origin: Origin<'_>) -> String {
    let (before, image) = match origin {
        Origin::Name | Origin::Node | Origin::Pull(_) => (String::new(), reference),
        Origin::Place(place) => (String::new(), place),
        // What a command imports gets its name from that command: it can be pinned once it is there.
        Origin::Import(command) => (format!("{} && ", unverified(command)), reference),
    };
    format!(
        "{before}fairing trust allow {}{NOTE}pins the digest that it has today",
        shell_word(image)
    )
}

/// The same command, without verification.
fn unverified(command: &str) -> String {
    format!("fairing --insecure-options=image {command}")
}

fn trust_add(prefix: &Prefix) -> String {
    format!(
        "fairing trust add --prefix {} KEY.pub",
        shell_word(prefix.as_str())
    )
}

fn sign(reference: &str, origin: Origin<'_>) -> String {
    let reference = shell_word(reference);
    // What is in no registry is signed in the store.
    let before = match origin {
        Origin::Name | Origin::Node | Origin::Pull(_) => {
            return format!("fairing image sign --key KEY {reference}");
        }
        Origin::Place(place) => unverified(&format!("fetch {}", shell_word(place))),
        Origin::Import(command) => unverified(command),
    };
    format!("{before} && fairing image sign --local --key KEY {reference}")
}

/// Words as a shell takes them.
pub fn shell_words(words: impl IntoIterator<Item = String>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| shell_word(&word)).collect();
    quoted.join(" ")
}

/// Quotes a word for a shell unless it is plain.
pub fn shell_word(word: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@' | b'=' | b',')
    };
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for character in word.chars() {
        match character {
            '\'' => quoted.push_str(r"'\''"),
            control if control.is_control() => quoted.extend(control.escape_default()),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests;
