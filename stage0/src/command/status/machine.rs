//! How the virtual machine of a pod began, and whether its kernel checks what it reads of images.

use engine::pods::view::PodView;
use pod::machine::MachineRecord;
use pod::manifest::ImageFilesystem;

/// How a machine began.
pub(super) fn beginning(machine: &MachineRecord) -> &'static str {
    match machine.from_template {
        true => "copy of a template",
        false => "boot",
    }
}

/// Whether a machine's kernel checks what it reads of the pod's images, and why not.
pub(super) fn checks_images(view: &PodView, machine: &MachineRecord) -> String {
    let apps = view.apps.iter();
    let apps: Vec<_> = apps
        .map(|app| (app.name.as_str(), app.filesystem.as_ref()))
        .collect();
    checks(machine.checks_disks, view.remove_on_exit, &apps)
}

/// By the names of apps, with the filesystems that the machine has of their images.
fn checks(
    checks_disks: bool,
    remove_on_exit: bool,
    apps: &[(&str, Option<&ImageFilesystem>)],
) -> String {
    let has_tree = |filesystem: &Option<&ImageFilesystem>| {
        filesystem.is_some_and(|filesystem| filesystem.verity.is_some())
    };
    let checked = apps.iter().filter(|(_, filesystem)| has_tree(filesystem));
    let checked: Vec<&str> = checked.map(|(name, _)| *name).collect();
    match (checks_disks, remove_on_exit) {
        (true, _) if checked.len() == apps.len() => "while it reads them".to_owned(),
        (true, _) => format!("while it reads those of {}", checked.join(", ")),
        (false, false) => "no: a pod that is kept shares its files with the host".to_owned(),
        (false, true) if checked.is_empty() => "no: no rule says integrity = \"full\"".to_owned(),
        (false, true) => "no: its kernel has no dm-verity".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filesystem(has_tree: bool) -> ImageFilesystem {
        let digest = "0".repeat(64);
        let tree = format!(
            r#", "verity": {{"root-hash": "sha256:{digest}", "salt": "sha256:{digest}", "data-blocks": 1}}"#
        );
        let text = format!(
            r#"{{"chain-id": "sha256:{digest}", "digest": "sha256:{digest}"{}}}"#,
            if has_tree { &tree } else { "" }
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_true_reason_is_told() {
        let (plain, with_tree) = (filesystem(false), filesystem(true));
        let plain = ("a", Some(&plain));
        let with_tree = ("b", Some(&with_tree));
        for (checks_disks, remove_on_exit, apps, said) in [
            (true, true, &[with_tree][..], "while it reads them"),
            (true, true, &[plain, with_tree], "while it reads those of b"),
            (false, false, &[("a", None)], "no: a pod that is kept"),
            (false, true, &[plain], "no: no rule says"),
            (false, true, &[with_tree], "no: its kernel has no dm-verity"),
        ] {
            let told = checks(checks_disks, remove_on_exit, apps);
            assert!(told.starts_with(said), "{told}");
        }
    }
}
