//! Which field of a request an error of the engine is about.

use engine::Error;
use engine::error::{AppError, DeviceError, NetworkSpecError, SecurityError};

use super::CriError;

/// The security context of sandboxes and of containers.
const SECURITY: &str = "config.linux.security_context";

impl CriError {
    /// An error about what was asked of a sandbox.
    pub(crate) fn of_sandbox(error: Error) -> Self {
        let field = match &error {
            Error::Security(SecurityError::Sysctl { .. }) => "config.linux.sysctls".to_owned(),
            Error::Security(
                SecurityError::HostIpc | SecurityError::HostPids | SecurityError::HostCgroups,
            ) => format!("{SECURITY}.namespace_options"),
            Error::UserNamespace(_) => format!("{SECURITY}.namespace_options.userns_options"),
            Error::NetworkSpec(
                NetworkSpecError::Port(_)
                | NetworkSpecError::Ports(_)
                | NetworkSpecError::PortsWithoutNetwork,
            ) => "config.port_mappings".to_owned(),
            _ => return error.into(),
        };
        Self::invalid(field, error)
    }

    /// An error about what was asked of a container.
    pub(crate) fn of_container(error: Error) -> Self {
        let field = match &error {
            Error::Mount(_) => "config.mounts".to_owned(),
            Error::Device(device) => match device {
                DeviceError::NotThere { .. }
                | DeviceError::NotADevice(_)
                | DeviceError::Place(_)
                | DeviceError::TooMany(_) => "config.devices".to_owned(),
                // Those are of devices that have names.
                _ => "config.CDI_devices".to_owned(),
            },
            Error::Selinux(_) => format!("{SECURITY}.selinux_options"),
            Error::Security(security) => match security {
                SecurityError::Profile { .. } => format!("{SECURITY}.seccomp"),
                SecurityError::NoAppArmor(_) | SecurityError::UnknownProfile(_) => {
                    format!("{SECURITY}.apparmor")
                }
                SecurityError::AllAndNone
                | SecurityError::AddedAndDropped(_)
                | SecurityError::NotHeld(_) => format!("{SECURITY}.capabilities"),
                _ => SECURITY.to_owned(),
            },
            Error::App(app) => match app {
                AppError::NoProgram { .. }
                | AppError::EmptyProgram { .. }
                | AppError::FlagAsProgram { .. }
                | AppError::ZeroByte { .. } => "config.command".to_owned(),
                AppError::NoSuchTarget { .. } | AppError::NoProcessesOfItsOwn { .. } => {
                    format!("{SECURITY}.namespace_options.target_id")
                }
                AppError::Limits { .. } => "config.linux.resources".to_owned(),
                _ => return error.into(),
            },
            _ => return error.into(),
        };
        Self::invalid(field, error)
    }
}
