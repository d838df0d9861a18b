//! Who may use the registries of the tests.

pub(crate) const USER: &str = "tester";
pub(crate) const PASSWORD: &str = "secret";
