//! Power goes while a pod runs: nothing of a pod that runs was synced, so after the boot any file of it may be empty, torn,
//! full of zeros, or not there. Whichever it is, the next pod of the name starts, and the old one can be removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::{Cri, Output, eventually};

use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE};

/// How long the kernel may take to let go of what is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may have become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    Empty,
    Half,
    Zeros,
    Missing,
}

impl Damage {
    pub(crate) const ALL: [Self; 4] = [Self::Empty, Self::Half, Self::Zeros, Self::Missing];

    /// Whether this could be told from what there is.
    pub(crate) fn changes(self, path: &Path) -> bool {
        let metadata = fs::symlink_metadata(path).unwrap();
        match self {
            Self::Missing => true,
            _ => metadata.is_file() && metadata.len() > 0,
        }
    }

    pub(crate) fn befall(self, path: &Path) {
        let whole = fs::read(path).unwrap_or_default();
        match self {
            Self::Empty => fs::write(path, "").unwrap(),
            Self::Half => fs::write(path, &whole[..whole.len() / 2]).unwrap(),
            Self::Zeros => fs::write(path, vec![0; whole.len()]).unwrap(),
            Self::Missing => fs::remove_file(path).unwrap(),
        }
    }
}

/// What lay on the disk when power went.
pub(crate) struct Wreck<'a> {
    pub(crate) lab: &'a Lab,
    saved: PathBuf,
    /// All that could be damaged, below the data directory.
    pub(crate) files: Vec<PathBuf>,
}

impl<'a> Wreck<'a> {
    /// Ends all that runs, as a loss of power does.
    pub(crate) fn of(lab: &'a Lab) -> Self {
        lab.reboot();
        let saved = lab.host.base().join("saved");
        let data = lab.host.data_dir();
        fs::create_dir(&saved).unwrap();
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .args(kept(&data))
            .arg(&saved)
            .status();
        assert!(copied.unwrap().success());
        let mut files = Vec::new();
        for top in kept(&saved) {
            walk(&top, &mut files);
        }
        let files: Vec<_> = files
            .iter()
            .map(|path| path.strip_prefix(&saved).unwrap().to_owned())
            .collect();
        assert!(files.len() > 5, "{files:?}");
        Self { lab, saved, files }
    }

    /// All that could have become of what was there.
    pub(crate) fn cases(&self) -> Vec<(&Path, Damage)> {
        let of = |file| Damage::ALL.map(|damage| (file, damage));
        let all = self.files.iter().map(PathBuf::as_path).flat_map(of);
        all.filter(|(file, damage)| damage.changes(&self.saved.join(file)))
            .collect()
    }

    /// Lays it on the disk again, as the boot found it, with this damage.
    pub(crate) fn lay(&self, file: &Path, damage: Damage) {
        self.lab.reboot();
        let data = self.lab.host.data_dir();
        // The directory in which pods begin stays: the harness looks at it.
        let script = "cd \"$0\" && find . -mindepth 1 -depth ! -path './images' ! -path './images/*' \
                      ! -path ./pods ! -path ./pods/prepare -delete; exec cp -a \"$1\"/. .";
        let laid = Command::new("sh")
            .args(["-ec", script])
            .args([&data, &self.saved])
            .status();
        assert!(laid.unwrap().success());
        damage.befall(&data.join(file));
    }
}

/// What of a data directory power can take: images are synced.
fn kept(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.filter(|path| !path.ends_with("images")).collect()
}

/// All files below a directory that fairing has written, and none of an app's.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_an_apps = ["upper", "work", "data"]
            .iter()
            .any(|name| path.ends_with(name));
        match fs::symlink_metadata(&path).unwrap().is_dir() {
            true if is_an_apps => {}
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}

/// What was not as it should be: all cases are looked at before a test fails.
#[derive(Default)]
pub(crate) struct Wrong(Vec<String>);

impl Wrong {
    pub(crate) fn add(&mut self, case: &str, what: &str) {
        self.0.push(format!("{case}: {what}"));
    }

    fn expect_ok(&mut self, case: &str, output: &Output) {
        if output.code != Some(0) {
            self.add(case, &output.to_string());
        }
    }

    /// That after a collection nothing is left of any pod, but for the shim.
    pub(crate) fn nothing_but(&mut self, case: &str, lab: &Lab, shim: Option<&Cri>) {
        let case = &format!("{case}, gc");
        self.expect_ok(case, &lab.host.fairing(["gc", "--grace-period=0s"]).run());
        let shim = shim.map(Cri::pid);
        let left = || {
            let mut left = lab.host.leftovers();
            left.processes.retain(|process| Some(process.pid) != shim);
            // Whose network it lives in is the machine's.
            left.network_namespaces.clear();
            left
        };
        let clean = eventually(PATIENCE, || left().is_empty().then_some(()));
        if clean.is_none() {
            self.add(case, &left().to_string());
        }
        let state = lab.host.run_dir().join("cni");
        let mut files = Vec::new();
        if state.is_dir() {
            walk(&state, &mut files);
        }
        files.retain(|file| {
            let parts = ["/leases/", "/ports/", "/results/", "/netns/"];
            parts
                .iter()
                .any(|part| file.to_string_lossy().contains(part))
        });
        if !files.is_empty() {
            self.add(case, &format!("{files:?}"));
        }
    }

    #[track_caller]
    pub(crate) fn expect_none(&self, cases: usize) {
        let count = self.0.len();
        assert!(
            self.0.is_empty(),
            "{count} in {cases} cases:\n{}",
            self.0.join("\n")
        );
    }
}

const FLAGS: [&str; 6] = [
    "--name=web",
    "--publish=8080:80",
    "--volume=data:/data",
    "--userns=auto",
    "--label=a=b",
    "--memory=64m",
];

/// A pod that is called `web`, as it is when power goes. Its UUID.
type Subject = fn(&Lab) -> String;

fn begin(lab: &Lab, flags: &[&str], script: &str) -> String {
    let run = lab
        .host
        .fairing(["run", "--detach"])
        .args(flags)
        .args(FLAGS);
    let run = run.args([IMAGE, "--", "/bin/sh", "-c", script]);
    run.run().ok().text().to_owned()
}

fn running(lab: &Lab) -> String {
    let uuid = begin(lab, &[], &format!("echo words; {IDLE}"));
    crate::stocked::wait_log(&lab.host, "web", "words");
    uuid
}

fn to_be_removed(lab: &Lab) -> String {
    begin(lab, &["--rm"], IDLE)
}

fn ended(lab: &Lab) -> String {
    let uuid = begin(lab, &[], "echo words; exit 3");
    lab.host.fairing(["status", "--wait", "web"]).run();
    uuid
}

fn check(subject: Subject, takes_over: &[&str]) {
    let lab = Lab::new();
    let uuid = subject(&lab);
    let wreck = Wreck::of(&lab);
    let host = &lab.host;
    let mut wrong = Wrong::default();
    for (file, damage) in wreck.cases() {
        let of = |what: &str| format!("{damage:?} {}: {what}", file.display());
        wreck.lay(file, damage);
        let listed = host.fairing(["list", "--full"]).run();
        wrong.expect_ok(&of("list"), &listed);
        if !listed.stdout.contains(&uuid) {
            wrong.add(&of("list"), &listed.to_string());
        }
        wrong.expect_ok(&of("volume list"), &host.fairing(["volume", "list"]).run());
        for words in ["status", "inspect", "logs"] {
            let output = host.fairing([words, &*uuid]).run();
            let names_it = (output.stdout.clone() + &output.stderr).contains("pod.json");
            if !output.code.is_some_and(|code| code < 126 && code != 101)
                || file.ends_with("pod.json") && !names_it
            {
                wrong.add(&of(words), &output.to_string());
            }
        }
        let next = host.fairing(["run"]).args(takes_over).args(FLAGS);
        let next = next.args([IMAGE, "--", "/bin/true"]).run();
        wrong.expect_ok(&of("run"), &next);
        let next = host.fairing(["run", "--detach", "--replace"]).args(FLAGS);
        let next = next.args([IMAGE, "--", "/bin/sh", "-c", IDLE]).run();
        wrong.expect_ok(&of("run --replace"), &next);
        wrong.expect_ok(
            &of("rm --force"),
            &host.fairing(["rm", "--force", "web"]).run(),
        );
        wrong.expect_ok(&of("rm of the old one"), &removed(&lab, &uuid));
        wrong.nothing_but(&of("rm"), &lab, None);

        if !matches!(damage, Damage::Empty | Damage::Missing) {
            continue;
        }
        wreck.lay(file, damage);
        let collected = host.fairing(["gc", "--grace-period=0s"]).run();
        wrong.expect_ok(&of("gc"), &collected);
        wrong.nothing_but(&of("gc"), &lab, None);
    }
    wrong.expect_none(wreck.cases().len());
}

/// What comes of the removal of a pod, if it is there.
fn removed(lab: &Lab, uuid: &str) -> Output {
    let there = lab.host.pod_folders().iter().any(|(_, pod)| pod == uuid);
    match there {
        true => lab.host.fairing(["rm", "--force", uuid]).run(),
        false => lab.host.fairing(["list"]).run(),
    }
}

#[test]
fn one_that_runs_makes_way_for_the_next_whatever_is_left_of_it() {
    check(running, &[]);
}

#[test]
fn one_that_was_to_be_removed_makes_way_for_the_next_whatever_is_left_of_it() {
    check(to_be_removed, &[]);
}

#[test]
fn one_that_has_just_ended_makes_way_for_the_next_whatever_is_left_of_it() {
    check(ended, &["--replace"]);
}
