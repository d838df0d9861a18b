//! The server of all streams, as the configuration has it.

use std::io;
use std::path::Path;

use cri_streaming::{Config, Server, StartError, TlsFiles};
use engine::config::cri::Cri;
use engine::config::directories::Directories;

use super::target::PodStreams;
use crate::error::CriError;
use crate::listen::patiently;

/// The server of all streams.
pub(crate) type StreamServer = Server<PodStreams>;

/// Begins to serve, as the configuration says.
///
/// # Errors
/// [`CriError::Invalid`] if it can't be.
pub(crate) fn start(settings: &Cri, directories: &Directories) -> Result<StreamServer, CriError> {
    let mut config = Config::default();
    if let Some(address) = settings.stream_address {
        config.address = address;
    }
    let invalid = |error: &dyn std::fmt::Display| CriError::invalid("[cri]", error);
    let files = settings.stream_files();
    if let Some(files) = files.map_err(|error| invalid(&error))? {
        let files = TlsFiles {
            certificate: files.certificate.to_owned(),
            key: files.key.to_owned(),
            client_authorities: files.client_ca.map(Path::to_owned),
        };
        config.tls = Some(files.load().map_err(|error| invalid(&error))?);
    }
    let is_taken = |error: &StartError| matches!(error, StartError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse);
    patiently(is_taken, || {
        Server::start(config.clone(), PodStreams::new(directories.clone()))
    })
    .map_err(|error| invalid(&error))
}
