//! The first root of a machine, which its kernel is started with: pod init, and modules of the kernel, in a directory for
//! each purpose. Loading one takes time, so each pod has those loaded that it needs.

/// The directory of all modules.
pub const MODULES: &str = "modules";

/// What modules are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Any machine needs them.
    Machine,
    /// Images that the machine has as disks.
    Disks,
    /// Checking disks while they are read.
    Checks,
    /// Network interfaces.
    Interfaces,
    /// Files that the host shares.
    Shares,
}

impl Purpose {
    /// All of them, in the order in which their modules are loaded.
    pub const ALL: [Self; 5] = [
        Self::Machine,
        Self::Disks,
        Self::Checks,
        Self::Interfaces,
        Self::Shares,
    ];

    /// What it is called: the directory of its modules, and the word by which pod init is told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Disks => "disks",
            Self::Checks => "checks",
            Self::Interfaces => "interfaces",
            Self::Shares => "shares",
        }
    }
}

/// What pod init is told as the first program of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstWords {
    /// Whether the machine is a template, and waits.
    pub is_template: bool,
    /// What it needs modules for, besides being a machine.
    pub purposes: Vec<Purpose>,
}

/// The first argument of pod init as a machine's first program.
pub const FIRST: &str = "first";
const TEMPLATE: &str = "template";

impl FirstWords {
    /// As arguments of pod init, the first one included.
    #[must_use]
    pub fn to_text(&self) -> String {
        let template = self.is_template.then_some(TEMPLATE);
        let purposes = self.purposes.iter().map(|purpose| purpose.name());
        let words = [FIRST].into_iter().chain(template).chain(purposes);
        words.collect::<Vec<_>>().join(" ")
    }

    /// Of the arguments behind the first one. The kernel may add others, which say nothing.
    pub fn of(arguments: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut words = Self {
            is_template: false,
            purposes: Vec::new(),
        };
        for argument in arguments {
            let argument = argument.as_ref();
            let purpose = Purpose::ALL.into_iter().find(|one| one.name() == argument);
            words.is_template |= argument == TEMPLATE;
            words.purposes.extend(purpose);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pod_init_is_told_is_what_it_hears() {
        for (is_template, purposes) in [
            (false, vec![]),
            (true, vec![Purpose::Disks]),
            (false, Purpose::ALL.to_vec()),
        ] {
            let words = FirstWords {
                is_template,
                purposes,
            };
            let text = words.to_text();
            let mut arguments = text.split(' ');
            assert_eq!(arguments.next(), Some(FIRST));
            assert_eq!(FirstWords::of(arguments), words);
        }
        assert!(FirstWords::of(["noise"]).purposes.is_empty());
    }
}
