//! A `.container`: a pod of one app.

use super::app::{FETCH, app};
use super::service::Form;
use super::work::Work;
use crate::unit::{Unit, UnitText};
use crate::unit_file::{Command, Entry, Word};

/// The unit of a container that is no part of a pod.
pub(crate) fn container(work: &mut Work<'_>) -> Option<Unit> {
    let parsed = work.parsed;
    let mut text = work.begin(Form::Pod);
    let app = app(work, parsed);
    let last = |key: &str| parsed.file.last("Container", key);
    let name = parsed.resource();
    work.check_pod_name(last("ContainerName"), &name);
    if let Some(entry) = last("StartWithPod") {
        work.findings
            .error(entry, "it is for the containers of a pod");
    }
    let mut start = pod_command(
        work,
        (&name, last("ContainerName")),
        app.flags.iter().any(restarts),
    );
    start.extend(app.labels.iter().cloned());
    for ((_, flag), said) in FETCH.iter().zip(app.fetch) {
        start.extend(said.map(|entry| Word::of(entry).after(flag)));
    }
    if let Some(ready) = app.ready {
        start.push(ready.flag());
    }
    start.extend(app.pod.iter().map(|(word, _)| word.clone()));
    if let Some(entry) = last("UserNS") {
        start.extend(work.users(entry));
    }
    let addresses: Vec<_> = [last("IP"), last("IP6")].into_iter().flatten().collect();
    let networks = parsed.file.all("Container", "Network");
    start.extend(work.networks(networks, &addresses));
    let grace = last("StopTimeout");
    if let Some(entry) = grace {
        start.push(Word::of(entry).after("--grace-period="));
    }
    app.write(&mut start);
    work.foreground(&mut text, grace);
    reload(work, &mut text, &name, None, app.reload);
    remove(work, &mut text, &name);
    work.finish(text, &start, Vec::new())
}

/// Whether a flag makes an app start again by itself.
pub(super) fn restarts(flag: &Word) -> bool {
    let flag = flag.as_str();
    flag == "--health-on-failure=restart"
        || (flag.starts_with("--restart") && flag != "--restart=no")
}

/// How a pod is started: what all of them have.
pub(super) fn pod_command(
    work: &Work<'_>,
    (name, said): (&str, Option<&Entry>),
    restarts: bool,
) -> Command {
    let mut command = Command::new(&work.program());
    command.word("run");
    command.push(Word::written(name).said_by(said).after("--name="));
    command.word("--replace");
    // A pod that comes back by itself is removed behind its end.
    if !restarts {
        command.word("--rm");
    }
    // Who finds the pod finds the unit.
    command.word("--label=io.fairing.unit=%n");
    command
}

/// What a reload of the unit does.
pub(super) fn reload(
    work: &Work<'_>,
    text: &mut UnitText,
    pod: &str,
    app: Option<&str>,
    reload: Option<(Vec<Word>, Vec<Word>)>,
) {
    let Some((before, behind)) = reload else {
        return;
    };
    let mut command = Command::new(&work.program());
    command.extend(before);
    if let Some(app) = app {
        command.push(Word::written(app).after("--app="));
    }
    command.push(Word::written(pod));
    command.extend(behind);
    text.service.push("ExecReload", command.to_string());
}

/// What is left of a pod whose monitor was killed goes.
pub(super) fn remove(work: &Work<'_>, text: &mut UnitText, pod: &str) {
    let mut command = Command::new(&work.program());
    for word in ["rm", "--force", "--ignore"] {
        command.word(word);
    }
    command.push(Word::written(pod));
    text.service.push("ExecStopPost", format!("-{command}"));
}
