//! What a person or a program sees of a command: text, tables, progress, warnings.

pub(crate) mod interrupt;
pub(crate) mod log_text;
pub(crate) mod observer;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod table;
pub(crate) mod template;
