//! `fairing image rm`: removes images that no pod needs.

use clap::Args;
use engine::Error;
use engine::images::collection::wait_for_store;
use engine::images::in_use::{ImagesInUse, Use, images_in_use};
use image_name::Reference;
use image_store::{ImageSource, RefRecord, Store, StoreError};

use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::images::warn;

/// Arguments of `image rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// References, or the beginnings of digests
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Also remove names of images that pods use, and all names of a digest; what pods use stays until they are removed,
    /// and images that are not there are no failure
    #[arg(short, long)]
    force: bool,
    /// Images that are not there are no failure
    #[arg(short, long)]
    ignore: bool,
}

/// Arguments of `rmi`, for those who know Docker.
#[derive(Debug, Args)]
pub(crate) struct Rmi {
    #[command(flatten)]
    rm: Rm,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove images from the store";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let survey = store.survey();
        let alone = wait_for_store(&store, &context.console)?;
        let ImagesInUse { uses, digests } = images_in_use(&context.engine)?.all()?;
        let mut removal = Removal {
            names: store.references()?,
            store: &store,
            uses,
            force: self.force,
        };
        let result = for_each(&self.images, |image| match removal.remove(image) {
            Err(Failure::Engine(Error::Store(StoreError::UnknownImage { .. })))
                if self.ignore || self.force =>
            {
                // Whoever forces it wants that it is gone. It may be a slip all the same.
                if !self.ignore {
                    output::warn(&format!("no image of the store is called `{image}`"));
                }
                Ok(())
            }
            other => other,
        });
        // What the removed names alone needed goes with them.
        let report = store.gc(survey, &digests, None, alone)?;
        warn(&report);
        result
    }
}

impl Subcommand for Rmi {
    const NAME: &'static str = "rmi";
    const ABOUT: &'static str = Rm::ABOUT;
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.rm.run(context)
    }
}

/// What is known while names are removed.
struct Removal<'a> {
    store: &'a Store,
    /// All names that can be read and are left.
    names: Vec<RefRecord>,
    uses: Vec<Use>,
    force: bool,
}

impl Removal<'_> {
    /// Removes what a person typed.
    fn remove(&mut self, text: &str) -> Result<(), Failure> {
        let name = match self.local(text)? {
            Some(local) => local.to_string(),
            None => ImageSource::of_registry(text)
                .map_or_else(|| text.to_owned(), |reference| reference.to_string()),
        };
        let found = match self.store.find_all(&name) {
            // It has a name, if nothing else.
            Err(error @ StoreError::Damaged { .. }) => {
                let reference = Reference::parse(&name).map_err(|_| error)?;
                return self.remove_unreadable(&reference);
            }
            other => other?,
        };
        if found.is_empty() {
            // Not to be fetched only to be removed.
            return Err(Failure::Engine(Error::Store(StoreError::UnknownImage {
                reference: text.to_owned(),
                place: "in the store".to_owned(),
            })));
        }
        if found.len() > 1 && !self.force {
            return Err(Failure::Other(format!(
                "image {text} has several names: {}; say which one to remove, or remove all with --force",
                listed(found.iter().map(|record| record.reference.to_string()))
            )));
        }
        for record in &found {
            self.refuse_if_in_use(record)?;
            self.store.remove(&record.reference)?;
            self.names
                .retain(|other| other.reference != record.reference);
            output::line(&record.reference.to_string())?;
        }
        Ok(())
    }

    /// The local image of a short name: it goes before those of registries, as everywhere.
    fn local(&self, text: &str) -> Result<Option<Reference>, Failure> {
        let Ok(local) = Reference::parse(&format!("localhost/{text}")) else {
            return Ok(None);
        };
        let is_there = self.names.iter().any(|record| record.reference == local);
        Ok(Some(local).filter(|_| is_there))
    }

    /// Nobody knows which image the name stood for, but pods know by which name they were made.
    fn remove_unreadable(&self, reference: &Reference) -> Result<(), Failure> {
        let name = reference.to_string();
        let by_name = self.uses.iter().filter(|used| used.reference == *reference);
        self.refuse(reference, by_name)?;
        self.store.remove(reference)?;
        output::line(&name)
    }

    /// The last name of an image that pods use stays.
    fn refuse_if_in_use(&self, record: &RefRecord) -> Result<(), Failure> {
        let has_other_name = self
            .names
            .iter()
            .any(|other| other.manifest == record.manifest && other.reference != record.reference);
        let uses = self
            .uses
            .iter()
            .filter(|used| used.manifest == record.manifest);
        match has_other_name {
            true => Ok(()),
            false => self.refuse(&record.reference, uses),
        }
    }

    fn refuse<'u>(
        &self,
        reference: &Reference,
        uses: impl Iterator<Item = &'u Use>,
    ) -> Result<(), Failure> {
        let mut pods: Vec<String> = uses.map(Use::to_string).collect();
        pods.dedup();
        if pods.is_empty() || self.force {
            return Ok(());
        }
        Err(Failure::Other(format!(
            "image {reference} is in use by pod {}; stop or remove it first, or remove only the name with --force",
            listed(pods.into_iter())
        )))
    }
}

/// The first few of many.
fn listed(mut words: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let all = words.len();
    let mut text: Vec<String> = words.by_ref().take(SHOWN).collect();
    if all > SHOWN {
        text.push(format!("and {} more", all - SHOWN));
    }
    text.join(", ")
}
