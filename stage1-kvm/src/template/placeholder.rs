//! What a template has in the place of devices that are its copies' own.

use cni_glue::mac::Mac;

/// The hardware address of a template's interface of this number.
pub(super) fn template_mac(number: usize) -> Mac {
    // Locally administered, and never on a network: a template's interfaces lead nowhere.
    Mac([0x02, 0, 0, 0, 0, u8::try_from(number).unwrap_or(u8::MAX)])
}
