//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under
//! test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora and mutate these.

use crate::from_app::AppMessage;
use crate::message::Message;

/// What an app says of itself. What the manager is told of it is one line.
pub fn app_notification(data: &[u8]) {
    let message = AppMessage::parse(data);
    let status = message.status.unwrap_or_default();
    let told = Message::new().status(&status);
    let lines = told.as_bytes().split(|byte| *byte == b'\n');
    assert_eq!(lines.filter(|line| !line.is_empty()).count(), 1);
}

#[cfg(test)]
mod tests {
    replay::targets! {
        app_notification: 20_000,
    }
}
