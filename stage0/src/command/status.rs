//! `fairing status`: everything about one pod.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use pod::{PodEntry, State};

use super::Subcommand;
use crate::arguments::selector::OnePod;
use crate::arguments::{Format, duration};
use crate::connection::{connect_when_up, live_status};
use crate::context::Context;
use crate::failure::Failure;
use crate::foreign_drops;
use crate::network_settings::networks;
use crate::pod_view::{
    NetworkFailure, PodView, ended, given_up, look, port_in_words, selected, vouched,
};
use crate::{ending, output};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pod: OnePod,
    /// Wait for the pod's end first, or at most so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "1000years")]
    wait: Option<Duration>,
    /// How to show the pod
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

impl Subcommand for Status {
    const NAME: &'static str = "status";
    const ABOUT: &'static str =
        "Show how a pod is, who signed its images and which rules let them run";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let selector = self.pod.selector()?;
        let pods = context.pods();
        let mut entry = pods.find(&selector)?;
        if let Some(patience) = self.wait {
            wait(context, &entry, patience)?;
            entry = pods.find(&entry.uuid.to_string())?;
        }
        let view = match view(context, &entry)? {
            Some(view) => view,
            // It moved on between two looks: look where it is now, once.
            None => {
                let entry = pods.find(&selector)?;
                view(context, &entry)?.ok_or_else(|| pod::PodError::NoSuchPod(selector.clone()))?
            }
        };
        match self.format {
            Format::Json => output::json(&view)?,
            Format::Text => output::text(&lines(&view))?,
        }
        Ok(0)
    }
}

fn wait(context: &Context, entry: &PodEntry, patience: Duration) -> Result<(), Failure> {
    if entry.state()? == State::Running
        && let Some(connection) = connect_when_up(entry, &context.directories)?
    {
        // Longer than poll(2) can count is for ever.
        let patience = Some(patience).filter(|patience| patience.as_secs() < 10 * 365 * 86_400);
        ending::wait(entry, connection, patience)?;
    }
    Ok(())
}

fn view(context: &Context, entry: &PodEntry) -> Result<Option<PodView>, Failure> {
    let live = match entry.state()? {
        State::Running => match live_status(entry, &context.directories) {
            Ok(live) => live,
            Err(failure) => {
                output::warn(&failure.line());
                None
            }
        },
        _ => None,
    };
    let mut view = look(entry, live.as_ref())?;
    if let (Some(view), Some(live)) = (&mut view, &live)
        && !view.networks.is_empty()
    {
        view.network_failure = network_failure(context, view.uuid, live.init_pid);
        if let Ok(networks) = networks(context) {
            let joined = view.networks.iter().map(|network| &network.name);
            foreign_drops::warn(joined.filter_map(|name| networks.get(name)), context);
        }
    }
    Ok(view)
}

/// What the networks' plugins say is missing.
fn network_failure(context: &Context, uuid: pod::PodUuid, init_pid: i32) -> Option<NetworkFailure> {
    let attacher = context.attacher();
    // A pod that ends meanwhile lacks nothing.
    let path = format!("/proc/{init_pid}/ns/net");
    let mut netns = cni_glue::Netns::open(std::path::Path::new(&path)).ok()?;
    let container = pod::network::container(uuid).ok()?;
    let failure = attacher.check(&container, &mut netns).err()?;
    Some(NetworkFailure::from(&failure))
}

/// `key=value` lines.
fn lines(view: &PodView) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        let value: String = value
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{key}={value}");
    };
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
    for port in &view.ports {
        line("port", port_in_words(port));
    }
    if let Some(bandwidth) = &view.bandwidth {
        line("bandwidth", bandwidth.to_string());
    }
    if let Some(failure) = &view.network_failure {
        line("network-failure", failure.message.clone());
    }
    if !view.insecure_options.is_empty() {
        line("insecure-options", given_up(&view.insecure_options));
    }
    if let Some(stage1) = &view.stage1 {
        line("stage1", stage1.clone());
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
        let key = format!("app-{}", app.name);
        let state = match (&app.outcome, app.pid) {
            (Some(outcome), _) => ended(outcome),
            (None, Some(pid)) => format!("{} as {pid}", app.state.word()),
            (None, None) => app.state.word().to_owned(),
        };
        if let Some(code) = app.exit_code {
            line(&key, code.to_string());
        }
        line(&format!("{key}-state"), state);
        line(&format!("{key}-image"), app.image.clone());
        line(&format!("{key}-digest"), app.manifest.clone());
        line(&format!("{key}-verified"), vouched(&app.verification));
    }
    text
}
