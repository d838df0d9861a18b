//! What keeps files from being played, before they are.

use clap::{ArgMatches, FromArgMatches};
use pod_yaml::pods;

use super::arguments::Play;
use crate::kube::facts::facts;
use crate::kube::files::PodFile;

/// What is wrong with the files of a command line, if that plays some.
pub(crate) fn mistakes(matches: &ArgMatches) -> Vec<String> {
    let Some(("play", of_play)) = matches.subcommand() else {
        return Vec::new();
    };
    let flags = match Play::from_arg_matches(of_play) {
        Ok(flags) => flags,
        Err(error) => return vec![error.to_string()],
    };
    let read = |names: &[String]| {
        let strange = names.iter().filter_map(|name| strange(name));
        let strange: Vec<_> = strange.collect();
        match strange.is_empty() {
            true => PodFile::read_all(names).map_err(|error| vec![error.line()]),
            false => Err(strange),
        }
    };
    let found = read(&flags.files).and_then(|files| {
        let config_maps = read(&flags.configmap)?;
        let sources: Vec<_> = files.iter().map(PodFile::source).collect();
        let config_maps: Vec<_> = config_maps.iter().map(PodFile::source).collect();
        let facts = facts(flags.seccomp_profile_root.clone());
        pods(&sources, &config_maps, &facts)
            .map_err(|error| error.0.iter().map(ToString::to_string).collect())
    });
    match found {
        Err(mistakes) => mistakes,
        Ok(found) if found.pods.is_empty() && found.claims.is_empty() => {
            vec!["there is no pod in what was read".to_owned()]
        }
        Ok(_) => Vec::new(),
    }
}

/// What is said of what is there and no regular file: a device is not read, and nobody waits for who would write into a FIFO.
fn strange(name: &str) -> Option<String> {
    let metadata = std::fs::metadata(name).ok()?;
    (!metadata.is_file()).then(|| format!("{name} is not a regular file"))
}
