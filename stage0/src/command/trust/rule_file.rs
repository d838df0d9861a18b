//! Changing a local policy file, mostly that of one prefix: locked against other changes, replaced by one rename.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use engine::config::files::Config;
use engine::policy::files as policy_files;
use image_name::Prefix;
use nix::fcntl::{Flock, FlockArg};
use trust::{Policy, PolicySource, is_policy_file, rule_file_name};

use crate::context::Context;
use crate::wording::failure::Failure;

/// The local file of a prefix, with the right to change it.
#[derive(Debug)]
pub(super) struct RuleFile {
    path: PathBuf,
    name: String,
    _turn: Flock<File>,
}

impl RuleFile {
    /// Takes the turn to change the local file of a prefix, making the directory if need be.
    pub(super) fn lock(context: &Context, prefix: &Prefix) -> Result<Self, Failure> {
        Self::lock_named(context, rule_file_name(prefix))
    }

    /// The same for a local file of this name.
    pub(super) fn lock_named(context: &Context, name: String) -> Result<Self, Failure> {
        let folder = context.engine.directories.local_trust();
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&folder)
            .map_err(Failure::io("create", &folder))?;
        let file = File::open(&folder).map_err(Failure::io("open", &folder))?;
        let turn = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Failure::errno("lock", &folder)(errno))?;
        Ok(Self {
            path: folder.join(&name),
            name,
            _turn: turn,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it now.
    pub(super) fn read(&self, context: &Context) -> Result<Option<String>, Failure> {
        Ok(policy_files::read_local(
            &context.engine.directories,
            &self.name,
        )?)
    }

    /// A rule that somebody wrote into another file is not ours to change, nor to contradict; and one
    /// that is not in force would change nothing.
    pub(super) fn refuse_other(&self, context: &Context, prefix: &Prefix) -> Result<(), Failure> {
        let directories = &context.engine.directories;
        if let Some(path) = Config::read(directories)?.containers_policy() {
            return Err(Failure::Other(format!(
                "{} decides which images may run, by `containers-policy` of the configuration: no rule \
                 of trust.d is in force",
                path.display()
            )));
        }
        match policy_files::read(directories)?.rule_of(prefix) {
            Some(placed) if placed.file() != self.path => Err(Failure::Other(format!(
                "the rule for {:?} is in {}; edit it there, or copy it to {} to replace it",
                prefix.as_str(),
                placed.file().display(),
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Replaces it, unless the policy would be broken then: nothing would run any more.
    pub(super) fn replace(&self, context: &Context, text: &str) -> Result<(), Failure> {
        self.check(context, Some(text))?;
        // No policy file while its name begins with a dot.
        let staged = self.path.with_file_name(format!(".{}.new", self.name));
        let bytes = text.as_bytes();
        atomic_file::replace(&self.path, &staged, 0o644, bytes, Durability::Full)?;
        Ok(())
    }

    /// Removes it.
    pub(super) fn remove(&self, context: &Context) -> Result<(), Failure> {
        self.check(context, None)?;
        fs::remove_file(&self.path).map_err(Failure::io("remove", &self.path))?;
        atomic_file::sync_directory(self.path.parent().unwrap_or(Path::new("/")))?;
        Ok(())
    }

    /// Parses the policy as it would be with the new text, or without the file.
    fn check(&self, context: &Context, text: Option<&str>) -> Result<(), Failure> {
        let (system, mut local) = policy_files::layers(&context.engine.directories)?;
        local.retain(|source| source.path != self.path);
        if let Some(text) = text {
            debug_assert!(is_policy_file(self.name.as_ref()));
            local.push(PolicySource {
                path: self.path.clone(),
                text: text.to_owned(),
            });
        }
        Policy::parse(&system, &local)?.check()?;
        Ok(())
    }
}
