//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under test has a bug.

use crate::devices::cdi::{DeviceName, Form, parse};

/// Descriptions of devices, and names of them.
pub fn device_description(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // What is understood of it is looked for on the host only by who asks for a device.
    let _ = parse(text, Form::Json);
    let _ = parse(text, Form::Yaml);
    if let Ok(name) = text.parse::<DeviceName>() {
        assert_eq!(name.to_string(), text);
    }
}

#[cfg(test)]
mod tests {
    replay::targets! {
        device_description: 20_000,
    }
}
