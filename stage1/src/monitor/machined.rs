//! Pods that are services are registered with systemd-machined, so that machinectl(1) shows them.
//!
//! By busctl(1), which comes with systemd: once the pod is up, beside everything else, and whatever becomes of it. All versions
//! of machined take the call.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pod::PodUuid;
use pod::manifest::{HostNamespace, PodManifest};

/// The program, where systemd installs it.
const BUSCTL: &str = "/usr/bin/busctl";
/// Where it is said that machined answers.
const ACTIVATION: &str = "/usr/share/dbus-1/system-services/org.freedesktop.machine1.service";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the pod's end waits for machined to forget it.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(10);

/// Where a pod's registration is.
#[derive(Debug, Default)]
pub(super) enum Registration {
    /// Nobody wants it, or it has failed.
    #[default]
    None,
    /// To be made when the pod is up.
    Wanted,
    /// On its way, and when it is looked at again.
    Asked {
        process: Child,
        look_at: Instant,
        until: Instant,
    },
    /// Machined knows the pod.
    Known,
}

impl Registration {
    /// That of a pod which is to be registered, if it can be: where it is kept apart from the host, and machined is
    /// installed.
    pub(super) fn wanted(is_wanted: bool, manifest: &PodManifest) -> Self {
        let is_apart = !manifest.host_namespaces.contains(&HostNamespace::Pid);
        let is_there = || {
            [BUSCTL, ACTIVATION]
                .iter()
                .all(|path| Path::new(path).exists())
        };
        match is_wanted && is_apart && is_there() {
            true => Self::Wanted,
            false => Self::None,
        }
    }

    /// Whether it is to be made now.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted)
    }

    /// Begins to make it: with this process of the pod, of whose unit the machine is.
    pub(super) fn begin(&mut self, manifest: &PodManifest, leader: Option<i32>, now: Instant) {
        let asked = leader.and_then(|leader| call(&registration(manifest, leader)));
        *self = asked.map_or(Self::None, |process| Self::Asked {
            process,
            look_at: now + INTERVAL,
            until: now + PATIENCE,
        });
    }

    /// When to look at it again.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Asked { look_at, .. } => Some(*look_at),
            _ => None,
        }
    }

    /// Looks whether machined has answered.
    pub(super) fn keep_time(&mut self, now: Instant) {
        let Self::Asked {
            process,
            look_at,
            until,
        } = self
        else {
            return;
        };
        if now < *look_at {
            return;
        }
        match process.try_wait() {
            Ok(None) if now < *until => {
                // Less and less often.
                let waited = PATIENCE.saturating_sub(until.saturating_duration_since(now));
                *look_at = now + waited.max(INTERVAL);
            }
            Ok(Some(status)) if status.success() => *self = Self::Known,
            _ => self.give_up(),
        }
    }

    fn give_up(&mut self) {
        if let Self::Asked { mut process, .. } = std::mem::take(self) {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Has machined forget the pod, which has ended: the next one of its name is registered only then.
    pub(super) fn end(&mut self, manifest: &PodManifest) {
        self.give_up_unless_known();
        if !matches!(self, Self::Known) {
            return;
        }
        *self = Self::None;
        let arguments = ["UnregisterMachine", "s", &manifest.called()].map(str::to_owned);
        let Some(mut process) = call(&arguments) else {
            return;
        };
        let begun = Instant::now();
        while let Ok(None) = process.try_wait() {
            if begun.elapsed() > LAST_PATIENCE {
                let _ = process.kill();
                let _ = process.wait();
                return;
            }
            std::thread::sleep(INTERVAL);
        }
    }

    fn give_up_unless_known(&mut self) {
        self.keep_time(Instant::now() + INTERVAL);
        if !matches!(self, Self::Known) {
            self.give_up();
        }
    }
}

/// The call `RegisterMachine` of org.freedesktop.machine1(5), in the words of busctl.
fn registration(manifest: &PodManifest, leader: i32) -> Vec<String> {
    let class = match manifest.virtual_machine {
        Some(_) => "vm",
        None => "container",
    };
    let id = id_of(manifest.uuid);
    let head = ["RegisterMachine", "sayssus"].map(str::to_owned);
    head.into_iter()
        .chain([manifest.called(), id.len().to_string()])
        .chain(id.iter().map(u8::to_string))
        .chain(["fairing", class].map(str::to_owned))
        .chain([leader.to_string(), String::new()])
        .collect()
}

fn id_of(uuid: PodUuid) -> Vec<u8> {
    let digits: Vec<u8> = uuid
        .to_string()
        .chars()
        .filter_map(|c| u8::try_from(c.to_digit(16)?).ok())
        .collect();
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit))
        .collect()
}

fn call(arguments: &[String]) -> Option<Child> {
    const MACHINED: [&str; 3] = [
        "org.freedesktop.machine1",
        "/org/freedesktop/machine1",
        "org.freedesktop.machine1.Manager",
    ];
    Command::new(BUSCTL)
        .args(["--system", "--quiet", "call"])
        .args(MACHINED)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a registration by this program, in so long.
    fn by(program: &str, arguments: &[&str], patience: Duration) -> Registration {
        let now = Instant::now();
        let mut registration = Registration::Asked {
            process: Command::new(program).args(arguments).spawn().unwrap(),
            look_at: now,
            until: now + patience,
        };
        while let Some(due) = registration.due() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            registration.keep_time(Instant::now());
        }
        registration
    }

    #[test]
    fn a_registration_is_known_or_given_up() {
        assert!(matches!(by("true", &[], PATIENCE), Registration::Known));
        assert!(matches!(by("false", &[], PATIENCE), Registration::None));
        let brief = Duration::from_millis(50);
        assert!(matches!(by("sleep", &["1000"], brief), Registration::None));
    }

    #[test]
    fn an_id_is_the_bytes_of_the_uuid() {
        let uuid: PodUuid = "01020304-0506-4708-890a-0b0c0d0eff10".parse().unwrap();
        let id = id_of(uuid);
        assert_eq!(
            id,
            [1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 255, 16]
        );
    }
}
