//! Commands that docker, podman or rkt have and this program hasn't: what there is instead.

/// What to say about a command that there is not; nothing if nobody has it.
pub(crate) fn instead(word: &str) -> Option<String> {
    let (_, text) = TABLE
        .iter()
        .find(|(words, _)| words.split(' ').any(|known| known == word))?;
    let (what, help) = text.split_once("; ").unwrap_or((text, ""));
    let help = match help {
        "" => String::new(),
        help => format!("; {help}"),
    };
    Some(format!("`{word}`: {what}{help}"))
}

/// Words, what is so, and what helps.
const TABLE: &[(&str, &str)] = &[
    (
        "build buildx commit",
        "fairing builds no images; `fairing image import` takes what other tools built",
    ),
    (
        "volume volumes",
        "volumes are not there yet; `fairing export POD` gets the files of a pod",
    ),
    (
        "cp",
        "copying between a pod and the host is not there yet; `fairing enter POD -- tar …` does it, \
         and `fairing image copy` copies images",
    ),
    (
        "attach",
        "attaching to a running pod is not there yet; `fairing logs --follow` shows what it writes, \
         `fairing enter` starts a command in it",
    ),
    (
        "pause unpause",
        "pausing is not there yet; `fairing kill -s STOP POD` and `-s CONT` stop and continue the \
         main process of each app",
    ),
    (
        "rename",
        "a pod keeps its name; `fairing rm` and `fairing run --name` make another",
    ),
    (
        "update",
        "limits of a running pod can't be changed yet; `fairing run --memory --cpus` sets them at the \
         start",
    ),
    (
        "stats",
        "use of resources is not shown yet; `fairing top` shows the processes of a pod",
    ),
    (
        "diff",
        "changes of a pod's files are not shown yet; `fairing export` writes all of its files",
    ),
    (
        "events",
        "events are not there yet; `fairing wait` waits for the end of a pod",
    ),
    (
        "create",
        "it is called `fairing prepare`; `fairing start` starts what was prepared",
    ),
    (
        "container pod",
        "what runs is a pod, and commands for it have no group; `fairing ps`, `fairing rm`, …",
    ),
    (
        "search",
        "registries are not searched; `fairing fetch NAME` gets an image by its name",
    ),
    (
        "compose docker-compose",
        "compose files are not read; `fairing run IMAGE --- IMAGE2` makes a pod of several apps",
    ),
    (
        "generate quadlet",
        "units for systemd are not generated yet; docs/services.md shows how to write one",
    ),
    (
        "play kube",
        "Kubernetes files are not read yet; `fairing run IMAGE --- IMAGE2` makes a pod of several apps",
    ),
    (
        "connect disconnect",
        "a pod joins its networks at its start; `fairing run --net NAME` says which",
    ),
    (
        "healthcheck",
        "health checks are not there yet; `fairing status` shows how a pod is",
    ),
    (
        "mount unmount umount",
        "a pod's root filesystem is mounted in the pod alone; `fairing enter POD` looks into it",
    ),
    (
        "manifest",
        "lists of manifests are not made; `fairing image cat-manifest IMAGE` prints one",
    ),
    (
        "machine",
        "fairing runs on Linux itself, without a virtual machine",
    ),
    (
        "secret config",
        "secrets and configs are not there yet; `fairing run --env-file FILE` passes variables",
    ),
    (
        "context swarm service stack node daemon api-service metadata-service",
        "there is no daemon; a command does its work itself, as root of the machine",
    ),
    (
        "prune",
        "`fairing gc --grace-period=0s` removes ended pods and what nobody needs, \
         `fairing image gc --expire 0` images that no pod needs",
    ),
    (
        "untag",
        "it is called `fairing image rm NAME`, which removes a name",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let said = instead("volume").unwrap();
        assert!(said.contains("volumes are not there yet"), "{said}");
        assert!(instead("cp").unwrap().contains("fairing enter"));
        assert_eq!(instead("frobnicate"), None);
    }

    #[test]
    fn commands_that_are_there_are_not_said_to_be_missing() {
        let command = crate::command::definition();
        for (words, _) in TABLE {
            for word in words.split(' ') {
                let found = command.find_subcommand(word);
                assert!(found.is_none(), "{word} is there");
            }
        }
    }
}
