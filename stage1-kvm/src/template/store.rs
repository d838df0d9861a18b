//! Templates at rest: a directory of files for each, beside what they were booted from.
//!
//! Nobody but root can enter it. A record tells what the files showed when they were written, as with the files of images:
//! what has been changed since is not used.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pod::templates::{FOLDER, LOCK, NEW, RECORD};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use stage1::failure::StartFailure;

use super::key::Key;
use super::memory;
use crate::boot_files::{BootFiles, facts_of};
use crate::kept_directory;

const MEMORY: &str = "memory";
const STATE: &str = "state";

/// What the files of a template showed when they were written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    memory: String,
    state: String,
}

/// A template that copies can be made of.
#[derive(Debug)]
pub(super) struct Kept {
    /// The machine but for its memory, read from its beginning.
    pub(super) state: OwnedFd,
    /// Its memory, if it is at hand.
    pub(super) memory: Option<OwnedFd>,
}

/// Memory that is to be read from disk.
#[derive(Debug)]
pub(super) struct Loading {
    file: File,
    memory: File,
}

/// Those that are booted from the same files.
#[derive(Debug)]
pub(super) struct Templates {
    folder: PathBuf,
}

/// One that is being made: as long as this lives, nobody else makes any here.
#[derive(Debug)]
pub(super) struct Making {
    _lock: File,
    folder: PathBuf,
}

impl Templates {
    pub(super) fn beside(boot: &BootFiles) -> Self {
        Self {
            folder: boot.place.join(FOLDER),
        }
    }

    /// The template with this key, if there is one.
    ///
    /// # Errors
    /// If there is, and it isn't what was made: it is gone then.
    pub(super) fn find(&self, key: &Key) -> Result<Option<Kept>, StartFailure> {
        let place = self.place(key);
        match open(&place) {
            Ok(state) => {
                let record = File::open(place.join(RECORD));
                // Who collects what was not used for long looks at this.
                let _ = record.and_then(|record| record.set_modified(SystemTime::now()));
                Ok(Some(Kept {
                    state: state.into(),
                    memory: None,
                }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !place.exists() => Ok(None),
            Err(error) => {
                self.remove(key);
                Err(StartFailure::other(format!(
                    "the template {} is not as it was made: {error}",
                    place.display()
                )))
            }
        }
    }

    /// Its memory, which holds nothing yet, and what fills it.
    ///
    /// # Errors
    /// What failed: it is gone then.
    pub(super) fn begin_loading(&self, key: &Key) -> Result<(OwnedFd, Loading), StartFailure> {
        let begun = (|| {
            let file = File::open(self.place(key).join(MEMORY))?;
            let memory = memory::make(file.metadata()?.len())?;
            let loading = Loading {
                file,
                memory: memory.try_clone()?.into(),
            };
            Ok((memory, loading))
        })();
        begun.map_err(|error| self.unreadable(key, &error))
    }

    /// Reads its memory from disk. Nobody changes it from then on.
    ///
    /// # Errors
    /// What failed, or that it isn't what was made: it is gone then.
    pub(super) fn load(&self, key: &Key, loading: Loading) -> Result<(), StartFailure> {
        let Loading { file, mut memory } = loading;
        let loaded = (|| {
            memory::load(&file, &mut memory)?;
            // What was copied is what was recorded.
            check(&file, &read_record(&self.place(key))?.memory, MEMORY)?;
            memory::seal(&memory.into())
        })();
        loaded.map_err(|error| self.unreadable(key, &error))
    }

    fn unreadable(&self, key: &Key, error: &io::Error) -> StartFailure {
        self.remove(key);
        let place = self.place(key);
        StartFailure::other(format!(
            "the template {} can't be read: {error}",
            place.display()
        ))
    }

    /// Begins to make one; `None` while somebody else does.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn begin(&self) -> Result<Option<Making>, StartFailure> {
        let failed = || {
            let folder = self.folder.display().to_string();
            StartFailure::os::<io::Error>(format!("write to {folder}"))
        };
        kept_directory::make(&self.folder).map_err(failed())?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join(LOCK))
            .map_err(failed())?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(failed()(errno.into())),
        }
        let folder = self.folder.join(NEW);
        // What is left of one that was killed.
        kept_directory::remove(&folder).map_err(failed())?;
        kept_directory::make(&folder).map_err(failed())?;
        Ok(Some(Making {
            _lock: lock,
            folder,
        }))
    }

    /// Keeps one that was made.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn keep(
        &self,
        key: &Key,
        making: &Making,
        memory: &OwnedFd,
    ) -> Result<Kept, StartFailure> {
        let place = self.place(key);
        let kept = (|| {
            let mut from = File::from(memory.try_clone()?);
            let mut file = new_file(&making.folder.join(MEMORY))?;
            memory::save(&mut from, &mut file)?;
            let state = File::open(making.folder.join(STATE))?;
            let record = Record {
                memory: facts(&file)?,
                state: facts(&state)?,
            };
            let mut written = new_file(&making.folder.join(RECORD))?;
            serde_json::to_writer(&mut written, &record)?;
            kept_directory::remove(&place)?;
            fs::rename(&making.folder, &place)?;
            Ok(state)
        })();
        let state: File = kept.map_err(|error: io::Error| {
            StartFailure::os(format_args!("write {}", place.display()))(error)
        })?;
        Ok(Kept {
            state: state.into(),
            memory: Some(
                memory
                    .try_clone()
                    .map_err(StartFailure::os("keep a template"))?,
            ),
        })
    }

    /// Removes one. Copies that run have what they need of it open.
    pub(super) fn remove(&self, key: &Key) {
        // What can't be removed is not used all the same, and tried again.
        let _ = kept_directory::remove(&self.place(key));
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.folder.join(key.to_string())
    }
}

impl Making {
    /// Where the state of the machine is written.
    pub(super) fn state(&self) -> Result<File, StartFailure> {
        let path = self.folder.join(STATE);
        new_file(&path).map_err(StartFailure::os(format_args!("write {}", path.display())))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // It has its name by now, or is no use; the next one tries again.
        let _ = kept_directory::remove(&self.folder);
    }
}

fn open(place: &Path) -> io::Result<File> {
    let record = read_record(place)?;
    check(&File::open(place.join(MEMORY))?, &record.memory, MEMORY)?;
    let state = File::open(place.join(STATE))?;
    check(&state, &record.state, STATE)?;
    Ok(state)
}

fn read_record(place: &Path) -> io::Result<Record> {
    let text = fs::read(place.join(RECORD))?;
    Ok(serde_json::from_slice(&text)?)
}

fn check(file: &File, recorded: &str, name: &str) -> io::Result<()> {
    match facts(file)? == recorded {
        true => Ok(()),
        false => Err(io::Error::other(format!("its {name} was changed"))),
    }
}

fn facts(file: &File) -> io::Result<String> {
    let found = file.metadata()?;
    let written = (found.mtime(), found.mtime_nsec());
    Ok(format!("{} {}.{}", facts_of(&found), written.0, written.1))
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    fn templates(folder: &Path) -> Templates {
        Templates {
            folder: folder.join(FOLDER),
        }
    }

    /// Makes a template whose memory begins with a word.
    fn make(templates: &Templates, key: &Key) -> Kept {
        let making = templates.begin().unwrap().unwrap();
        making.state().unwrap().write_all(b"state").unwrap();
        let memory = memory::make(1 << 20).unwrap();
        let file = File::from(memory.try_clone().unwrap());
        file.write_at(b"memory", 0).unwrap();
        memory::seal(&memory).unwrap();
        templates.keep(key, &making, &memory).unwrap()
    }

    #[test]
    fn what_was_made_is_found_and_its_memory_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (templates, key) = (templates(folder.path()), Key::named("boot.key"));
        assert!(templates.find(&key).unwrap().is_none());
        assert!(make(&templates, &key).memory.is_some());
        assert!(templates.find(&key).unwrap().is_some());
        let (memory, loading) = templates.begin_loading(&key).unwrap();
        templates.load(&key, loading).unwrap();
        assert!(memory::is_sealed(&memory));
        let mut word = [0; 6];
        File::from(memory).read_exact_at(&mut word, 0).unwrap();
        assert_eq!(&word, b"memory");
        templates.remove(&key);
        assert!(templates.find(&key).unwrap().is_none());
    }

    #[test]
    fn what_was_changed_is_refused_once_and_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (templates, key) = (templates(folder.path()), Key::named("boot.key"));
        let damages: [fn(&Path); 4] = [
            |place| {
                let file = File::options()
                    .write(true)
                    .open(place.join(MEMORY))
                    .unwrap();
                file.write_at(b"M", 0).unwrap();
            },
            |place| fs::write(place.join(STATE), "other").unwrap(),
            |place| fs::remove_file(place.join(MEMORY)).unwrap(),
            |place| fs::write(place.join(RECORD), "{").unwrap(),
        ];
        for damage in damages {
            make(&templates, &key);
            damage(&templates.place(&key));
            let refused = templates.find(&key).unwrap_err();
            assert!(refused.message.contains("not as it was made"), "{refused}");
            assert!(templates.find(&key).unwrap().is_none());
        }
    }

    #[test]
    fn one_makes_a_template_at_a_time_and_takes_away_what_a_killed_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let templates = templates(folder.path());
        let making = templates.begin().unwrap().unwrap();
        making.state().unwrap();
        assert!(templates.begin().unwrap().is_none());
        // As if it was killed: the lock goes, and its files stay.
        let (left, stays) = (making.folder.clone(), folder.path().join("stays"));
        fs::rename(&left, &stays).unwrap();
        drop(making);
        fs::rename(&stays, &left).unwrap();
        let making = templates.begin().unwrap().unwrap();
        assert!(!making.folder.join(STATE).exists());
        drop(making);
        assert!(!left.exists());
    }
}
