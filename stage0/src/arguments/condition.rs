//! What `wait` waits for, in podman's words.

use engine::pods::condition::Condition;

/// The words, and what each says.
pub(crate) const WORDS: [(&str, Condition); 10] = [
    ("created", Condition::Created),
    ("exited", Condition::Exited),
    ("healthy", Condition::Healthy),
    ("paused", Condition::Paused),
    ("removed", Condition::Removed),
    ("removing", Condition::Removing),
    ("running", Condition::Running),
    ("stopped", Condition::Exited),
    ("stopping", Condition::Stopping),
    ("unhealthy", Condition::Unhealthy),
];

/// A state that a pod or an app can come to be in.
///
/// # Errors
/// For a word of podman's that has no meaning here: why; for any other, which there are.
pub(crate) fn condition(text: &str) -> Result<Condition, String> {
    if let Some((_, condition)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(*condition);
    }
    Err(match text {
        "configured" | "initialized" => {
            "between `created` and `running` there is no state here".to_owned()
        }
        "unknown" => "each pod is in a state that is known".to_owned(),
        _ => {
            let words = WORDS.map(|(word, _)| word);
            format!("a condition is one of {}", words.join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_podman_that_mean_nothing_here_are_refused_by_name() {
        assert_eq!(condition("stopped"), Ok(Condition::Exited));
        assert_eq!(condition("exited"), Ok(Condition::Exited));
        for (word, why) in [
            ("initialized", "no state"),
            ("unknown", "known"),
            ("up", "created, exited"),
        ] {
            let refused = condition(word).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
