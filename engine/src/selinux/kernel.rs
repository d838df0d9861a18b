//! What the kernel and the policy that is installed say.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pod::feature::Feature;
use pod::selinux::Context;
use pod::stage1::Stage1;
use rustix::fs::statfs;

use super::containers::ContainerLabels;
use super::relabel::relabel_one;
use crate::config::directories::Directories;
use crate::config::files::Config;
use crate::error::{Error, SelinuxError};

/// Where the kernel's part of it is mounted, and what says so.
const MOUNT_POINT: &str = "/sys/fs/selinux";
const SELINUX_MAGIC: i64 = 0xf97c_ff8c;
/// The label of every process as long as no policy is loaded.
const WITHOUT_POLICY: &str = "kernel";
/// Where policies are installed, and the file that names the one in use (selinux_config(5)).
const POLICIES: &str = "/etc/selinux";

/// Whether SELinux is enabled here, which it is once a policy is loaded. Where there is none, it takes one system call to
/// know.
pub fn is_enabled() -> bool {
    let is_mounted = statfs(MOUNT_POINT).is_ok_and(|found| found.f_type == SELINUX_MAGIC);
    is_mounted
        && fs::read_to_string("/proc/self/attr/current")
            .is_ok_and(|label| label.trim_end_matches('\0') != WITHOUT_POLICY)
}

/// The labels of containers; `None` if SELinux isn't enabled, or is not to be used.
///
/// # Errors
/// [`SelinuxError`] if what the policy says can't be read.
pub(crate) fn label_containers(config: &Config) -> Result<Option<ContainerLabels>, Error> {
    let Some(types) = config.selinux_types() else {
        return Ok(None);
    };
    if !is_enabled() {
        return Ok(None);
    }
    let path = lxc_contexts();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(Error::io("read", &path))?,
    };
    let has_levels =
        fs::read_to_string(Path::new(MOUNT_POINT).join("mls")).is_ok_and(|text| text.trim() == "1");
    let labels = ContainerLabels::new(&text, types, has_levels)
        .map_err(|reason| SelinuxError::Policy { path, reason })?;
    Ok(Some(labels))
}

/// The label of files that all pods may use, where files have labels.
///
/// # Errors
/// As [`label_containers`], or if the configuration can't be read.
pub(crate) fn shared_label(directories: &Directories) -> Result<Option<Context>, Error> {
    if !is_enabled() {
        return Ok(None);
    }
    let config = Config::read(directories)?;
    Ok(label_containers(&config)?.map(ContainerLabels::shared_file))
}

/// Those of them that an isolator can give. If it can't, and somebody has asked for some, it will be refused for that.
pub(crate) fn given_by(
    labels: Option<ContainerLabels>,
    stage1: &Stage1,
    is_asked: bool,
) -> Option<ContainerLabels> {
    let gives = || stage1.manifest.features.contains(&Feature::Selinux);
    labels.filter(|_| is_asked || gives())
}

/// Whether apps can get the labels that they are to get, if they are to get some.
pub(crate) fn labels_are_known(config: &Config) -> bool {
    match label_containers(config) {
        Ok(Some(labels)) => labels
            .of_apps()
            .into_iter()
            .all(|label| knows(label).is_ok()),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Sees to it that the files of layers which come from now on can be read by apps: what is made in a directory has the type
/// of the directory.
///
/// # Errors
/// As [`label_containers`], or if the directory of images can't be labelled.
pub(crate) fn label_store(config: &Config, images: &Path) -> Result<(), Error> {
    let Some(labels) = label_containers(config)? else {
        return Ok(());
    };
    let known = labels
        .of_layers()
        .into_iter()
        .find(|one| knows(one).is_ok());
    let Some(label) = known else {
        return Ok(());
    };
    let staging = images.join("tmp");
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&staging);
    made.map_err(Error::io("create", &staging))?;
    [images, &staging]
        .into_iter()
        .try_for_each(|directory| relabel_one(directory, label))
}

fn lxc_contexts() -> PathBuf {
    let policies = Path::new(POLICIES);
    let config = fs::read_to_string(policies.join("config")).unwrap_or_default();
    policies
        .join(policy_name(&config))
        .join("contexts/lxc_contexts")
}

/// The policy that a configuration names.
fn policy_name(config: &str) -> &str {
    let mut values = config.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "SELINUXTYPE").then(|| value.trim())
    });
    let named = values.rfind(|value| !value.is_empty() && !value.contains('/'));
    named.unwrap_or("targeted")
}

/// Makes sure that the policy knows a label.
///
/// # Errors
/// [`SelinuxError::UnknownLabel`].
pub(crate) fn knows(label: &Context) -> Result<(), Error> {
    let path = Path::new(MOUNT_POINT).join("context");
    let asked = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(label.to_string().as_bytes()));
    match asked {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(SelinuxError::UnknownLabel(Box::new(label.clone())).into())
        }
        Err(error) => Err(Error::io("ask", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_in_use_is_the_one_that_the_configuration_names() {
        for (config, name) in [
            ("", "targeted"),
            ("SELINUX=enforcing\nSELINUXTYPE=mls\n", "mls"),
            ("# SELINUXTYPE=x\n SELINUXTYPE = default \n", "default"),
            ("SELINUXTYPE=../../tmp", "targeted"),
        ] {
            assert_eq!(policy_name(config), name);
        }
    }
}
