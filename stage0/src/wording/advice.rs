//! Failures of the engine as a person at a shell is told of them: with the flags and commands that help.

use std::io::ErrorKind;

use cni_glue::NetworkError;
use engine::Error;
use engine::error::{
    AppError, DeviceError, IsolatorError, MonitorError, MountError, NetworkSpecError, OwnPart,
    SecurityError, SelinuxError, UpdateError, UserNamespaceError, VolumeError,
};
use engine::updates::policy::LABEL;
use image_registry::{OwnCredentials, RegistryError, TlsLack};
use image_store::{ContentError, ImageArgument, ImageSource, StoreError};
use pod::stage1::Stage1Error;
use pod::{PodError, State};

use super::{lacking, typed};
use crate::arguments::network_variable::NET_VARIABLE;

/// What went wrong, and what to do about it.
pub(super) fn text(error: &Error) -> String {
    match error {
        Error::NoSuchPodOrImage(_) => {
            format!("{error}; `fairing list` shows all pods, `fairing image list` all images")
        }
        Error::NotInStore { reference } => format!("{error}; {}", remedy(reference)),
        Error::Refusing { message, .. }
            if message.starts_with("cannot enter the working directory") =>
        {
            format!("{error}; --workdir names another")
        }
        Error::Refusing { message, .. } if message.ends_with(" is paused") => {
            format!("{error}; `fairing resume` lets it go on")
        }
        Error::OtherImage { .. } => format!("{error}; prepare it again"),
        Error::RatherFile {
            word,
            is_there: true,
        } => format!("{error}; ./{word} names the file, docker://{word} an image"),
        Error::RatherFile { word, .. } => {
            format!("{error}; docker://{word} names an image of a registry")
        }
        Error::Integrity { reference, source } => {
            format!("{error}; {}", integrity_remedy(source, reference))
        }
        Error::Pod(error) | Error::Stage1(Stage1Error::Manifest(error)) => pod(error),
        Error::Unreadable(pod) => match (&pod.reason, pod.state) {
            (PodError::LaterVersion { .. }, _) => format!("{error}; upgrade fairing"),
            (_, State::Running) => format!(
                "{error}; what it may use is kept; `fairing rm --force {}` ends and removes it",
                pod.uuid
            ),
            _ => format!("{error}; `fairing rm {}` removes it", pod.uuid),
        },
        Error::App(error) => app(error),
        Error::Mount(error) => mount(error),
        Error::Volume(error) => volume(error),
        Error::Update(error) => update(error),
        Error::Stage1(Stage1Error::Lacks { feature, .. }) => match lacking::remedy(*feature) {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        },
        Error::Isolator(IsolatorError::NotFound { .. }) => {
            format!("{error}; name its directory with --stage1")
        }
        Error::Isolator(IsolatorError::OwnProcesses(_)) => {
            format!(
                "--pid=host: {error}; a pod of its own (--userns=host) can be among them, or one of --stage1=fly"
            )
        }
        Error::Isolator(IsolatorError::Shares { what, .. }) => {
            let help = match what {
                OwnPart::Network => match std::env::var_os(NET_VARIABLE) {
                    // The flag counts more, so that it helps whichever of them it was.
                    Some(value) if !value.is_empty() => format!(
                        "--net=host says so, also where the variable {NET_VARIABLE} names others"
                    ),
                    _ => "--net=host says so".to_owned(),
                },
                OwnPart::HostName => "leave --hostname out".to_owned(),
                OwnPart::Namespace(namespace) => format!("leave --{} out", namespace.word()),
            };
            format!("{error}; {help}")
        }
        Error::Monitor(MonitorError::Deaf(uuid) | MonitorError::Busy { uuid, .. }) => {
            format!("{error}; `fairing stop --force {uuid}` may end it")
        }
        Error::Device(DeviceError::Hooks { .. }) => format!(
            "{error}; describe it without: `nvidia-ctk cdi generate --disable-hook=all` does for NVIDIA's"
        ),
        Error::Monitor(MonitorError::Stopped(pid)) => {
            format!("{error}; `kill -CONT {pid}` lets it go on, `fairing stop` ends the pod")
        }
        Error::NetworkSpec(error) => network_spec(error),
        Error::Network(error) => network(error),
        Error::Store(error) => store(error),
        Error::UserNamespace(UserNamespaceError::Unavailable(_)) => format!(
            "{error}; --userns=host does without, where root in the pod is root on the host"
        ),
        Error::Selinux(error) => selinux(error),
        Error::Security(SecurityError::HostPids) => {
            format!("--pid=host: {error}; --userns=host gives it the host's users")
        }
        Error::Security(SecurityError::HostIpc | SecurityError::HostCgroups) => {
            format!("{error}; --userns=host gives it the host's users")
        }
        error => error.to_string(),
    }
}

fn selinux(error: &SelinuxError) -> String {
    match error {
        SelinuxError::UnknownLabel(_) => format!(
            "{error}; install a policy for containers (container-selinux), name types of yours under [selinux] in config.toml, or \
             run the app with --security-opt label=disable"
        ),
        SelinuxError::SystemDirectory(_) => format!(
            "{error}; mount it without `z` and `Z`, or run the app with --security-opt label=disable"
        ),
        SelinuxError::Unlabelled { .. } => format!("{error}; mount it without `z` and `Z`"),
        error => error.to_string(),
    }
}

fn pod(error: &PodError) -> String {
    match error {
        PodError::Damaged { .. } => {
            format!("{error}; `fairing rm` or `fairing gc` removes the pod it belongs to")
        }
        PodError::NoLink(_) => {
            format!("{error}; `fairing gc` removes it, and the UUID names the pod meanwhile")
        }
        PodError::LaterVersion { .. } => format!("{error}; upgrade fairing"),
        PodError::NoSuchPod(_) => format!("{error}; `fairing list` shows all pods"),
        PodError::NameInUse { name, .. } => {
            format!(
                "{error}; choose another, or `fairing rm {name}` removes that pod, with --force one that runs"
            )
        }
        PodError::NoIdBlock { .. } => format!(
            "{error}; `fairing rm` frees those of a pod that has ended, and `ids` in the table [user-namespaces] of \
             config.toml gives more"
        ),
        error => error.to_string(),
    }
}

fn app(error: &AppError) -> String {
    match error {
        AppError::NoProgram { .. } => {
            format!("{error}; name one after the image")
        }
        AppError::NoHealthcheck { .. } => format!(
            "{error}: --health-cmd, --health-http, --health-https, --health-tcp or --health-grpc says what is checked"
        ),
        AppError::EmptyProgram { .. } => format!("{error}; name one with --exec PROGRAM"),
        AppError::FlagAsProgram { .. } => format!(
            "{error}; flags of the pod go before the first image, flags of an app before its command"
        ),
        AppError::Paused(uuid) => format!("{error}; `fairing resume {uuid}` lets it go on"),
        AppError::Systemd { .. } => format!("{error}; --systemd=false starts it as any other"),
        error => error.to_string(),
    }
}

fn mount(error: &MountError) -> String {
    match error {
        MountError::NoVolume { name, .. } => {
            format!(
                "{error}; source={name} mounts the named volume, --volume {name},kind=… describes one of the pod"
            )
        }
        MountError::NoSource { path, source } if source.kind() == ErrorKind::NotFound => format!(
            "{error}; --volume and --mount make no source: is {} spelled right?",
            path.display()
        ),
        error => error.to_string(),
    }
}

fn update(error: &UpdateError) -> String {
    match error {
        UpdateError::Busy => format!("{error}; try again when it is done"),
        UpdateError::Records { .. } => {
            format!("{error}; without the file, what was refused and what came before is forgotten")
        }
        UpdateError::NoRegistry(_) | UpdateError::Policy { .. } => {
            format!("{error}; `{LABEL}=local` looks for newer images in the store")
        }
        UpdateError::NotAsking(_) => {
            format!("{error}; `--label {LABEL}=registry` of `fairing run` asks")
        }
        UpdateError::WentBack { .. } => {
            format!("{error}; the newer image is not tried again without --retry")
        }
        error => error.to_string(),
    }
}

fn volume(error: &VolumeError) -> String {
    match error {
        VolumeError::Unknown(_) => format!("{error}; `fairing volume list` shows all volumes"),
        VolumeError::InUse { .. } => {
            format!("{error}; `fairing rm` removes pods, with --force those that run")
        }
        VolumeError::Exists(_) => {
            format!("{error}; `fairing volume create --ignore` takes it as it is")
        }
        VolumeError::NotNew(name) => {
            format!("{error}; import into another, or `fairing volume rm {name}` first")
        }
        VolumeError::Held(_) => format!("{error}; try again when that has ended"),
        VolumeError::Files(PodError::NoProjectQuotas { filesystem, .. }) => {
            let how = match filesystem.as_str() {
                "ext4" => {
                    "; `tune2fs -O project,quota`, with the filesystem unmounted, and the mount option prjquota give it some"
                }
                "XFS" => "; the mount option pquota gives it some",
                _ => ": ext4 and XFS can have them",
            };
            format!("--size: {error}{how}")
        }
        VolumeError::Files(_) => error.to_string(),
    }
}

fn network_spec(error: &NetworkSpecError) -> String {
    match error {
        NetworkSpecError::PortsWithoutNetwork => {
            "--port is for pods that join a network: with --net=host the pod's ports are the host's, and \
             with --net=none nobody reaches them"
                .to_owned()
        }
        NetworkSpecError::BandwidthWithoutNetwork => {
            "--bandwidth is for pods that join a network: with --net=host the interfaces are the host's, and with \
             --net=none there are none"
                .to_owned()
        }
        NetworkSpecError::Port(_) | NetworkSpecError::Ports(_) => format!("--port: {error}"),
        NetworkSpecError::Argument { .. } => format!("--net: {error}"),
        NetworkSpecError::HandedOver { .. } => {
            let text = error.to_string();
            text.replacen("to be published,", "to be published by --port,", 1)
        }
    }
}

fn network(error: &NetworkError) -> String {
    match pod::network::remedy(error) {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

fn store(error: &StoreError) -> String {
    match error {
        StoreError::Registry(error) => registry(error),
        StoreError::NoImage { path, .. } if typed::is_no_file(path) => error.to_string(),
        StoreError::NoImage {
            path,
            is_root: true,
        } => format!(
            "{error}; `rootfs:{0}` in its place takes it as one, and `fairing image import rootfs:{0} --name NAME` gives it a name",
            path.display()
        ),
        StoreError::NoImage { path, .. } => format!(
            "{error}; `fairing image import rootfs:{} --name NAME` takes a root filesystem",
            path.display()
        ),
        StoreError::SeveralImages { origin, names } => match names.first() {
            Some(name) => format!("{error}; `{origin}:{name}` names one"),
            None => format!("{error}, which have no names"),
        },
        StoreError::WhiteoutName { .. } => format!("{error}; rename or remove it"),
        StoreError::UnfitName { .. } => format!("{error}; give it one with --name"),
        StoreError::Content(ContentError::LayerLimit { limit, .. }) => format!(
            "{error}; if the image can be trusted, raise {} in the table [layers] of config.toml",
            limit.setting()
        ),
        StoreError::Missing { .. } => format!("{error}; fetch the image again"),
        StoreError::Damaged { .. } => format!("{error}; remove the image and fetch it again"),
        StoreError::UnknownPacking { origin, packing } => {
            let unpack = match *packing {
                "bzip2" => "bunzip2",
                other => other,
            };
            format!("{error}; unpack it first: `{unpack} {origin}`")
        }
        error => error.to_string(),
    }
}

fn registry(error: &RegistryError) -> String {
    match error {
        RegistryError::Unauthorized {
            registry,
            credentials,
            ..
        } => match credentials {
            OwnCredentials::None => format!("{error}; `fairing login {registry}` stores some"),
            OwnCredentials::From(_) => format!("{error}; `fairing login {registry}` stores others"),
            OwnCredentials::New => format!(
                "{error}; check user name and password (many registries want an access token instead)"
            ),
            _ => format!("{error}; `fairing login {registry}` stores credentials"),
        },
        RegistryError::RateLimited { registry, .. } => {
            format!("{error}, or `fairing login {registry}` for a higher limit")
        }
        RegistryError::NoMirror { error, mirrors } => {
            let mirrors: Vec<String> = mirrors.iter().map(registry).collect();
            let itself = registry(error);
            format!("{itself}; before, its mirrors: {}", mirrors.join("; "))
        }
        RegistryError::AmbiguousShortName { .. } => format!(
            "{error}; write the one you mean in full, or give it an alias in registries.toml"
        ),
        RegistryError::Exposed { path, owner } => {
            let command = match owner {
                Some(_) => "chown root",
                None => "chmod 600",
            };
            format!("{error}; `{command} {}` mends that", path.display())
        }
        RegistryError::Network {
            registry,
            lack: Some(lack),
            ..
        } => match lack {
            TlsLack::Authority => format!(
                "{error}; if its certificate authority is your own, set `ca` in registries.toml, or put it into \
                 /etc/containers/certs.d/{registry}"
            ),
            TlsLack::ClientCertificate => format!(
                "{error}; the registry requires a client certificate: set `client-cert` and `client-key` in \
                 registries.toml"
            ),
            _ => error.to_string(),
        },
        error => error.to_string(),
    }
}

/// What to do about an image that is not in the store.
fn remedy(reference: &str) -> String {
    // A digest tells no registry, and what a directory or file holds has a name of its own.
    let is_name = match ImageArgument::parse(reference) {
        Ok(ImageArgument::ShortName(_)) => true,
        // A name of this machine tells none either.
        Ok(ImageArgument::Source(ImageSource::Registry(name))) => name.registry() != "localhost",
        _ => false,
    };
    match is_name {
        false => "`fairing image list` shows what is".to_owned(),
        true => format!("`fairing fetch {reference}` gets it"),
    }
}

/// What to do about layers that are not as they were unpacked.
fn integrity_remedy(error: &StoreError, reference: &str) -> String {
    match error {
        StoreError::Content(ContentError::Unsealed { .. }) => format!(
            "`fairing image verify --reseal {reference}` reads every byte of it and seals it again"
        ),
        _ => format!("`fairing image verify --repair {reference}` restores it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(credentials: OwnCredentials) -> RegistryError {
        RegistryError::Unauthorized {
            registry: "a.example".to_owned(),
            action: "reading".to_owned(),
            message: String::new(),
            credentials,
        }
    }

    fn told(error: RegistryError) -> String {
        text(&Error::Store(error.into()))
    }

    #[test]
    fn who_is_refused_is_told_how_to_log_in() {
        let said = "registry a.example: reading: not authorized";
        let from = OwnCredentials::From("/auth.json".to_owned());
        for (credentials, end) in [
            (
                OwnCredentials::None,
                "; there are no credentials for it; `fairing login a.example` stores some",
            ),
            (
                from,
                "; the credentials in /auth.json don't allow it; `fairing login a.example` stores others",
            ),
            (
                OwnCredentials::Unknown,
                "; `fairing login a.example` stores credentials",
            ),
            (
                OwnCredentials::New,
                "; nothing was stored; check user name and password (many registries want an access \
                 token instead)",
            ),
        ] {
            assert_eq!(told(refused(credentials)), format!("{said}{end}"));
        }
    }

    #[test]
    fn behind_mirrors_each_answer_has_its_own_advice() {
        let error = RegistryError::NoMirror {
            error: Box::new(RegistryError::RateLimited {
                registry: "a.example".to_owned(),
                action: "reading".to_owned(),
                message: String::new(),
                retry_after: Some(7),
            }),
            mirrors: vec![refused(OwnCredentials::Unknown)],
        };
        assert_eq!(
            told(error),
            "registry a.example: reading: the registry limits the rate of requests; try again in \
             7 s, or `fairing login a.example` for a higher limit; before, its mirrors: registry \
             a.example: reading: not authorized; `fairing login a.example` stores credentials"
        );
    }

    #[test]
    fn who_finds_no_address_is_told_how_to_get_one() {
        let error = NetworkError::Exhausted {
            network: "default".to_owned(),
            subnet: "10.0.0.0/30".parse().unwrap(),
        };
        assert_eq!(
            text(&Error::Network(error)),
            "network default has no free address left in 10.0.0.0/30; `fairing gc` frees those of \
             pods that are gone"
        );
    }
}
