//! The server of all streams, as the configuration has it.

use std::io;

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
    match (&settings.stream_certificate, &settings.stream_key) {
        (Some(certificate), Some(key)) => {
            let files = TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authorities: settings.stream_client_ca.clone(),
            };
            config.tls = Some(files.load().map_err(|error| invalid(&error))?);
        }
        (None, None) if settings.stream_client_ca.is_some() => {
            return Err(invalid(
                &"stream-client-ca needs stream-certificate and stream-key",
            ));
        }
        (None, None) => {}
        _ => return Err(invalid(&"stream-certificate and stream-key go together")),
    }
    let is_taken = |error: &StartError| matches!(error, StartError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse);
    patiently(is_taken, || {
        Server::start(config.clone(), PodStreams::new(directories.clone()))
    })
    .map_err(|error| invalid(&error))
}
