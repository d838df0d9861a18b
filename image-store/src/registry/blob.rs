//! A blob as a stream that survives a broken connection.

use std::io::{self, ErrorKind, Read};

use oci_spec::image::Digest;
use ureq::BodyReader;
use ureq::http::header::CONTENT_RANGE;

use super::answer::{failure, header};
use super::client::{Ask, Client, Method, Payload};
use crate::error::StoreError;

/// Broken connections per blob that are taken up again.
const MAX_RESUMES: u32 = 3;

/// Reads a blob of known size. Bytes beyond that size are passed on for the caller to refuse.
pub(super) struct BlobReader<'a> {
    client: &'a mut Client,
    digest: Digest,
    size: u64,
    at: u64,
    body: BodyReader<'static>,
    resumes: u32,
}

impl<'a> BlobReader<'a> {
    /// Asks for the blob.
    pub(super) fn open(
        client: &'a mut Client,
        digest: &Digest,
        size: u64,
    ) -> Result<Self, StoreError> {
        let ask = ask(client, digest, None)?;
        let response = client.send(&ask)?;
        if response.status() != 200 {
            return Err(failure(&client.endpoint().registry, &ask.action, response));
        }
        let body = response.into_body();
        if let Some(found) = body.content_length().filter(|found| *found != size) {
            return Err(StoreError::SizeMismatch {
                what: format!("blob {digest} of registry {}", client.endpoint().registry),
                expected: size,
                found,
            });
        }
        let body = body.into_reader();
        Ok(Self {
            client,
            digest: digest.clone(),
            size,
            at: 0,
            body,
            resumes: MAX_RESUMES,
        })
    }

    /// Goes on where the stream broke; `false` if the registry can't.
    fn resume(&mut self) -> Result<bool, StoreError> {
        if self.resumes == 0 {
            return Ok(false);
        }
        self.resumes -= 1;
        let ask = ask(self.client, &self.digest, Some(self.at))?;
        let response = self.client.send(&ask)?;
        let start = format!("bytes {}-", self.at);
        let fits = response.status() == 206
            && header(&response, CONTENT_RANGE).is_some_and(|range| range.starts_with(&start));
        if fits {
            self.body = response.into_body().into_reader();
        }
        Ok(fits)
    }

    fn broken(&self, error: io::Error) -> io::Error {
        if error.kind() == ErrorKind::UnexpectedEof {
            return error;
        }
        let action = format!("reading blob {}", self.digest);
        let reason = format!("{error} after {} of {} bytes", self.at, self.size);
        self.client.network(&action, reason).into_io()
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let error = match self.body.read(buf) {
                Ok(0) if self.at < self.size => io::Error::from(ErrorKind::UnexpectedEof),
                Ok(count) => {
                    self.at = self.at.saturating_add(count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if self.at >= self.size || !self.resume().unwrap_or(false) {
                return Err(self.broken(error));
            }
        }
    }
}

fn ask(client: &Client, digest: &Digest, from: Option<u64>) -> Result<Ask<'static>, StoreError> {
    Ok(Ask {
        method: Method::Get,
        url: client.url(&format!("blobs/{digest}"))?,
        headers: from
            .map(|at| ("range", format!("bytes={at}-")))
            .into_iter()
            .collect(),
        payload: Payload::None,
        action: format!("reading blob {digest}"),
    })
}
