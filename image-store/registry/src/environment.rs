//! What the environment of a user says of registries. It is read once, by the program, which hands it
//! on: the store itself looks at no variable, so that two users of it in one process have their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::wait::WaitListener;
use crate::login_text::Login;
use crate::retrying::Retrying;

/// The variables that count. Those of proxies count in lower case too.
const VARIABLES: [&str; 7] = [
    "CONTAINERS_REGISTRIES_CONF",
    "DOCKER_CONFIG",
    "HOME",
    "REGISTRY_AUTH_FILE",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];
const PROXIES: [&str; 8] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What the environment of a user says of registries: files of credentials and of configuration,
/// trusted roots, proxies. By default nothing: no credentials are known then but fairing's own.
///
/// Credential helpers are programs; they inherit the environment of the process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<&'static str, OsString>,
    /// Whether it is that of this process's user, who has files of their own.
    has_user: bool,
    /// Who is told of what has to be waited for.
    waits: WaitListener,
    /// Logins of one command's own, the one that counts most first.
    logins: Vec<Login>,
    /// How failures are tried again.
    retrying: Retrying,
}

impl Environment {
    /// The environment of this process's user, with the variables as `variable` gives them. Empty
    /// ones count as none.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let names = VARIABLES.into_iter().chain(PROXIES);
        let set = names.filter_map(|name| Some((name, variable(name)?)));
        Self {
            variables: set.filter(|(_, value)| !value.is_empty()).collect(),
            has_user: true,
            waits: WaitListener::default(),
            logins: Vec::new(),
            retrying: Retrying::default(),
        }
    }

    /// The same, with somebody who is told when a registry has to be asked again.
    #[must_use]
    pub fn telling_waits(mut self, listener: WaitListener) -> Self {
        self.waits = listener;
        self
    }

    /// The same, with logins that count more than all others.
    #[must_use]
    pub fn with_logins(mut self, logins: Vec<Login>) -> Self {
        self.logins = logins;
        self
    }

    /// The same, with failures tried again as one command has it.
    #[must_use]
    pub fn with_retrying(mut self, retrying: Retrying) -> Self {
        self.retrying = retrying;
        self
    }

    pub(super) fn retrying(&self) -> Retrying {
        self.retrying
    }

    pub(super) fn logins(&self) -> &[Login] {
        &self.logins
    }

    pub(super) fn waits(&self) -> &WaitListener {
        &self.waits
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from)
    }

    /// The user's directory of configuration.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.path("XDG_CONFIG_HOME")
            .or_else(|| Some(self.path("HOME")?.join(".config")))
    }

    /// The file of configuration in place of the usual ones.
    pub(super) fn containers_file(&self) -> Option<PathBuf> {
        self.path("CONTAINERS_REGISTRIES_CONF")
    }

    /// A bundle of trusted roots before those of the system.
    pub(super) fn roots(&self) -> Option<PathBuf> {
        self.path("SSL_CERT_FILE")
    }

    /// The file that a log-in is written to, as podman does it; `None` without any user.
    pub(super) fn login_file(&self) -> Option<PathBuf> {
        self.path("REGISTRY_AUTH_FILE")
            .or_else(|| self.session_file())
            .or_else(|| self.user_file())
    }

    /// The files of credentials, the one that counts most first.
    pub(super) fn auth_files(&self) -> Vec<PathBuf> {
        let docker = self
            .path("DOCKER_CONFIG")
            .or_else(|| Some(self.path("HOME")?.join(".docker")));
        [
            self.path("REGISTRY_AUTH_FILE"),
            self.session_file(),
            // Also from a shell: a service has no directory of a session.
            self.user_file(),
            self.config()
                .map(|folder| folder.join("containers/auth.json")),
            docker.map(|folder| folder.join("config.json")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn session_file(&self) -> Option<PathBuf> {
        let folder = self.variable("XDG_RUNTIME_DIR")?;
        Some(Path::new(folder).join("containers/auth.json"))
    }

    fn user_file(&self) -> Option<PathBuf> {
        let user = self.has_user.then(rustix::process::geteuid)?;
        let user = user.as_raw();
        Some(PathBuf::from(format!("/run/containers/{user}/auth.json")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            let found = set.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| value.into())
        })
    }

    fn own() -> String {
        let user = rustix::process::geteuid().as_raw();
        format!("/run/containers/{user}/auth.json")
    }

    fn files(set: &[(&str, &str)]) -> Vec<String> {
        let files = environment(set).auth_files().into_iter();
        files.map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn files_of_other_tools_in_their_order() {
        assert_eq!(
            files(&[
                ("HOME", "/h"),
                ("REGISTRY_AUTH_FILE", "/f"),
                ("XDG_RUNTIME_DIR", "/r")
            ]),
            [
                "/f",
                "/r/containers/auth.json",
                &own(),
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        assert_eq!(
            files(&[
                ("XDG_CONFIG_HOME", "/c"),
                ("DOCKER_CONFIG", "/d"),
                ("XDG_RUNTIME_DIR", "")
            ]),
            [&own(), "/c/containers/auth.json", "/d/config.json"]
        );
    }

    #[test]
    fn a_login_goes_where_the_environment_says_or_to_the_users_own_file() {
        let file = |set: &[_]| environment(set).login_file().unwrap();
        let session = ("XDG_RUNTIME_DIR", "/r");
        assert_eq!(
            file(&[session, ("REGISTRY_AUTH_FILE", "/f")]),
            Path::new("/f")
        );
        assert_eq!(file(&[session]), Path::new("/r/containers/auth.json"));
        assert_eq!(file(&[]), Path::new(&own()));
    }

    #[test]
    fn without_an_environment_there_are_no_files() {
        let none = Environment::default();
        assert_eq!((none.login_file(), none.auth_files()), (None, Vec::new()));
        assert_eq!((none.config(), none.roots()), (None, None));
    }
}
