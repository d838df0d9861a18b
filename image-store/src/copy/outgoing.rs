//! An image of the store on its way out.

use std::path::Path;

use image_document::{Document, Plan};
use image_layer::Limits;
use image_name::{Digest, Reference};
use image_registry::upload;

use super::options::{Copied, CopyOptions};
use super::store_origin::StoreOrigin;
use super::target::Target;
use crate::error::StoreError;
use crate::export::{self, ExportFormat};
use crate::fetch::FetchEvent;
use crate::interrupt::Interrupt;
use crate::options::FetchOptions;
use crate::plan::{self, Source, Wanted};
use crate::source::ImageSource;
use crate::store::{RefRecord, Store};

/// An image of the store on its way out. Hold a [`crate::Pin`] for as long as one of these lives.
#[derive(Clone, Debug)]
pub struct Outgoing {
    store: Store,
    record: RefRecord,
    complete: bool,
    interrupt: Interrupt,
}

impl Store {
    /// Prepares to write an image of the store elsewhere.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] if the store hasn't it as it was fetched.
    pub fn outgoing(&self, record: &RefRecord) -> Result<Outgoing, StoreError> {
        let limit = Limits::default().manifest;
        let bytes = self.read_blob("manifest", &record.digest, limit)?;
        let mut complete = true;
        let what = format!("manifest {}", record.digest);
        if let Document::Index(index) = Document::parse(&what, &bytes, "")? {
            for member in &index.members {
                complete &= self.has_blob(&member.digest)?;
            }
        }
        Ok(Outgoing {
            store: self.clone(),
            record: record.clone(),
            complete,
            interrupt: Interrupt::default(),
        })
    }
}

impl Outgoing {
    /// Lets `interrupt` take away what an export has half written.
    #[must_use]
    pub fn until(self, interrupt: &Interrupt) -> Self {
        let interrupt = interrupt.clone();
        Self { interrupt, ..self }
    }

    /// Whether the store has every platform of the image's index. If it hasn't, a push writes the
    /// manifest of the one platform: registries take no index whose members they don't have.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What a push writes: the index if it is complete, else the platform's manifest.
    #[must_use]
    pub fn pushed_digest(&self) -> &Digest {
        match self.complete {
            true => &self.record.digest,
            false => &self.record.manifest,
        }
    }

    /// Writes a directory or file, which must not exist; it appears by one rename when it is complete.
    /// Members of an index that the store hasn't are left out, as the layout specification allows.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the store hasn't all blobs, [`ContentError::DigestMismatch`](image_layer::ContentError::DigestMismatch) if one
    /// is not what its digest says, and what the file system reports. Nothing is left then.
    pub fn export(
        &self,
        format: ExportFormat,
        dest: &Path,
        signatures: bool,
        on_event: &mut dyn FnMut(FetchEvent),
    ) -> Result<Copied, StoreError> {
        let is_docker = format == ExportFormat::DockerArchive;
        let top = match is_docker {
            true => self.record.manifest.clone(),
            false => self.record.digest.clone(),
        };
        let (mut origin, plan) = self.plan(top, signatures && !is_docker, true)?;
        let mut source = Source::new(&mut origin, &self.store, on_event).until(&self.interrupt);
        export::new(dest)?;
        let note = plan::layout_note(&plan).filter(|_| !is_docker);
        match format {
            ExportFormat::OciLayout => export::layout(&plan, &mut source, dest, None)?,
            ExportFormat::OciArchive => export::archive(&plan, &mut source, dest, None)?,
            ExportFormat::DockerArchive => export::docker(&plan, &mut source, dest, None)?,
        }
        let mut copied = Copied::of(plan);
        copied.notes.extend(note);
        Ok(copied)
    }

    /// As [`Outgoing::export`], to a place as [`copy`](crate::copy) takes it: an image is added to a layout
    /// that is there.
    ///
    /// # Errors
    /// As [`Outgoing::export`]; [`StoreError::InvalidSource`] for a place that is no directory or file.
    pub fn export_to(
        &self,
        to: &ImageSource,
        signatures: bool,
        on_event: &mut dyn FnMut(FetchEvent),
    ) -> Result<Copied, StoreError> {
        let target = Target::new(to)?;
        if let Target::Registry(_) = target {
            return Err(StoreError::InvalidSource {
                origin: to.to_string(),
                reason: "it is neither a directory nor a file".to_owned(),
            });
        }
        let top = match target.is_layout() {
            true => self.record.digest.clone(),
            false => self.record.manifest.clone(),
        };
        let attachments = signatures && target.takes_attachments();
        let (mut origin, plan) = self.plan(top, attachments, true)?;
        let mut source = Source::new(&mut origin, &self.store, on_event).until(&self.interrupt);
        target.write(&plan, &mut source, None, &FetchOptions::default())?;
        let note = plan::layout_note(&plan).filter(|_| target.is_layout());
        let mut copied = Copied::of(plan);
        copied.notes.extend(note);
        Ok(copied)
    }

    /// Writes the image to a registry, under the tag of `to`, or by digest where it has none.
    ///
    /// # Errors
    /// [`Unauthorized`](image_registry::RegistryError::Unauthorized) without the right to write; what the registry answers;
    /// [`StoreError::Missing`] for a blob that neither the store nor the registry has.
    pub fn push(
        &self,
        to: &Reference,
        options: &CopyOptions,
        on_event: &mut dyn FnMut(FetchEvent),
    ) -> Result<Copied, StoreError> {
        let top = self.pushed_digest().clone();
        let (mut origin, plan) = self.plan(top, options.signatures, false)?;
        let home = ImageSource::of_registry(&self.record.source);
        let source = Source::new(&mut origin, &self.store, on_event);
        let mut source = source.until(&options.access.interrupt);
        upload(
            &plan,
            &mut source,
            to,
            home.as_ref(),
            &options.access.registries,
            &options.access.limits,
        )?;
        Ok(Copied::of(plan))
    }

    /// Where its files are.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The image of this machine's platform alone.
    pub(super) fn plan_of_platform(&self) -> Result<(StoreOrigin, Plan), StoreError> {
        self.plan(self.record.manifest.clone(), false, true)
    }

    /// All platforms that the store has, with signatures.
    pub(super) fn plan_of_all(&self) -> Result<(StoreOrigin, Plan), StoreError> {
        self.plan(self.record.digest.clone(), true, true)
    }

    fn plan(
        &self,
        top: Digest,
        attachments: bool,
        sparse: bool,
    ) -> Result<(StoreOrigin, Plan), StoreError> {
        let mut origin = StoreOrigin {
            store: self.store.clone(),
            top,
            name: self.record.reference.clone(),
        };
        let wanted = Wanted {
            platform: None,
            attachments,
            sparse,
            limits: Limits::default(),
        };
        let plan = plan::make(&mut origin, &self.record.reference.to_string(), &wanted)?;
        Ok((origin, plan))
    }
}
