//! A field, and what becomes of it.

/// The members of a map.
#[derive(Debug)]
pub struct Schema {
    /// What the map is called.
    pub title: &'static str,
    /// Its members.
    pub fields: &'static [Field],
}

/// A member of a map.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What that is, or why.
    pub reason: &'static str,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What it says is done.
    Honoured,
    /// It means nothing here, and nobody is worse off: a warning.
    Ignored,
    /// What it says can't be done here: an error.
    Refused,
}

/// A field of which what it says is done.
pub(super) const fn yes(name: &'static str, reason: &'static str) -> Field {
    Field {
        name,
        verdict: Verdict::Honoured,
        reason,
    }
}

/// A field that is ignored.
pub(super) const fn ignored(name: &'static str, reason: &'static str) -> Field {
    Field {
        name,
        verdict: Verdict::Ignored,
        reason,
    }
}

/// A field that is refused.
pub(super) const fn refused(name: &'static str, reason: &'static str) -> Field {
    Field {
        name,
        verdict: Verdict::Refused,
        reason,
    }
}

impl Schema {
    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn verdict(&self, name: &str) -> Option<Verdict> {
        self.field(name).map(|field| field.verdict)
    }

    pub(crate) fn reason(&self, name: &str) -> &'static str {
        self.field(name).map_or("", |field| field.reason)
    }

    /// What to say of a name that is none of its fields.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let same = |field: &&Field| field.name.eq_ignore_ascii_case(name);
        let near = |field: &&Field| is_near(field.name, name);
        let fields = || self.fields.iter();
        match fields().find(same).or_else(|| fields().find(near)) {
            Some(field) => format!("there is no such field; {} is perhaps meant", field.name),
            None => format!("there is no such field of {}", self.title),
        }
    }
}

/// Whether one letter is too much, is missing, is another one, or has changed its place with the next.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = |chars: &[char], skip: usize| chars.get(same + skip..).map(<[char]>::to_vec);
    let is = |a: Option<Vec<char>>, b: Option<Vec<char>>| a.is_some() && a == b;
    let swapped = one.get(same).is_some()
        && one.get(same) == other.get(same + 1)
        && one.get(same + 1) == other.get(same)
        && is(rest(&one, 2), rest(&other, 2));
    one.len() > 2
        && (is(rest(&one, 1), rest(&other, 0))
            || is(rest(&one, 0), rest(&other, 1))
            || is(rest(&one, 1), rest(&other, 1))
            || swapped)
}
