//! `fairing status`: everything about one pod.

mod limits;
mod machine;

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use engine::pods::connection::connect_when_up;
use engine::pods::ending;
use engine::pods::status::{Asked, status_asking};
use engine::pods::view::{AppView, PodView};
use pod::machine::MachineRecord;
use pod::manifest::{Accelerator, IdMapping, Limit};
use pod::{PodEntry, PodError, State};

use self::limits::limits;
use self::machine::{beginning, checks_images};
use crate::arguments::duration::duration;
use crate::arguments::format::{Format, format};
use crate::arguments::selector::OnePod;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::pod::{ended, given_up, port_in_words, selected, shared, vouched};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pod: OnePod,
    /// Wait for the pod's end first, for at most this long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "1000years")]
    wait: Option<Duration>,
    /// Ask the plugins of its networks, too, whether the pod is connected
    #[arg(long)]
    check: bool,
    /// How to show the pod: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

impl Subcommand for Status {
    const NAME: &'static str = "status";
    const ABOUT: &'static str =
        "Show the state of a pod, who signed its images and which rules let them run";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let selector = self.pod.selector()?;
        let (mut entry, _) = context.pod_or_app(&selector)?;
        if let Some(patience) = self.wait {
            wait(context, &entry, patience)?;
            entry = context.pod(&entry.uuid.to_string())?;
        }
        let asked = match self.check {
            true => Asked::Everyone,
            false => Asked::BuiltIn,
        };
        let view = look(context, &selector, entry, asked)?;
        self.format.show(&view, || lines(&view))?;
        Ok(0)
    }
}

/// Looks at a pod, which may move on meanwhile: then, once, where it is now.
///
/// # Errors
/// If it is gone, or can't be looked at.
pub(crate) fn look(
    context: &Context,
    selector: &str,
    entry: PodEntry,
    asked: Asked,
) -> Result<PodView, Failure> {
    let seen = status_asking(&context.engine, &entry, asked, &context.console)?;
    if let Some(view) = seen {
        return Ok(view);
    }
    let (entry, _) = context.pod_or_app(selector)?;
    let seen = status_asking(&context.engine, &entry, asked, &context.console)?;
    Ok(seen.ok_or_else(|| PodError::NoSuchPod(selector.to_owned()))?)
}

fn wait(context: &Context, entry: &PodEntry, patience: Duration) -> Result<(), Failure> {
    if entry.state()? == State::Running
        && let Some(connection) = connect_when_up(entry, &context.engine.directories)?
    {
        // Longer than poll(2) can count is for ever.
        let patience = Some(patience).filter(|patience| patience.as_secs() < 10 * 365 * 86_400);
        ending::wait(entry, connection, patience)?;
    }
    Ok(())
}

fn line(text: &mut String, key: &str, value: &str) {
    let value: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{key}={value}");
}

/// `key=value` lines.
fn lines(view: &PodView) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| line(&mut text, key, &value);
    line("uuid", view.uuid.to_string());
    if let Some(name) = &view.name {
        line("name", name.to_string());
    }
    line("state", view.state.to_string());
    for (key, time) in [
        ("created", &view.created),
        ("started", &view.started),
        ("finished", &view.finished),
    ] {
        if let Some(time) = time {
            line(key, time.to_string());
        }
    }
    if let Some(code) = view.exit_code {
        line("exit-code", code.to_string());
    }
    if let Some(failure) = &view.failure {
        line("failure", failure.clone());
    }
    if let Some(network) = &view.network {
        line("networks", selected(network));
    }
    for network in &view.networks {
        let addresses: Vec<_> = network
            .addresses
            .iter()
            .map(|address| address.address.to_string())
            .collect();
        let key = format!("network-{}", network.name);
        line(
            &key,
            format!("{} {}", network.interface, addresses.join(" ")),
        );
    }
    // They lead to it as long as it is there.
    for port in view.ports.iter().filter(|_| view.state != State::Exited) {
        line("port", port_in_words(port));
    }
    if let Some(bandwidth) = &view.bandwidth {
        line("bandwidth", bandwidth.to_string());
    }
    if let Some(failure) = &view.network_failure {
        line("network-failure", failure.message.clone());
    }
    for network in &view.networks_not_left {
        line("network-not-left", network.to_string());
    }
    if let Some(ids) = &view.user_namespace {
        let ranges = |ranges: &[IdMapping]| {
            let range = |r: &IdMapping| format!("{}-{}-{}", r.container_id, r.host_id, r.size);
            ranges.iter().map(range).collect::<Vec<_>>().join(",")
        };
        let (users, groups) = (ranges(&ids.uid_mappings), ranges(&ids.gid_mappings));
        let both = match users == groups {
            true => users,
            false => format!("{users}:{groups}"),
        };
        line("userns", both);
    }
    for (key, value) in limits("pod", &view.resources) {
        line(&key, value);
    }
    if !view.insecure_options.is_empty() {
        line("insecure-options", given_up(&view.insecure_options, &[]));
    }
    for namespace in shared(&view.host_namespaces) {
        line("shared", namespace);
    }
    if let Some(stage1) = &view.stage1 {
        line("stage1", stage1.clone());
    }
    if let Some(machine) = &view.machine {
        for (key, value) in machine_lines(machine) {
            line(key, value);
        }
        line("machine-start", beginning(machine).to_owned());
        line("machine-checks-images", checks_images(view, machine));
    }
    if let Some(pid) = view.monitor_pid {
        line("pid", pid.to_string());
    }
    if let Some(pid) = view.init_pid {
        line("init-pid", pid.to_string());
    }
    if let Some(damaged) = &view.damaged {
        line("damaged", damaged.clone());
    }
    for app in &view.apps {
        text.push_str(&app_lines(app));
    }
    text
}

/// The machine that a pod was started in.
fn machine_lines(machine: &MachineRecord) -> [(&'static str, String); 3] {
    let accelerator = match machine.accelerator {
        Accelerator::Kvm => "kvm",
        Accelerator::Tcg => "tcg",
    };
    let (memory, cpus) = (machine.memory, machine.cpus);
    let again = match machine.boots {
        1 => String::new(),
        boots => format!(" boots={boots}"),
    };
    let kernel = format!("{} {}", machine.kernel, machine.kernel_file.display());
    [
        (
            "machine",
            format!("{accelerator} memory={memory}m cpus={cpus}{again}"),
        ),
        ("machine-kernel", kernel),
        ("machine-initramfs", machine.initramfs.to_string()),
    ]
}

/// The same of one app.
pub(crate) fn app_lines(app: &AppView) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| line(&mut text, key, &value);
    let key = format!("app-{}", app.name);
    let state = match (&app.outcome, app.pid) {
        (Some(outcome), _) if app.next_start.is_some() => {
            format!(
                "{}, {}",
                app.state.word(),
                ended(outcome, app.out_of_memory)
            )
        }
        (Some(outcome), _) => ended(outcome, app.out_of_memory),
        (None, Some(pid)) => format!("{} as {pid}", app.state.word()),
        (None, None) => app.state.word().to_owned(),
    };
    if let Some(code) = app.exit_code {
        line(&key, code.to_string());
    }
    line(&format!("{key}-state"), state);
    if let Some(ready) = app.ready {
        line(&format!("{key}-ready"), ready.to_string());
    }
    if app.restarts > 0 {
        line(&format!("{key}-restarts"), app.restarts.to_string());
    }
    if let Some(time) = &app.next_start {
        line(&format!("{key}-next-start"), time.to_string());
    }
    if let Some(last) = &app.last_end {
        line(&format!("{key}-last-end"), ended(&last.outcome, None));
    }
    if let Some(message) = &app.message {
        line(&format!("{key}-message"), message.clone());
    }
    if let Some(complaint) = &app.complaint {
        line(&format!("{key}-complaint"), complaint.clone());
    }
    if let Some(label) = &app.selinux_label {
        line(&format!("{key}-selinux-label"), label.clone());
    }
    // The end of one of its processes need not be its own.
    if let Some(kills) = app.oom_kills.filter(|kills| *kills > 0) {
        line(&format!("{key}-oom-kills"), kills.to_string());
    }
    line(&format!("{key}-image"), app.image.clone());
    line(&format!("{key}-digest"), app.manifest.clone());
    if let Some(filesystem) = &app.filesystem {
        line(&format!("{key}-filesystem"), filesystem.digest.to_string());
    }
    line(&format!("{key}-verified"), vouched(&app.verification));
    if !app.widened.is_empty() {
        line(&format!("{key}-widened"), app.widened.join(","));
    }
    for (name, value) in &app.annotations {
        line(&format!("{key}-annotation"), format!("{name}={value}"));
    }
    // Where nothing was said of processes, the bound of all apps counts.
    let mut resources = app.resources.clone();
    resources.pids.limit = app.pids_limit.map(Limit::At);
    for (key, value) in limits(&key, &resources) {
        line(&key, value);
    }
    text
}
