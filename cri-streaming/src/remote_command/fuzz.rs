//! A client of any kind, to the end: for the fuzz targets.

use super::channel::{Channel, Incoming};
use super::channels::Channels;
use super::resize::SizeReader;
use super::status::Status;
use crate::http::Upgrade;
use crate::process::Wanted;

/// Takes what a client sends, answers as a command would, and ends. What was taken in is no more
/// than what was sent.
pub(crate) fn fuzz(upgrade: &Upgrade, wanted: Wanted, data: &[u8], status: &Status) {
    let mut channels = Channels::new(upgrade, wanted);
    let mut sizes = SizeReader::default();
    let mut taken = 0;
    for piece in data.chunks(50) {
        let result = channels.receive(piece);
        while let Some(incoming) = channels.incoming() {
            match incoming {
                Incoming::Data(Channel::Resize, bytes) => {
                    taken += bytes.len();
                    sizes.read(&bytes);
                }
                Incoming::Data(_, bytes) => {
                    taken += bytes.len();
                    channels.send(Channel::Stdout, &bytes);
                    channels.send(Channel::Stderr, &bytes);
                }
                Incoming::End(_) => channels.end(Channel::Stdout),
                Incoming::Gone => {}
            }
        }
        channels.output().clear();
        if let Err(violation) = result {
            channels.refuse(&violation);
            break;
        }
    }
    assert!(taken <= data.len());
    channels.finish(status);
    assert!(channels.output().len() < 1000);
}
