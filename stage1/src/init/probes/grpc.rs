//! One call of gRPC's health service (`grpc.health.v1.Health/Check`) over cleartext HTTP/2: what is sent, and what the
//! answer says. It is one call that fits into one frame each way, for which no library is worth its room in every pod.

mod frames;
mod header_block;

use frames::Frame;
use header_block::CallStatus;

use super::outcome::failed;
use crate::protocol::ProbeOutcome;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_HEADER_TABLE_SIZE = 0 and SETTINGS_ENABLE_PUSH = 0.
const OUR_SETTINGS: [u8; 12] = [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0];
/// Longest name of a service, in bytes.
const SERVICE_MAX: usize = 4 << 10;
/// How much a server may say in all, in bytes. It is less than what it may send unasked.
const HEARD_MAX: usize = 48 << 10;
/// Longest answer: it is one number.
const MESSAGE_MAX: usize = 1 << 10;
const SERVING: u64 = 1;

/// One call on its way.
#[derive(Debug, Default)]
pub(in crate::init) struct Call {
    service: String,
    /// What has come and is no whole frame yet.
    buffer: Vec<u8>,
    heard: usize,
    /// Whether the server has begun as servers do.
    has_begun: bool,
    /// A header block that goes on in the next frame, and whether it is the last thing that is said.
    block: Option<(Vec<u8>, bool)>,
    message: Vec<u8>,
    status: CallStatus,
}

impl Call {
    /// A call about this service, and what is sent for it; `None` for a name that is too long.
    pub(in crate::init) fn new(port: u16, service: &str) -> Option<(Self, Vec<u8>)> {
        if service.len() > SERVICE_MAX {
            return None;
        }
        let mut out = PREFACE.to_vec();
        frames::write(&mut out, frames::SETTINGS, 0, 0, &OUR_SETTINGS);
        let block = request_block(port);
        let stream = frames::STREAM;
        frames::write(
            &mut out,
            frames::HEADERS,
            frames::END_HEADERS,
            stream,
            &block,
        );
        let message = request_message(service);
        frames::write(&mut out, frames::DATA, frames::END_STREAM, stream, &message);
        let call = Self {
            service: service.to_owned(),
            ..Self::default()
        };
        Some((call, out))
    }

    /// Takes what has come. What is to be said to that is added to `out`.
    pub(in crate::init) fn hear(&mut self, some: &[u8], out: &mut Vec<u8>) -> Option<ProbeOutcome> {
        self.heard = self.heard.saturating_add(some.len());
        if self.heard > HEARD_MAX {
            return Some(failed("the answer does not end"));
        }
        self.buffer.extend(some);
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        loop {
            match Frame::read(rest) {
                Err(frames::TooLong) => return Some(not_http2()),
                Ok(None) => break,
                Ok(Some((frame, length))) => {
                    match self.take(&frame, out) {
                        Ok(None) => {}
                        Ok(Some(outcome)) | Err(outcome) => return Some(outcome),
                    }
                    rest = rest.get(length..).unwrap_or_default();
                }
            }
        }
        self.buffer = rest.to_vec();
        None
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<ProbeOutcome>, ProbeOutcome> {
        if !std::mem::replace(&mut self.has_begun, true) && frame.kind != frames::SETTINGS {
            return Err(not_http2());
        }
        // Nothing may come between the parts of a block.
        if self.block.is_some() != (frame.kind == frames::CONTINUATION) {
            return Err(not_http2());
        }
        let is_ours = frame.stream == frames::STREAM;
        match frame.kind {
            frames::SETTINGS if !frame.has(frames::ACK) => {
                frames::write(out, frames::SETTINGS, frames::ACK, 0, &[]);
            }
            frames::PING if !frame.has(frames::ACK) => {
                frames::write(out, frames::PING, frames::ACK, 0, frame.payload);
            }
            frames::HEADERS if is_ours => {
                let content = frame.content().ok_or_else(not_http2)?;
                self.block = Some((content.to_vec(), frame.has(frames::END_STREAM)));
                return self.end_block(frame.has(frames::END_HEADERS));
            }
            frames::CONTINUATION if is_ours => {
                if let Some((block, _)) = &mut self.block {
                    block.extend(frame.payload);
                }
                return self.end_block(frame.has(frames::END_HEADERS));
            }
            frames::DATA if is_ours => {
                let content = frame.content().ok_or_else(not_http2)?;
                self.message.extend(content);
                if self.message.len() > MESSAGE_MAX {
                    return Err(failed("the answer is none of the health service"));
                }
                if frame.has(frames::END_STREAM) {
                    return Ok(Some(self.outcome()));
                }
            }
            frames::RST_STREAM if is_ours => {
                return Err(failed(format!(
                    "the server has refused the call with error {} of HTTP/2",
                    number_in(frame.payload)
                )));
            }
            frames::GOAWAY => {
                let (last, error) = frame.payload.split_at_checked(4).unwrap_or_default();
                // It may be one that lets this call be.
                if number_in(last) & 0x7fff_ffff < frames::STREAM || number_in(error) != 0 {
                    return Err(failed(format!(
                        "the server has ended the connection with error {} of HTTP/2",
                        number_in(error)
                    )));
                }
            }
            frames::HEADERS | frames::CONTINUATION | frames::DATA | frames::PUSH_PROMISE => {
                return Err(not_http2());
            }
            // Of other kinds nothing follows for one call.
            _ => {}
        }
        Ok(None)
    }

    /// Reads a header block that is whole.
    fn end_block(&mut self, is_whole: bool) -> Result<Option<ProbeOutcome>, ProbeOutcome> {
        let Some((block, is_last)) = self.block.take_if(|_| is_whole) else {
            return Ok(None);
        };
        self.status.read(&block).map_err(|_| not_http2())?;
        if let Some(status) = self.status.http.filter(|status| *status != 200) {
            return Err(failed(format!("the status of HTTP is {status}")));
        }
        Ok(is_last.then(|| self.outcome()))
    }

    /// What all of it says.
    fn outcome(&self) -> ProbeOutcome {
        match self.status.grpc {
            None | Some(0) => {}
            Some(5) => return failed(format!("the server knows no service {:?}", self.service)),
            Some(12) => return failed("the server has no health service"),
            Some(code) => return failed(format!("the status of gRPC is {code}")),
        }
        match serving_status(&self.message) {
            Some(SERVING) => ProbeOutcome::Passed,
            Some(0) => failed("the server says UNKNOWN"),
            Some(2) => failed("the server says NOT_SERVING"),
            Some(3) => failed("the server says SERVICE_UNKNOWN"),
            Some(other) => failed(format!("the server says {other}, which is not SERVING")),
            None => failed("the answer is none of the health service"),
        }
    }
}

fn not_http2() -> ProbeOutcome {
    failed("the answer is none of HTTP/2")
}

/// The first number of four bytes.
fn number_in(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |four| u32::from_be_bytes(*four))
}

/// The fields of the request. Fields without an index and Huffman's code are what every server reads.
fn request_block(port: u16) -> Vec<u8> {
    // `:method: POST` and `:scheme: http` stand in the static table.
    let mut block = vec![0x83, 0x86];
    let mut add = |name: Name<'_>, value: &str| {
        match name {
            Name::OfTable(index @ 0..15) => block.push(index),
            Name::OfTable(index) => block.extend([15, index - 15]),
            Name::New(name) => {
                block.push(0);
                add_text(&mut block, name);
            }
        }
        add_text(&mut block, value);
    };
    add(Name::OfTable(4), "/grpc.health.v1.Health/Check");
    add(Name::OfTable(1), &format!("localhost:{port}"));
    add(Name::OfTable(31), "application/grpc");
    add(
        Name::OfTable(58),
        concat!("fairing-probe/", env!("CARGO_PKG_VERSION")),
    );
    add(Name::New("te"), "trailers");
    block
}

/// The name of a field: its place in the static table, or itself.
enum Name<'a> {
    OfTable(u8),
    New(&'a str),
}

/// A text of less than 127 bytes.
fn add_text(block: &mut Vec<u8>, text: &str) {
    let length = text.len().min(126);
    block.push(u8::try_from(length).unwrap_or_default());
    block.extend(text.bytes().take(length));
}

/// A message of gRPC that holds a `HealthCheckRequest`: field 1 is the service.
fn request_message(service: &str) -> Vec<u8> {
    let mut request = Vec::new();
    if !service.is_empty() {
        request.push(1 << 3 | 2);
        add_varint(&mut request, service.len());
        request.extend(service.bytes());
    }
    let mut message = vec![0];
    let length = u32::try_from(request.len()).unwrap_or_default();
    message.extend(length.to_be_bytes());
    message.extend(request);
    message
}

fn add_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

/// The status in a message of gRPC that holds a `HealthCheckResponse`: field 1, which is left out where it is 0.
fn serving_status(message: &[u8]) -> Option<u64> {
    let (prefix, response) = message.split_at_checked(5)?;
    let (is_compressed, length) = prefix.split_first()?;
    if *is_compressed != 0 || usize::try_from(number_in(length)).ok()? != response.len() {
        return None;
    }
    let mut status = 0;
    let mut rest = response;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let length = match key & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests;
