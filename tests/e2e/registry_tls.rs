//! Registries that speak TLS under an authority of their own, and proxies on the way to them.

use std::fs;

use harness::{Authority, CertificateUse, ConnectProxy, Host, ImageBuilder, Registry};

struct Place {
    authority: Authority,
    open: Registry,
    registry: Registry,
}

/// A registry with a certificate of an authority that no machine knows.
fn place(clients: bool) -> Place {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let authority = Authority::new();
    let server = authority.issue("server", CertificateUse::Server);
    let certificate = authority.certificate();
    let registry = Registry::builder()
        .content_of(&open)
        .tls(&server, clients.then_some(certificate.as_path()))
        .start();
    Place {
        authority,
        open,
        registry,
    }
}

fn host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host
}

#[test]
fn a_private_authority_is_trusted_where_it_is_configured() {
    let place = place(false);
    let host = host();
    let name = place.registry.address().to_string();
    let reference = place.registry.reference("team/app:1");
    let ca = place.authority.certificate();
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(122, &["certificate", "registries.toml", &name]);

    host.write(
        "etc/registries.toml",
        format!(
            "[[registry]]\nprefix = \"{name}\"\nca = \"{}\"\n",
            ca.display()
        ),
    );
    host.fairing(["fetch", &reference]).run().ok();

    // As docker and podman have it.
    let folder = host.base().join("certs.d");
    host.write(
        "etc/registries.toml",
        format!(
            "certs-dirs = [\"/nonexistent\", \"{}\"]\n",
            folder.display()
        ),
    );
    host.fairing(["fetch", &reference]).run().expect_code(122);
    fs::create_dir_all(folder.join(&name)).unwrap();
    fs::copy(&ca, folder.join(&name).join("ca.crt")).unwrap();
    host.fairing(["fetch", &reference]).run().ok();

    host.write(
        "etc/registries.toml",
        format!("[[registry]]\nprefix = \"{name}\"\ninsecure-skip-verify = true\n"),
    );
    host.fairing(["fetch", &reference]).run().ok();

    // What `insecure = true` of registries.conf means, with TLS and without.
    fs::remove_file(host.local_config().join("registries.toml")).unwrap();
    let open = place.open.address();
    host.write(
        "containers/registries.conf",
        format!("[[registry]]\nlocation = \"{name}\"\ninsecure = true\n[[registry]]\nlocation = \"{open}\"\ninsecure = true\n"),
    );
    host.fairing(["fetch", &reference, &place.open.reference("team/app:1")])
        .run()
        .ok();
}

#[test]
fn a_registry_can_want_a_certificate_of_this_machine() {
    let place = place(true);
    let host = host();
    let name = place.registry.address().to_string();
    let reference = place.registry.reference("team/app:1");
    let folder = format!("certs.d/{name}");
    host.write(
        "etc/registries.toml",
        format!(
            "certs-dirs = [\"{}\"]\n",
            host.base().join("certs.d").display()
        ),
    );
    let copy = |from: &std::path::Path, to: &str| {
        host.write(format!("{folder}/{to}"), fs::read(from).unwrap());
    };
    copy(&place.authority.certificate(), "ca.crt");
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(122, &["client-cert"]);
    let client = place.authority.issue("client", CertificateUse::Client);
    let other = place.authority.issue("other", CertificateUse::Client);
    copy(&client.certificate, "client.cert");
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(125, &["client.cert", "client.key", "missing"]);
    copy(&other.key, "client.key");
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(125, &["client.key", "can't be used"]);
    copy(&client.key, "client.key");
    host.fairing(["fetch", &reference]).run().ok();
    host.write(
        "etc/registries.toml",
        format!(
            "[[registry]]\nprefix = \"{name}\"\nca = \"{}\"\nclient-cert = \"{}\"\nclient-key = \"{}\"\n",
            place.authority.certificate().display(),
            client.certificate.display(),
            client.key.display()
        ),
    );
    host.fairing(["fetch", &reference]).run().ok();
}

#[test]
fn the_environment_names_the_proxy() {
    let place = place(false);
    let host = host();
    // A name that only the proxy knows.
    let name = "registry.test:5000";
    let reference = format!("{name}/team/app:1");
    let ca = place.authority.certificate();
    host.write(
        "etc/registries.toml",
        format!(
            "retries = 0\n[[registry]]\nprefix = \"{name}\"\nca = \"{}\"\n",
            ca.display()
        ),
    );
    let proxy = ConnectProxy::start(place.registry.address());
    host.fairing(["fetch", &reference])
        .env("https_proxy", proxy.url().replace("//", "//user:hunter2@"))
        .run()
        .ok();
    let requests = proxy.requests();
    assert!(!requests.is_empty());
    for request in &requests {
        assert_eq!(request.line(), format!("CONNECT {name}"));
        assert!(request.header("proxy-authorization").is_some());
    }
    assert!(!place.registry.log().contains("hunter2"));

    let asked = requests.len();
    host.fairing(["fetch", &reference])
        .env("HTTPS_PROXY", proxy.url())
        .env("NO_PROXY", "example.com,.test:5000")
        .run()
        .expect_error(122, &[name]);
    assert_eq!(proxy.requests().len(), asked);
    host.fairing(["fetch", &reference])
        .env("HTTPS_PROXY", "socks5://127.0.0.1:9")
        .run()
        .expect_error(122, &["proxy", "SOCKS"]);
    host.fairing(["fetch", &reference])
        .env("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:9")
        .run()
        .expect_error(122, &["through the proxy 127.0.0.1:9"]);
    // Loopback needs none.
    host.fairing(["fetch", &place.open.reference("team/app:1")])
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .run()
        .ok();
}
