//! `fairing network create`: writes a network's configuration into the administrator's directory.

use std::fs::{self, File};
use std::path::Path;

use atomic_file::Durability;
use clap::{Args, ValueEnum};
use cni_glue::builtin::{BuiltinConfig, PLUGIN_TYPE, check_subnets};
use cni_glue::config::{NetworkList, Networks, Source};
use cni_glue::id::NetworkName;
use cni_glue::subnet::IpNet;
use engine::networks::settings::networks;
use serde_json::{Map, Value, json};

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `network create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the network
    #[arg(value_name = "NETWORK")]
    name: NetworkName,
    /// Kind of the network
    #[arg(short = 'd', long, alias = "driver")]
    #[arg(value_enum, value_name = "MODE", default_value_t)]
    mode: Mode,
    /// Addresses of the network [default: some that the host doesn't use]
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    subnet: Option<IpNet>,
    /// IPv6 addresses of the network [default: some of this machine's own]
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    subnet6: Option<IpNet>,
    /// Without a way out: pods reach the host and each other
    #[arg(long, alias = "internal")]
    restricted: bool,
    /// Interface of the host that a macvlan is made on [default: the way out]
    #[arg(long, value_name = "INTERFACE")]
    master: Option<String>,
    /// Largest packet [default: as the way out]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    mtu: Option<u32>,
    /// Be content with one of that name
    #[arg(long)]
    ignore: bool,
}

/// Kinds of built-in networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Mode {
    /// A bridge that pods share
    #[default]
    Bridge,
    /// A pair of interfaces for each pod
    Ptp,
    /// Interfaces on top of an interface of the host
    Macvlan,
}

impl Subcommand for Create {
    const NAME: &'static str = "create";
    const ABOUT: &'static str = "Configure a network that needs no plugin";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        if matches!(self.name.as_str(), "none" | "host" | "all") {
            return Err(Failure::Usage(format!(
                "{} can't be the name of a network: --net={0} means something else",
                self.name
            )));
        }
        let text = format!("{:#}\n", self.configuration());
        let config = self.understand(&text)?;
        let folder = context.engine.directories.local_config.join("net.d");
        let path = folder.join(format!("{}.conflist", self.name));
        fs::create_dir_all(&folder).map_err(Failure::io("create", &folder))?;
        // Of those who make networks at once, one after the other looks what there is.
        let turn = File::open(&folder).map_err(Failure::io("open", &folder))?;
        turn.lock().map_err(Failure::io("lock", &folder))?;
        sweep(&folder)?;
        let networks = networks(&context.engine)?;
        if let Some(list) = networks.get(&self.name)
            && self.ignore
            && let Source::File(path) = &list.source
        {
            output::line(&path.display().to_string())?;
            return Ok(0);
        }
        self.require_new(&networks, &path)?;
        let state = &context.engine.attacher().runtime.state;
        check_subnets(state, &self.name, &config, networks.lists())
            .map_err(|error| Failure::Other(error.to_string()))?;
        // Seen whole or not at all: pods may be starting.
        let staged = folder.join(format!(".{}{UNFINISHED}", self.name));
        atomic_file::replace(&path, &staged, 0o644, text.as_bytes(), Durability::Full)?;
        output::line(&path.display().to_string())?;
        Ok(0)
    }
}

/// How names of files end that are being written.
const UNFINISHED: &str = ".new";

/// Takes away what killed commands have left half written. The directory is locked.
fn sweep(folder: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(Failure::io("read", folder))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            let path = entry.path();
            fs::remove_file(&path).map_err(Failure::io("remove", &path))?;
        }
    }
    Ok(())
}

impl Create {
    fn configuration(&self) -> Value {
        let mode = match self.mode {
            Mode::Bridge => "bridge",
            Mode::Ptp => "ptp",
            Mode::Macvlan => "macvlan",
        };
        let mut plugin = Map::new();
        plugin.insert("type".into(), json!(PLUGIN_TYPE));
        plugin.insert("mode".into(), json!(mode));
        for (key, value) in [
            ("subnet", self.subnet.map(|net| json!(net))),
            ("subnet6", self.subnet6.map(|net| json!(net))),
            ("restricted", self.restricted.then_some(Value::Bool(true))),
            ("master", self.master.as_ref().map(|name| json!(name))),
            ("mtu", self.mtu.map(|mtu| json!(mtu))),
        ] {
            plugin.extend(value.map(|value| (key.to_owned(), value)));
        }
        plugin.insert(
            "capabilities".into(),
            match self.mode {
                Mode::Macvlan => json!({"ips": true, "mac": true, "bandwidth": true}),
                _ => json!({"portMappings": true, "ips": true, "mac": true, "bandwidth": true}),
            },
        );
        json!({"cniVersion": "1.1.0", "name": self.name, "plugins": [plugin]})
    }

    /// What can't be used is not written.
    fn understand(&self, text: &str) -> Result<BuiltinConfig, Failure> {
        let list = NetworkList::parse(text.as_bytes(), Source::BuiltIn)
            .map_err(|error| Failure::Usage(format!("network {}: {error}", self.name)))?;
        let mut configs = list
            .plugins
            .iter()
            .map(|plugin| BuiltinConfig::parse(&list.name, &plugin.fields));
        let config = configs.next().transpose();
        config
            .map_err(|error| Failure::Usage(error.to_string()))?
            .ok_or_else(|| Failure::Other(format!("network {} has no plugin", self.name)))
    }

    /// Refuses to hide a network that there is, or a file that names another.
    fn require_new(&self, networks: &Networks, path: &Path) -> Result<(), Failure> {
        if let Some(list) = networks.get(&self.name) {
            let place = match &list.source {
                Source::File(path) => format!("it is configured in {}", path.display()),
                Source::BuiltIn | Source::Kept => "it is built in".to_owned(),
            };
            return Err(Failure::NameTaken(format!(
                "network {} already exists: {place}",
                self.name
            )));
        }
        match path.exists() {
            false => Ok(()),
            true => Err(Failure::Other(format!(
                "{} already exists, and is not the file of a network {}; remove it first",
                path.display(),
                self.name
            ))),
        }
    }
}
