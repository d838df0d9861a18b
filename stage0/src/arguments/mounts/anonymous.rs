//! Volumes without a source: empty ones of the pod, which begin with what the image has at their place.

use std::collections::BTreeSet;

use pod::manifest::{
    AppPath, Medium, Mount, MountOption, MountSource, Volume, VolumeName, VolumeSource,
};
use pod::named_volumes::Ownership;

use super::place::plain_mount;

/// A place in an app that gets a volume which nobody has described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnonymousMount {
    pub(crate) destination: AppPath,
    pub(crate) options: Vec<MountOption>,
}

/// Gives volumes to such places: names that no other volume of the pod has.
#[derive(Debug)]
pub(crate) struct Namer {
    taken: BTreeSet<VolumeName>,
    number: usize,
}

impl Namer {
    /// `taken` are the names of the pod's other volumes.
    pub(crate) fn new(taken: impl Iterator<Item = VolumeName>) -> Self {
        Self {
            taken: taken.collect(),
            number: 0,
        }
    }

    /// A volume and the mount of it. `None` if there are more of them than numbers.
    pub(crate) fn volume(&mut self, asked: AnonymousMount) -> Option<(Volume, Mount)> {
        let name = loop {
            self.number = self.number.checked_add(1)?;
            let name: VolumeName = format!("anonymous-{}", self.number).parse().ok()?;
            if self.taken.insert(name.clone()) {
                break name;
            }
        };
        let source = MountSource::Volume {
            name: name.clone(),
            sub_path: None,
        };
        // Who says otherwise is heard: the last option counts.
        let options = std::iter::once(MountOption::Copy).chain(asked.options);
        let mount = plain_mount(
            asked.destination,
            source,
            options.collect::<Vec<_>>().into(),
        );
        let volume = Volume {
            name,
            source: VolumeSource::Empty {
                medium: Medium::Disk,
                size: None,
                ownership: Ownership::default(),
            },
            read_only: false,
        };
        Some((volume, mount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_without_a_source_get_names_that_no_other_has() {
        let taken = ["anonymous-1", "data"].map(|name| name.parse().unwrap());
        let mut namer = Namer::new(taken.into_iter());
        let mut name = || {
            let asked = AnonymousMount {
                destination: AppPath::try_from("/x".to_owned()).unwrap(),
                options: vec![MountOption::Rro],
            };
            let (volume, mount) = namer.volume(asked).unwrap();
            assert_eq!(mount.options, [MountOption::Copy, MountOption::Rro]);
            volume.name.to_string()
        };
        assert_eq!(
            (name(), name()),
            ("anonymous-2".into(), "anonymous-3".into())
        );
    }
}
