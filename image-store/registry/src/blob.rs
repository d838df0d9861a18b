//! A blob as a stream that survives a broken connection.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use image_layer::ContentError;
use image_name::Digest;
use ureq::http::Response;
use ureq::http::header::CONTENT_RANGE;
use ureq::{Body, BodyReader};

use super::answer::header;
use super::client::{Ask, Client, Method, Payload, is_timeout};
use crate::error::RegistryError;

/// Broken connections per blob that are taken up again, however much came between.
const MAX_RESUMES: u32 = 1000;

/// Longest time for one answer; one that takes longer is gone on with, as after a break.
const BLOB_TIME: Duration = Duration::from_secs(6 * 3600);

/// Bytes after which a break is the first one again.
const PROGRESS: u64 = 64 << 10;

/// The body of an answer with a blob, or with the rest of one.
pub(super) struct BlobBody {
    reader: BodyReader<'static>,
    /// Whether the answer says how long it is. What doesn't may go on for ever after the blob.
    is_measured: bool,
}

impl BlobBody {
    fn of(body: Body) -> Self {
        Self {
            is_measured: body.content_length().is_some(),
            reader: body.into_reader(),
        }
    }
}

/// Reads a blob of known size. Bytes beyond that size are passed on for the caller to refuse, as far as they come with
/// it; nothing is waited for behind it where the answer doesn't say how long it is.
pub(super) struct BlobReader<'a> {
    client: &'a mut Client,
    digest: Digest,
    size: u64,
    /// Bytes that were passed on.
    at: u64,
    /// Bytes that have to come once more before new ones do.
    skip: u64,
    body: BlobBody,
    /// Breaks in a row, and where the last one was.
    failures: u32,
    broke_at: u64,
    resumes: u32,
}

/// Asks for a blob.
pub(super) fn open(
    client: &mut Client,
    digest: &Digest,
    size: u64,
) -> Result<BlobBody, RegistryError> {
    let ask = ask(client, digest, None)?;
    let response = client.send(&ask)?;
    match response.status().as_u16() {
        200 => whole(client, digest, size, response),
        404 => Err(RegistryError::Status {
            registry: client.endpoint().registry().to_owned(),
            action: ask.action,
            status: 404,
            message:
                "the registry has no such blob (and what `urls` of a layer name is never fetched)"
                    .to_owned(),
        }),
        _ => Err(client.failure(&ask.action, response)),
    }
}

/// The body of an answer that is the whole blob.
fn whole(
    client: &Client,
    digest: &Digest,
    size: u64,
    response: Response<Body>,
) -> Result<BlobBody, RegistryError> {
    let body = response.into_body();
    if let Some(found) = body.content_length().filter(|found| *found != size) {
        return Err(RegistryError::Content(ContentError::SizeMismatch {
            what: format!("blob {digest} of registry {}", client.endpoint().registry()),
            expected: size,
            found,
        }));
    }
    Ok(BlobBody::of(body))
}

impl<'a> BlobReader<'a> {
    /// Reads the blob whose `body` was asked for.
    pub(super) fn new(client: &'a mut Client, digest: &Digest, size: u64, body: BlobBody) -> Self {
        Self {
            client,
            digest: digest.clone(),
            size,
            at: 0,
            skip: 0,
            body,
            failures: 0,
            broke_at: 0,
            resumes: MAX_RESUMES,
        }
    }

    /// Goes on where the stream broke by `error`, or says why that can't be.
    fn resume(&mut self, error: io::Error) -> io::Result<()> {
        if self.at >= self.broke_at.saturating_add(PROGRESS) {
            self.failures = 0;
        }
        self.failures += 1;
        self.broke_at = self.at;
        if self.at >= self.size
            || self.resumes == 0
            || !self.client.retry().pause(self.failures, None)
        {
            return Err(self.broken(error));
        }
        self.resumes -= 1;
        self.ask_for_rest().map_err(RegistryError::into_io)
    }

    fn ask_for_rest(&mut self) -> Result<(), RegistryError> {
        let from = |at| ask(self.client, &self.digest, at);
        let (mut ask, from_start) = (from(Some(self.at))?, from(None)?);
        let mut response = self.client.send(&ask)?;
        let is_other_part = response.status().as_u16() == 206
            && !is_rest(
                header(&response, CONTENT_RANGE).unwrap_or_default(),
                self.at,
                self.size,
            );
        if is_other_part || matches!(response.status().as_u16(), 400 | 416) {
            // A proxy that knows no ranges, or not of this file: all of it may still be had.
            ask = from_start;
            response = self.client.send(&ask)?;
        }
        match response.status().as_u16() {
            206 => {
                let told = header(&response, CONTENT_RANGE).unwrap_or_default();
                if !is_rest(told, self.at, self.size) {
                    let (at, size) = (self.at, self.size);
                    return Err(self.client.network(
                        &ask.action,
                        format!("asked for what follows byte {at} of {size}, the registry answers with {told:?}"),
                    ));
                }
                self.skip = 0;
                self.body = BlobBody::of(response.into_body());
            }
            200 => {
                // It knows no ranges: all of it comes again, and the digest tells if it is the same.
                self.body = whole(self.client, &self.digest, self.size, response)?;
                self.skip = self.at;
            }
            _ => return Err(self.client.failure(&ask.action, response)),
        }
        Ok(())
    }

    fn broken(&self, error: io::Error) -> io::Error {
        if error.kind() == ErrorKind::UnexpectedEof {
            return error;
        }
        let action = format!("reading blob {}", self.digest);
        let reason = match is_timeout(&error) {
            true => "nothing more arrived".to_owned(),
            false => error.to_string(),
        };
        let reason = format!("{reason} after {} of {} bytes", self.at, self.size);
        self.client.network(&action, reason).into_io()
    }

    /// Reads once; drops what was passed on before.
    fn read_once(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.skip > 0 {
            let most = usize::try_from(self.skip).unwrap_or(usize::MAX);
            let most = most.min(buf.len());
            let space = buf.get_mut(..most).unwrap_or_default();
            let count = self.body.reader.read(space)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.skip = self.skip.saturating_sub(count as u64);
        }
        match self.body.reader.read(buf)? {
            0 if self.at < self.size => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let all_came = self.at >= self.size && self.skip == 0;
        if buf.is_empty() || (all_came && !self.body.is_measured) {
            return Ok(0);
        }
        loop {
            match self.read_once(buf) {
                Ok(count) => {
                    self.at = self.at.saturating_add(count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.resume(error)?,
            }
        }
    }
}

/// Whether `bytes FIRST-LAST/TOTAL` is what follows byte `at` of `size`, to the end.
fn is_rest(range: &str, at: u64, size: u64) -> bool {
    let parse = || {
        let (range, total) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let fits = total == "*" || total.parse() == Ok(size);
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(fits && first == at && last.checked_add(1) == Some(size))
    };
    parse().unwrap_or(false)
}

fn ask(client: &Client, digest: &Digest, from: Option<u64>) -> Result<Ask<'static>, RegistryError> {
    Ok(Ask {
        method: Method::Get,
        url: client.url(&format!("blobs/{digest}"))?,
        headers: from
            .map(|at| ("range", format!("bytes={at}-")))
            .into_iter()
            .collect(),
        payload: Payload::None,
        action: format!("reading blob {digest}"),
        longest: BLOB_TIME,
    })
}

#[cfg(test)]
mod tests {
    use super::is_rest;

    #[test]
    fn only_all_of_the_rest_will_do() {
        for range in ["bytes 4-9/10", "bytes 4-9/*", " bytes 4-9/10 "] {
            assert!(is_rest(range, 4, 10), "{range}");
        }
        for range in [
            "",
            "bytes 3-9/10",
            "bytes 4-8/10",
            "bytes 4-9/11",
            "4-9/10",
            "bytes 4-9",
            "bytes */10",
            "bytes 4-18446744073709551615/10",
            "bytes -4-9/10",
        ] {
            assert!(!is_rest(range, 4, 10), "{range}");
        }
    }
}
