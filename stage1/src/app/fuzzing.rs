//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under
//! test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora and mutate these.

use pod::accounts::Accounts;

/// Who to be, and an image's files of accounts: user, group, `/etc/passwd` and `/etc/group`, each up to a NUL.
pub fn accounts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(4, '\0');
    let mut part = || parts.next().unwrap_or_default();
    let (user, group) = (part(), part());
    let accounts = Accounts {
        passwd: part().to_owned(),
        group: part().to_owned(),
    };
    let Ok(identity) = accounts.resolve(user, group) else {
        return;
    };
    assert!(identity.home.starts_with('/'), "{identity:?}");
    assert_eq!(identity.groups.first(), Some(&identity.gid));
    // It means "no change" to setresuid(2).
    let ids = identity.groups.iter().chain([&identity.uid]);
    assert!(ids.into_iter().all(|id| *id != u32::MAX), "{identity:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn accounts() {
        replay::replay("accounts", 20_000, super::accounts);
    }
}
