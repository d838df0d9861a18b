//! Registries that want to know who asks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::{FairingCommand, Host, HttpServer, ImageBuilder, Key, Registry, TokenServer};

/// A registry that wants a password, and an image of it.
fn protected() -> (Registry, Registry, String) {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let registry = Registry::builder().content_of(&open).password().start();
    let reference = registry.reference("team/app:1");
    (open, registry, reference)
}

fn host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host
}

/// A command in a session of its own, which has a directory for log-ins.
fn session<const N: usize>(host: &Host, arguments: [&str; N]) -> FairingCommand {
    host.fairing(arguments)
        .env("XDG_RUNTIME_DIR", host.base().join("session"))
}

#[track_caller]
fn log_in(host: &Host, registry: &str, flags: &[&str]) {
    session(
        host,
        ["login", "-u", "tester", "--password-stdin", registry],
    )
    .args(flags)
    .stdin("secret\n")
    .run()
    .ok();
}

fn private(host: &Host, path: &str, text: &str, mode: u32) {
    let path = host.write(path, text);
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn credentials_are_proven_before_they_are_kept() {
    let (_open, registry, reference) = protected();
    let host = host();
    let name = registry.address().to_string();
    let kept = host.base().join("session/containers/auth.json");
    session(&host, ["fetch", &reference])
        .run()
        .expect_error(122, &["not authorized", &format!("fairing login {name}")]);

    session(
        &host,
        ["login", "--username=tester", "--password-stdin", &name],
    )
    .stdin("wrong")
    .run()
    .expect_error(122, &[&name, "as tester", "nothing was stored"]);
    assert!(!kept.exists());

    let output = session(&host, ["login", "-u", "tester", "--password-stdin", &name])
        .stdin("secret\r\n")
        .run()
        .ok();
    assert!(!output.stdout.contains("secret") && output.stdout.contains("tester"));
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let known = session(&host, ["login", "--get-login", &name]).run().ok();
    assert_eq!(known.text(), "tester");
    session(&host, ["fetch", &reference]).run().ok();

    session(&host, ["logout", &name]).run().ok();
    session(&host, ["fetch", &reference]).run().expect_code(122);
    session(&host, ["logout", &name])
        .run()
        .expect_error(125, &["nobody is logged in", &name]);
    log_in(&host, &name, &[]);
    session(&host, ["logout", "--all"]).run().ok();
    session(&host, ["login", "--get-login", &name])
        .run()
        .expect_error(125, &["nobody is logged in"]);
}

#[test]
fn a_log_in_for_the_system_needs_no_session_and_is_for_its_prefix() {
    let (_open, registry, reference) = protected();
    let host = host();
    let scope = format!("{}/team", registry.address());
    log_in(&host, &scope, &["--system"]);
    let kept = host.local_config().join("auth.d/login.toml");
    let mode = fs::metadata(kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    host.fairing(["fetch", &reference]).run().ok();
    host.fairing(["fetch", &registry.reference("other/app:1")])
        .run()
        .expect_error(122, &["no credentials"]);
    session(&host, ["logout", &scope]).run().ok();
    host.fairing(["fetch", &reference]).run().expect_code(122);
}

#[test]
fn own_credentials_count_first_and_are_refused_where_others_can_read_them() {
    let (_open, registry, reference) = protected();
    let host = host();
    let name = registry.address().to_string();
    let auths = format!(r#"{{"auths":{{"{name}":{{"auth":"d3Jvbmc6d3Jvbmc="}}}}}}"#);
    private(&host, ".docker/config.json", &auths, 0o600);
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(122, &[".docker/config.json", "fairing login"]);
    let own = |user: &str| {
        format!("[[credentials]]\nprefix = \"{name}\"\nuser = \"{user}\"\npassword = \"secret\"\n")
    };
    private(&host, "etc/auth.d/team.toml", &own("tester"), 0o644);
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(125, &["auth.d/team.toml", "chmod 600"]);
    private(&host, "etc/auth.d/team.toml", &own("nobody"), 0o600);
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(122, &["auth.d/team.toml"]);
    private(&host, "etc/auth.d/team.toml", &own("tester"), 0o600);
    host.fairing(["fetch", &reference]).run().ok();
}

#[test]
fn tokens_are_asked_for_reading_one_repository() {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let tokens = TokenServer::start();
    let registry = Registry::builder()
        .content_of(&open)
        .tokens(&tokens)
        .start();
    let reference = registry.reference("team/app:1");
    let host = host();
    let name = registry.address().to_string();
    session(&host, ["fetch", &reference])
        .run()
        .expect_error(122, &["getting a token", "fairing login"]);
    session(&host, ["login", "-u", "tester", "--password-stdin", &name])
        .stdin("wrong")
        .run()
        .expect_error(122, &["user and password are wrong", "nothing was stored"]);
    log_in(&host, &name, &[]);
    session(&host, ["fetch", &reference]).run().ok();
    let asked = tokens.requests();
    let last = asked.last().unwrap();
    assert!(
        last.target
            .contains("scope=repository%3Ateam%2Fapp%3Apull&"),
        "{}",
        last.target
    );
}

#[test]
fn a_signature_is_written_with_a_token_for_writing() {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let tokens = TokenServer::start();
    let registry = Registry::builder()
        .content_of(&open)
        .tokens(&tokens)
        .start();
    let host = Host::new();
    log_in(&host, &registry.address().to_string(), &["--system"]);
    let reference = registry.reference("team/app:1");
    let key = Key::generate(&host, "team");
    key.sign(&host, &reference);
    let asked = tokens.requests();
    let last = asked.last().unwrap();
    assert!(
        last.target.contains("app%3Apull%2Cpush&"),
        "{}",
        last.target
    );
    key.trust(&host, &registry.name("team"));
    host.fairing(["run", "--rm", &reference, "--exec", "/bin/true"])
        .run()
        .ok();
}

#[test]
fn helpers_keep_credentials_where_a_file_names_them() {
    let (_open, registry, reference) = protected();
    let host = host();
    let name = registry.address().to_string();
    let helpers = format!(r#"{{"credHelpers":{{"{name}":"tests"}}}}"#);
    host.write(".docker/config.json", helpers);
    let script = "#!/bin/sh\nd=\"$HOME/kept\"\ncase $1 in\n\
         get) [ -e \"$d\" ] || { echo 'credentials not found in native keychain'; exit 1; }; cat \"$d\" ;;\n\
         store) cat > \"$d\" ;;\nerase) rm \"$d\" ;;\nesac\n";
    let program = host.write("bin/docker-credential-tests", script);
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", host.base().join("bin").display());
    let with_helper = |arguments: &[&str]| {
        session(&host, [])
            .args(arguments)
            .env("PATH", &path)
            .stdin("secret")
            .run()
    };
    with_helper(&["fetch", &reference]).expect_error(122, &["no credentials"]);
    with_helper(&["login", "-u", "tester", "--password-stdin", &name])
        .ok()
        .expect_stdout("docker-credential-tests");
    assert!(host.base().join("kept").exists());
    assert!(!host.base().join("session/containers/auth.json").exists());
    with_helper(&["fetch", &reference]).ok();
    with_helper(&["logout", &name]).ok();
    assert!(!host.base().join("kept").exists());
    fs::remove_file(program).unwrap();
    with_helper(&["fetch", &reference])
        .expect_error(125, &["docker-credential-tests", "can't be started"]);
}

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let (_open, registry, _) = protected();
    let host = host();
    let name = registry.address().to_string();
    let mut terminal = session(&host, ["login", &name]).spawn_on_terminal(24, 200);
    terminal.wait_screen(&format!("User at {name}: "));
    terminal.type_keys("testerx\x7f\r");
    terminal.wait_screen(&format!("Password of tester at {name}: "));
    terminal.type_keys("secret\r");
    let output = terminal.wait().ok();
    assert!(output.stdout.contains("logged in"), "{output}");
    assert!(!output.stdout.contains("secret"), "{output}");

    let mut terminal = session(&host, ["login", "-u", "tester", &name]).spawn_on_terminal(24, 200);
    terminal.wait_screen("Password of tester");
    terminal.type_keys("sec\x03");
    terminal.wait().expect_code(125);
    session(&host, ["login", "-u", "tester", &name])
        .run()
        .expect_error(2, &["--password-stdin"]);
}

/// Credentials of the registry and of the other host are both known, and neither goes elsewhere.
#[test]
fn redirects_to_another_host_carry_no_authorization() {
    let host = host();
    let blob = ImageBuilder::busybox().build();
    let served = blob.clone();
    let elsewhere = HttpServer::start(move |request, mut stream| {
        use std::io::Write;
        let digest = Path::new(&request.target).file_name().unwrap();
        let bytes = &served.blobs[digest.to_str().unwrap()];
        let head = format!(
            "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(bytes);
    });
    let (open, other) = (Registry::start(), elsewhere.address());
    blob.push(&open, "team/app:1");
    let backend = open.address();
    let registry = HttpServer::start(move |request, mut stream| {
        use std::io::Write;
        let answer = |status: &str| {
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        };
        let text = match request.header("authorization") {
            None => answer("401 x\r\nWWW-Authenticate: Basic realm=tests"),
            // Manifests come at once, blobs from elsewhere.
            Some(_) => match request.target.split_once("/blobs/") {
                Some((_, digest)) => answer(&format!("307 x\r\nLocation: http://{other}/{digest}")),
                None => answer(&format!(
                    "307 x\r\nLocation: http://{backend}{}",
                    request.target
                )),
            },
        };
        let _ = stream.write_all(text.as_bytes());
    });
    let name = registry.address();
    let auths = format!(
        r#"{{"auths":{{"{name}":{{"auth":"dTpw"}},"{other}":{{"auth":"dTpw"}},"{backend}":{{"auth":"dTpw"}}}}}}"#
    );
    private(&host, ".docker/config.json", &auths, 0o600);
    host.fairing(["fetch", &format!("{name}/team/app:1")])
        .run()
        .ok();
    let requests = elsewhere.requests();
    assert!(requests.len() >= 2, "configuration and layer");
    for request in requests {
        assert_eq!(request.header("authorization"), None, "{}", request.line());
    }
}
