//! Pods as rows: one for each app.

use engine::pods::mount_view::MountKind;
use engine::pods::view::{AppState, AppView, PodView};
use pod::State;
use pod::exit::{OutOfMemory, Outcome};
use pod::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::console::table::{Cut, Table, ago, passed};
use crate::wording::docker_members::mount_names;
use crate::wording::pod::{given_up, port_in_words, shared};

/// What is shown of an app, or of a pod that has none.
struct Row<'a> {
    pod: &'a PodView,
    app: Option<&'a AppView>,
}

fn rows<'a>(views: &'a [PodView]) -> impl Iterator<Item = Row<'a>> {
    views.iter().flat_map(|pod| {
        let apps = pod.apps.iter().map(Some);
        let none = pod.apps.is_empty().then_some(None);
        apps.chain(none).map(move |app| Row { pod, app })
    })
}

/// The table for people. Its columns are always the same.
pub(super) fn table(views: &[PodView], full: bool) -> Table {
    let mut heading = vec![
        "UUID", "NAME", "APP", "IMAGE", "COMMAND", "STATE", "UP", "PORTS",
    ];
    let mut cuts = vec![
        Cut::Never,
        Cut::End,
        Cut::End,
        Cut::Start,
        Cut::End,
        Cut::Never,
        Cut::Never,
        Cut::End,
    ];
    if full {
        heading.extend(["ADDRESS", "DIGEST", "CREATED", "INSECURE"]);
        cuts.extend([Cut::Never; 4]);
    }
    let mut table = Table::new(&heading).cut(&cuts);
    for row in rows(views) {
        let mut cells = vec![
            row.uuid(full),
            row.name().to_owned(),
            row.app.map_or("-", |app| app.name.as_str()).to_owned(),
            row.app.map_or("-", |app| &app.image).to_owned(),
            or_dash(row.command()),
            row.state(full),
            row.up().unwrap_or_else(|| "-".to_owned()),
            or_dash(row.ports()),
        ];
        if full {
            cells.extend([
                or_dash(row.addresses()),
                row.app.map_or("-", |app| &app.manifest).to_owned(),
                row.pod
                    .created
                    .map_or("-".to_owned(), |time| time.to_string()),
                row.given_up(),
            ]);
        }
        table.row(cells);
    }
    table
}

/// What templates see: the words that docker and podman have for it, and our own.
pub(super) fn values(views: &[PodView], full: bool) -> Vec<Value> {
    rows(views).map(|row| row.value(full)).collect()
}

impl Row<'_> {
    fn value(&self, full: bool) -> Value {
        let (pod, app) = (self.pod, self.app);
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let networks = pod.networks.iter().map(|network| network.name.to_string());
        json!({
            "ID": self.uuid(full),
            "UUID": pod.uuid,
            "Name": self.name(),
            "Names": self.name(),
            "Pod": self.name(),
            "App": app.map_or("", |app| app.name.as_str()),
            "Image": app.map_or("", |app| &app.image),
            "ImageID": app.map_or("", |app| &app.manifest),
            "Digest": app.map_or("", |app| &app.manifest),
            "Command": self.command(),
            "Created": text(pod.created),
            "CreatedAt": text(pod.created),
            "RunningFor": pod.created.as_ref().map_or(String::new(), ago),
            "StartedAt": text(pod.started),
            "Up": self.up().unwrap_or_default(),
            "State": self.state_word(),
            "Status": self.status(),
            "ExitCode": self.exit_code(),
            "Restarts": app.map_or(0, |app| app.restarts),
            "Ports": self.ports(),
            "Address": self.addresses(),
            "Mounts": self.app.map(mount_names).unwrap_or_default().join(","),
            "LocalVolumes": self.app.map_or(0, named_volumes),
            "Pid": self.app.and_then(|app| app.pid),
            "Networks": networks.collect::<Vec<_>>().join(","),
            "Labels": pod.labels,
            "Insecure": self.given_up(),
        })
    }

    /// What protects the host no more.
    fn given_up(&self) -> String {
        let of_pod = shared(&self.pod.host_namespaces);
        let of_app = self.app.iter().flat_map(|app| app.widened.iter().cloned());
        let widened: Vec<String> = of_pod.chain(of_app).collect();
        given_up(&self.pod.insecure_options, &widened)
    }

    fn uuid(&self, full: bool) -> String {
        match full {
            true => self.pod.uuid.to_string(),
            false => self.pod.uuid.short(),
        }
    }

    fn name(&self) -> &str {
        self.pod.name.as_ref().map_or("-", |name| name.as_str())
    }

    fn command(&self) -> String {
        self.app.map_or(String::new(), |app| app.command.join(" "))
    }

    fn ports(&self) -> String {
        // They lead to it as long as it is there.
        let ports = self
            .pod
            .ports
            .iter()
            .filter(|_| self.pod.state == State::Running);
        let ports: Vec<_> = ports.map(port_in_words).collect();
        ports.join(", ")
    }

    fn addresses(&self) -> String {
        let networks = self.pod.networks.iter();
        let addresses: Vec<_> = networks
            .flat_map(|network| &network.addresses)
            .map(|address| address.address.address().to_string())
            .collect();
        addresses.join(", ")
    }

    /// The app, where it may do something else than its pod.
    fn speaking(&self) -> Option<&AppView> {
        let pod = self.pod;
        let speaks = pod.damaged.is_none() && matches!(pod.state, State::Running | State::Exited);
        self.app.filter(|app| speaks && app.state != AppState::Lost)
    }

    fn state_word(&self) -> String {
        match self.speaking() {
            Some(app) => app.state.word().to_owned(),
            // Nobody was there any more to write down how.
            None if self.pod.was_killed() => "killed".to_owned(),
            None => self.pod.state.to_string(),
        }
    }

    fn exit_code(&self) -> Option<i32> {
        match self.speaking() {
            Some(app) => app.exit_code,
            None => self.pod.exit_code,
        }
    }

    fn state(&self, full: bool) -> String {
        let mut state = self.state_word();
        match (&self.pod.damaged, self.exit_code()) {
            (Some(_), _) => state.push_str(" (damaged)"),
            (None, Some(code)) if self.ran_out_of_memory() => {
                let whose = self.speaking().and_then(|app| app.out_of_memory);
                let whose = whose.map_or("", OutOfMemory::words);
                state.push_str(&format!(" ({code}), out of memory{whose}"));
            }
            (None, Some(code)) if self.machine_has_died() => {
                state.push_str(&format!(" ({code}), machine ended"));
            }
            (None, Some(code)) => state.push_str(&format!(" ({code})")),
            (None, None) => {}
        }
        // It runs, and does not serve.
        if let Some(app) = self.speaking()
            && app.state == AppState::Running
            && app.ready == Some(false)
        {
            state.push_str(", not ready");
        }
        // Its apps have ended; else they tell that it runs.
        let has_ended = |app: &AppView| app.state == AppState::Exited;
        if self.pod.state == State::Running
            && self.app.is_some()
            && self.pod.apps.iter().all(has_ended)
        {
            state.push_str(", pod running");
        }
        // It should catch the eye; with all of a list, which ones has a column.
        let is_widened = self.app.is_some_and(|app| !app.widened.is_empty());
        let is_widened = is_widened || !self.pod.host_namespaces.is_empty();
        if !full && (is_widened || !self.pod.insecure_options.is_empty()) {
            state.push_str(", insecure");
        }
        state
    }

    /// Whether the app was running when its virtual machine ended, which `status` knows more of.
    fn machine_has_died(&self) -> bool {
        // An end that nobody has told of is on record as one with the pod.
        let went_down = |app: &AppView| {
            let was_killed = matches!(app.outcome, Some(Outcome::Signaled { .. }));
            was_killed && app.finished == self.pod.finished
        };
        self.pod.machine.is_some()
            && self.pod.failure.is_some()
            && self.speaking().is_some_and(went_down)
    }

    /// Whether the app was killed since no memory was left.
    fn ran_out_of_memory(&self) -> bool {
        let outcome = self.speaking().and_then(|app| app.outcome);
        matches!(
            outcome,
            Some(Outcome::Signaled {
                oom_killed: true,
                ..
            })
        )
    }

    /// How long it has been up.
    fn up(&self) -> Option<String> {
        let runs = self.pod.state == State::Running
            && self
                .app
                .is_none_or(|app| matches!(app.state, AppState::Running | AppState::Paused));
        let since = self.app.and_then(|app| app.started).or(self.pod.started);
        since.filter(|_| runs).map(|since| passed(&since))
    }

    fn is_paused(&self) -> bool {
        self.app.is_some_and(|app| app.state == AppState::Paused)
    }

    fn backs_off(&self) -> bool {
        self.app
            .is_some_and(|app| app.state == AppState::BackingOff)
    }

    /// As docker and podman word it: `Up 5m`, `Exited (0) 2h ago`.
    fn status(&self) -> String {
        let finished = self.app.and_then(|app| app.finished).or(self.pod.finished);
        match (self.up(), self.exit_code(), finished) {
            (Some(up), _, _) if self.is_paused() => format!("Up {up} (Paused)"),
            (Some(up), _, _) => match self.app.and_then(|app| app.ready) {
                Some(false) => format!("Up {up} (not ready)"),
                Some(true) | None => format!("Up {up}"),
            },
            (None, Some(code), Some(time)) if self.backs_off() => {
                format!("Backing off ({code}) {}", ago(&time))
            }
            (None, Some(code), Some(time)) => format!("Exited ({code}) {}", ago(&time)),
            _ => self.state(true),
        }
    }
}

/// How many volumes of an app outlive its pod.
fn named_volumes(app: &AppView) -> usize {
    let volumes = app.mounts.iter();
    volumes
        .filter(|mount| mount.kind == MountKind::Volume && mount.volume.is_some())
        .count()
}

fn or_dash(text: String) -> String {
    match text.is_empty() {
        true => "-".to_owned(),
        false => text,
    }
}
