//! The commands that change and show the policy.

use std::fs;
use std::io::Write;

use harness::{HttpServer, Key};

use crate::trust::{rule, run, unsigned};
use crate::trust_signatures::fingerprint;

#[test]
fn keys_come_from_streams_and_addresses() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.sign(&host, &image);
    let text = fs::read(key.public()).unwrap();
    let prefix = registry.name("team");
    let add = |yes: bool, place: &str| {
        let mut command = host.fairing(["trust", "add", "--prefix", &prefix, place]);
        if yes {
            command = command.arg("--yes");
        }
        command
    };
    add(false, "-")
        .stdin(text.clone())
        .run()
        .expect_error(125, &["--yes"]);
    add(true, "-").stdin("no key").run().expect_code(125);
    run(&host, &image).expect_code(115);
    add(true, "-").stdin(text.clone()).run().ok();
    run(&host, &image).ok();
    let name = fingerprint(&host, &key);
    host.fairing(["trust", "rm", "--prefix", &prefix, &name])
        .run()
        .ok();

    let server = HttpServer::start(move |request, mut stream| {
        let (status, body) = match request.target.as_str() {
            "/team.pub" => ("200 OK", text.clone()),
            "/large" => ("200 OK", vec![b'x'; 1 << 20]),
            _ => ("404 Not Found", Vec::new()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&body);
    });
    let at = format!("http://{}", server.address());
    add(true, &format!("{at}/team.pub"))
        .run()
        .expect_error(122, &["HTTP"]);
    assert!(server.requests().is_empty());
    for (path, code) in [("nothing", 122), ("large", 122), ("team.pub", 0)] {
        add(true, &format!("{at}/{path}"))
            .arg("--insecure-options=http")
            .run()
            .expect_code(code);
    }
    run(&host, &image).ok();
}

#[test]
fn a_revoked_key_fails_at_the_next_start_offline() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.sign(&host, &image);
    key.trust(&host, &registry.name("team"));
    host.fairing(["fetch", &image]).run().ok();
    registry.stop();
    run(&host, &image).ok();
    let name = fingerprint(&host, &key);
    let digits = &name["sha256:".len()..][..12];
    host.fairing(["trust", "revoke", "000000"])
        .run()
        .expect_error(125, &["000000"]);
    host.fairing(["trust", "revoke", digits]).run().ok();
    run(&host, &image).expect_error(116, &[&image, "revoked"]);
    for command in ["list", "show"] {
        let mut shown = host.fairing(["trust", command]);
        if command == "show" {
            shown = shown.arg(digits);
        }
        let shown = shown.run().ok();
        assert!(format!("{shown}").contains("revoked"), "{shown}");
    }
    let file = host
        .local_config()
        .join(format!("trust.d/revoked-{digits}.toml"));
    fs::remove_file(file).unwrap();
    run(&host, &image).ok();
}

#[test]
fn an_expired_key_fails_at_the_next_start_offline() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.sign(&host, &image);
    let prefix = registry.name("team");
    let until = |time: &str| {
        host.fairing(["trust", "add", "--yes", "--prefix", &prefix])
            .args(["--not-after", time])
            .arg(key.public())
            .run()
            .ok();
    };
    until("2999-01-01T00:00:00Z");
    host.fairing(["fetch", &image]).run().ok();
    registry.stop();
    run(&host, &image).ok();
    host.fairing(["trust", "show", &prefix])
        .run()
        .ok()
        .expect_stdout("not-after = 2999-01-01T00:00:00Z");
    until("2001-01-01T00:00:00Z");
    run(&host, &image).expect_error(116, &[&image, "expired"]);
    host.fairing(["trust", "list"])
        .run()
        .ok()
        .expect_stdout("until 2001-01-01");
}

#[test]
fn a_policy_is_put_to_the_test() {
    let (registry, host, _) = unsigned();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    host.write_policy("others.toml", &rule("example.com", "type = \"reject\""));
    let name = fingerprint(&host, &key);
    let team = registry.name("team/app:1");
    let cases = format!(
        "[[case]]\nimage = \"{team}\"\nsigned-by = [\"{name}\"]\nexpect = \"accept\"\n\
         [[case]]\nname = \"nobody signed\"\nimage = \"{team}\"\nexpect = \"refuse\"\n\
         [[case]]\nimage = \"example.com/app\"\nexpect = \"refuse\"\n"
    );
    let file = host.write("cases.toml", &cases);
    let test = || host.fairing(["trust", "test-policy"]).arg(&file).run();
    test().ok().expect_stdout("3 cases, 0 failed");
    fs::write(&file, cases.replace("\"refuse\"", "\"accept\"")).unwrap();
    test()
        .expect_code(1)
        .expect_stdout("3 cases, 2 failed")
        .expect_stdout("FAIL nobody signed");
    fs::write(&file, "[[case]]\nimage = 7\n").unwrap();
    test().expect_error(125, &["line 2"]);
}
