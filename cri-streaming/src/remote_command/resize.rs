//! Sizes of a terminal, as clients send them: objects of JSON one after the other.

use serde::Deserialize;

use crate::process::TerminalSize;

/// The most bytes that one object may have.
const LARGEST: usize = 1024;

#[derive(Deserialize)]
struct Size {
    #[serde(rename = "Width", alias = "width")]
    width: u16,
    #[serde(rename = "Height", alias = "height")]
    height: u16,
}

/// Reads sizes from bytes as they come in.
#[derive(Debug, Default)]
pub struct SizeReader {
    pending: Vec<u8>,
    broken: bool,
}

impl SizeReader {
    /// Takes bytes, and gives the size that counts after them: the last one, since all before it
    /// are past. What isn't a size ends the stream, as it does for Kubernetes' own server; the
    /// command goes on.
    pub fn read(&mut self, bytes: &[u8]) -> Option<TerminalSize> {
        if self.broken {
            return None;
        }
        self.pending.extend_from_slice(bytes);
        let mut objects = serde_json::Deserializer::from_slice(&self.pending).into_iter::<Size>();
        let mut last = None;
        let mut broken = false;
        for object in objects.by_ref() {
            match object {
                Ok(size) => {
                    last = Some(TerminalSize {
                        rows: size.height,
                        columns: size.width,
                    })
                }
                Err(error) => {
                    broken = !error.is_eof();
                    break;
                }
            }
        }
        let offset = objects.byte_offset();
        self.pending.drain(..offset.min(self.pending.len()));
        self.broken = broken || self.pending.len() > LARGEST;
        if self.broken {
            self.pending = Vec::new();
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(columns: u16, rows: u16) -> Option<TerminalSize> {
        Some(TerminalSize { rows, columns })
    }

    #[test]
    fn sizes_are_read_however_they_are_cut() {
        let text = b"{\"Width\":80,\"Height\":24}\n{\"Height\": 50, \"Width\": 132, \"x\": 1}";
        for cut in 1..text.len() {
            let mut reader = SizeReader::default();
            let read: Vec<_> = text
                .chunks(cut)
                .filter_map(|part| reader.read(part))
                .collect();
            assert_eq!(read.last().copied(), size(132, 50), "{cut}");
        }
        assert_eq!(SizeReader::default().read(&text[..24]), size(80, 24));
    }

    #[test]
    fn what_is_no_size_ends_the_stream_of_them() {
        for text in [
            "[]",
            "{\"Width\":-1,\"Height\":1}",
            "{\"Width\":70000,\"Height\":1}",
            "{}",
            "x",
        ] {
            let mut reader = SizeReader::default();
            assert_eq!(reader.read(text.as_bytes()), None, "{text}");
            assert_eq!(reader.read(b"{\"Width\":80,\"Height\":24}"), None, "{text}");
        }
    }

    #[test]
    fn an_object_without_end_is_not_kept() {
        let mut reader = SizeReader::default();
        for _ in 0..1000 {
            reader.read(&[b' '; 100]);
            reader.read(b"{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        }
        assert!(reader.pending.is_empty());
    }
}
