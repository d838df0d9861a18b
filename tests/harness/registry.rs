//! A real registry on loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::authority::CertificateFiles;
use crate::deadline::eventually;
use crate::token_server::{ISSUER, SERVICE, TokenServer};

/// The user that protected registries know.
/// A line of htpasswd(1) with the hash of [`PASSWORD`](crate::account::PASSWORD).
const HTPASSWD: &str = "tester:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Debian's `docker-registry`, with its storage in a temporary directory. Ended when dropped.
pub struct Registry {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

/// What can be chosen before a [`Registry`] is started.
#[derive(Default)]
pub struct RegistryBuilder {
    storage: Option<PathBuf>,
    auth: String,
    tls: String,
    port: Option<u16>,
}

impl RegistryBuilder {
    /// Serves what another registry has. Images are pushed to that one, which is open.
    pub fn content_of(mut self, other: &Registry) -> Self {
        self.storage = Some(other.folder.path().join("storage"));
        self
    }

    /// Listens at this port of the loopback, which is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Wants user `tester` and password `secret` with each request.
    pub fn password(mut self) -> Self {
        self.auth = "auth: {htpasswd: {realm: tests, path: @FOLDER@/htpasswd}}\n".to_owned();
        self
    }

    /// Wants tokens of this server.
    pub fn tokens(mut self, server: &TokenServer) -> Self {
        self.auth = format!(
            "auth: {{token: {{realm: \"{}\", service: \"{SERVICE}\", issuer: {ISSUER}, rootcertbundle: {}}}}}\n",
            server.realm(),
            server.certificate().display()
        );
        self
    }

    /// Speaks TLS with this certificate, and wants one of each client if `clients` names the
    /// authority that those are of.
    pub fn tls(mut self, server: &CertificateFiles, clients: Option<&Path>) -> Self {
        let clients = clients.map_or_else(String::new, |path| {
            format!(", clientcas: [\"{}\"]", path.display())
        });
        self.tls = format!(
            ", tls: {{certificate: \"{}\", key: \"{}\"{clients}}}",
            server.certificate.display(),
            server.key.display()
        );
        self
    }

    /// Starts the registry and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(self) -> Registry {
        let folder = tempfile::Builder::new()
            .prefix("fairing-registry-")
            .tempdir()
            .expect("a folder");
        fs::write(folder.path().join("htpasswd"), HTPASSWD).expect("write htpasswd");
        // The port is free when it is asked for; who takes it before the registry does makes
        // the registry end, and another port is tried.
        for _ in 0..10 {
            let port = self.port.unwrap_or_else(free_port);
            if let Some((child, address)) = self.try_start(folder.path(), port) {
                return Registry {
                    child,
                    address,
                    folder,
                };
            }
        }
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        panic!("docker-registry does not start\n{log}");
    }

    fn try_start(&self, folder: &Path, port: u16) -> Option<(Child, SocketAddr)> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let own = folder.join("storage");
        let storage = self.storage.as_ref().unwrap_or(&own);
        let config = folder.join("config.yml");
        let auth = self.auth.replace("@FOLDER@", &folder.display().to_string());
        let text = format!(
            "version: 0.1\n\
             log: {{level: info, accesslog: {{disabled: false}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             {auth}\
             http: {{addr: \"{address}\", secret: tests{}}}\n",
            storage.display(),
            self.tls
        );
        fs::write(&config, text).expect("write the registry's configuration");
        let log = File::create(folder.join("log")).expect("create the registry's log");
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("dup"))
            .stderr(log)
            .spawn()
            .expect("docker-registry is not installed: run tests/prepare-machine");
        let up = eventually(Duration::from_secs(20), || match child.try_wait() {
            Ok(None) => TcpStream::connect(address).is_ok().then_some(true),
            _ => Some(false),
        });
        if up == Some(true) {
            return Some((child, address));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }
}

/// A port of the loopback that nobody listens at.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

impl Registry {
    /// Starts an open registry without TLS.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A registry with choices.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT/NAME`; the name may have a tag.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// The same, for a repository or a prefix of ones.
    pub fn name(&self, name: &str) -> String {
        self.reference(name)
    }

    /// What has been logged so far; each request is one line with its method and path.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends the registry: what starts after this, starts without it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::{Compression, Format, ImageBuilder, Registry, index};

    fn inspect(reference: &str) -> serde_json::Value {
        let output = Command::new("skopeo")
            .args(["inspect", "--tls-verify=false", "--config"])
            .arg(format!("docker://{reference}"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn a_pushed_image_is_what_other_tools_see() {
        let registry = Registry::start();
        for (format, compression) in [
            (Format::Oci, Compression::Gzip),
            (Format::Oci, Compression::Zstd),
            (Format::Oci, Compression::None),
            (Format::Docker, Compression::Gzip),
        ] {
            let image = ImageBuilder::busybox()
                .compression(compression)
                .format(format)
                .user("app")
                .workdir("/tmp")
                .build();
            let reference = image.push(&registry, "team/busybox:latest");
            let config = inspect(&reference);
            assert_eq!(config["config"]["User"], "app");
            assert_eq!(config["config"]["Cmd"], serde_json::json!(["/bin/sh"]));
        }
    }

    #[test]
    fn an_index_is_resolved_to_the_platform() {
        let registry = Registry::start();
        let images = ["linux/s390x", "linux/amd64", "linux/arm64"]
            .map(|platform| ImageBuilder::busybox().platform(platform).build());
        let reference = index(Format::Docker, images).push(&registry, "busybox:several");
        assert!(inspect(&reference)["architecture"].is_string());
        assert!(registry.log().contains("/v2/busybox/manifests/several"));
    }

    #[test]
    fn layouts_and_archives_are_read_by_other_tools() {
        let folder = tempfile::tempdir().unwrap();
        let image = ImageBuilder::busybox().build();
        image.write_layout(&folder.path().join("layout"), "one");
        image.write_layout(&folder.path().join("layout"), "two");
        image.write_oci_archive(&folder.path().join("oci.tar"), "one");
        let plain = ImageBuilder::busybox()
            .compression(Compression::None)
            .build();
        plain.write_docker_archive(&folder.path().join("docker.tar"), "example.com/busybox:1");
        let at = folder.path().display();
        for source in [
            format!("oci:{at}/layout:two"),
            format!("oci-archive:{at}/oci.tar:one"),
            format!("docker-archive:{at}/docker.tar"),
        ] {
            let copied = Command::new("skopeo")
                .args(["copy", "--quiet", &source])
                .arg(format!("dir:{at}/copy"))
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&copied.stderr).into_owned();
            assert!(copied.status.success(), "{source}: {errors}");
        }
    }
}
