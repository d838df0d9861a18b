use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::error::RegistryError;
use crate::login_text::Login;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image_name::Location;

fn lookup(json: &str, repository: &str) -> Result<Option<Credentials>, RegistryError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.json");
    fs::write(&path, json).unwrap();
    let sources = Sources {
        logins: Vec::new(),
        files: vec![dir.path().join("missing"), path],
        ..Sources::default()
    };
    Ok(sources
        .find(&place(repository))?
        .map(|known| known.credentials))
}

fn place(text: &str) -> Location {
    Location::parse(text).unwrap()
}

fn basic(text: &str) -> Option<Credentials> {
    Some(Credentials::Basic(STANDARD.encode(text)))
}

fn secret(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// Writes a helper that is this shell script.
fn helper(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
}

fn failure(result: Result<Option<Known>, RegistryError>) -> String {
    match result {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_longest_path_wins_on_whole_components() {
    let json = r#"{"auths":{
        "q.io":{"auth":"YTpi"}, "q.io/team":{"auth":"YzpkOmU="},
        "https://index.docker.io/v1/":{"username":"u","password":"p"},
        "idt.io":{"auth":"YTpi","identitytoken":"r"}, "empty.io":{}}, "other":1}"#;
    assert!(lookup(json, "q.io/a").unwrap() == basic("a:b"));
    assert!(lookup(json, "q.io/team/x").unwrap() == basic("c:d:e"));
    assert!(lookup(json, "q.io/teamx").unwrap() == basic("a:b"));
    assert!(lookup(json, "q.io.evil.io/a").unwrap().is_none());
    assert!(lookup(json, "q.io:5000/a").unwrap().is_none());
    assert!(lookup(json, "docker.io/library/a").unwrap() == basic("u:p"));
    assert!(lookup(json, "idt.io/a").unwrap() == Some(Credentials::Refresh("r".into())));
    assert!(lookup(json, "empty.io/a").unwrap().is_none());
    assert!(lookup("", "q.io/a").unwrap().is_none());
}

#[test]
fn a_broken_file_is_named_and_not_quoted() {
    let Err(error) = lookup(r#"{"auths":{"q.io":"hunter2"}}"#, "q.io/a") else {
        panic!("accepted");
    };
    let message = error.to_string();
    assert!(
        message.contains("auth.json") && !message.contains("hunter2"),
        "{message}"
    );
}

#[test]
fn own_files_come_before_those_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("auth.d");
    fs::create_dir(&folder).unwrap();
    secret(dir.path(), "password", "from a file\n");
    secret(
        &folder,
        "a.toml",
        &format!(
            "[[credentials]]\nprefix = \"q.io/team\"\nuser = \"u\"\npassword = \"p\"\n\
             [[credentials]]\nprefix = \"Q.io/team/file\"\nuser = \"f\"\npassword-file = \"{}\"\n\
             [[credentials]]\nprefix = \"t.io\"\nidentity-token = \"refresh\"\n",
            dir.path().join("password").display()
        ),
    );
    secret(&folder, "ignored.json", "no TOML");
    let json = r#"{"auths":{"q.io":{"auth":"YTpi"},"q.io/team/x/y":{"auth":"YTpi"}}}"#;
    let sources = Sources {
        folder: Some(folder.clone()),
        files: vec![secret(dir.path(), "auth.json", json)],
        helpers: None,
        logins: Vec::new(),
    };
    let find = |repository| {
        let found = sources.find(&place(repository)).unwrap();
        found.map(|known| known.credentials)
    };
    assert!(find("q.io/team/x/y") == basic("u:p"));
    assert!(find("q.io/team/file") == basic("f:from a file"));
    assert!(find("q.io/other") == basic("a:b"));
    assert!(find("t.io/x") == Some(Credentials::Refresh("refresh".to_owned())));
    assert!(find("n.io/x").is_none());
    secret(
        &folder,
        "b.toml",
        "[[credentials]]\nprefix = \"q.io/team\"\nuser = \"u\"\npassword = \"p\"\n",
    );
    let message = failure(sources.find(&place("q.io/team/x")));
    assert!(
        message.contains("a.toml") && message.contains("b.toml"),
        "{message}"
    );
}

#[test]
fn own_files_that_others_can_read_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[credentials]]\nprefix = \"q.io\"\nuser = \"u\"\npassword = \"p\"\n";
    let path = secret(dir.path(), "a.toml", text);
    let sources = Sources {
        folder: Some(dir.path().to_owned()),
        ..Sources::default()
    };
    assert!(sources.find(&place("q.io/a")).unwrap().is_some());
    for mode in [0o644, 0o640, 0o620, 0o602] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let message = failure(sources.find(&place("q.io/a")));
        assert!(message.contains("a.toml") && message.contains("users other than its owner"));
    }
    for broken in [
        "[[credentials]]\nprefix = \"q.io\"\nuser = hunter2\n",
        "[[credentials]]\nprefix = \"q.io\"\nhunter2 = \"x\"\n",
        "[[credentials]]\nprefix = \"q.io\"\npassword = \"hunter2\"\n",
        "[[credentials]]\nuser = \"hunter2\"\n",
    ] {
        secret(dir.path(), "a.toml", broken);
        let message = failure(sources.find(&place("q.io/a")));
        assert!(
            message.contains("a.toml") && !message.contains("hunter2"),
            "{message}"
        );
    }
}

#[test]
fn helpers_are_asked_where_a_file_names_them() {
    let dir = tempfile::tempdir().unwrap();
    helper(
        dir.path(),
        "one",
        r#"read -r server; printf '{"ServerURL":"%s","Username":"u","Secret":"%s %s"}' "$server" "$1" "$server""#,
    );
    helper(
        dir.path(),
        "token",
        r#"printf '{"Username":"<token>","Secret":"refresh"}'"#,
    );
    helper(
        dir.path(),
        "none",
        "echo 'credentials not found in native keychain'; exit 1",
    );
    let json = r#"{"auths":{"q.io":{"auth":"YTpi"},"file.io":{"auth":"YTpi"}},
        "credHelpers":{"q.io":"one","t.io":"token","n.io":"none","file.io":"none"},"credsStore":"one"}"#;
    let sources = Sources {
        files: vec![secret(dir.path(), "config.json", json)],
        helpers: Some(dir.path().to_owned()),
        ..Sources::default()
    };
    let find = |repository| {
        let found = sources.find(&place(repository)).unwrap();
        found.map(|known| known.credentials)
    };
    assert!(find("q.io/a") == basic("u:get q.io"));
    assert!(find("t.io/a") == Some(Credentials::Refresh("refresh".to_owned())));
    assert!(find("file.io/a") == basic("a:b"));
    assert!(find("docker.io/library/a") == basic("u:get https://index.docker.io/v1/"));
    let from = sources.find(&place("q.io/a")).unwrap().unwrap().from;
    assert_eq!(from, "docker-credential-one");

    let none = r#"{"credsStore":"none"}"#;
    let sources = Sources {
        files: vec![secret(dir.path(), "none.json", none)],
        ..sources
    };
    assert!(sources.find(&place("q.io/a")).unwrap().is_none());
}

#[test]
fn helpers_that_misbehave_are_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let get = |name: &str| Helper::named(name).at(Some(dir.path())).get("q.io");
    for (name, script, part) in [
        (
            "fails",
            "echo 'the vault is sealed'; exit 3",
            "the vault is sealed",
        ),
        ("garbled", "echo 'hunter2'", "JSON"),
        ("endless", "exec yes hunter2", "more than"),
    ] {
        helper(dir.path(), name, script);
        let message = failure(get(name));
        assert!(
            message.contains(&format!("docker-credential-{name}")) && message.contains(part),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }
    assert!(failure(get("missing")).contains("can't be started"));
    assert!(failure(get("../fails")).contains("not the name"));
    // One that hangs, with a child of its own that holds the output open.
    helper(dir.path(), "hangs", "sleep 1000 & wait");
    let begun = Instant::now();
    let hanging = Helper::named("hangs").at(Some(dir.path()));
    let message = failure(hanging.limit(Duration::from_millis(50)).get("q.io"));
    assert!(message.contains("too long"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn log_ins_are_kept_and_forgotten_in_both_formats() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("etc/auth.d");
    let file = dir.path().join("containers/auth.json");
    let sources = |own: bool| Sources {
        logins: Vec::new(),
        folder: own.then(|| folder.clone()),
        files: vec![file.clone()],
        helpers: None,
    };
    let odd = "p\"a\\s\n:\u{7f}é";
    store_native(&folder, "q.io/team", "u", odd).unwrap();
    store_native(&folder, "q.io", "other", "x").unwrap();
    store_native(&folder, "q.io", "later", "y").unwrap();
    let found = sources(true).find(&place("q.io/team/x")).unwrap().unwrap();
    assert!(found.credentials == Credentials::basic("u", odd));
    assert_eq!(found.credentials.user().as_deref(), Some("u"));
    let found = sources(true).find(&place("q.io/x")).unwrap().unwrap();
    assert!(found.credentials == Credentials::basic("later", "y"));
    assert!(erase_native(&folder, Some("q.io")).unwrap());
    assert!(!erase_native(&folder, Some("q.io")).unwrap());
    assert!(sources(true).find(&place("q.io/x")).unwrap().is_none());
    assert!(erase_native(&folder, None).unwrap());
    assert!(sources(true).find(&place("q.io/team/x")).unwrap().is_none());

    AuthFile::store(&file, "q.io", "u", odd).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen('{', "{\"kept\": 1, ", 1)).unwrap();
    AuthFile::store(&file, "docker.io", "hub", "p").unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("kept"));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let found = sources(false).find(&place("q.io/x")).unwrap().unwrap();
    assert!(found.credentials == Credentials::basic("u", odd));
    assert!(AuthFile::erase(&file, Some("q.io")).unwrap());
    assert!(sources(false).find(&place("q.io/x")).unwrap().is_none());
    assert!(
        sources(false)
            .find(&place("docker.io/library/x"))
            .unwrap()
            .is_some()
    );
    assert!(AuthFile::erase(&file, None).unwrap());
    assert!(!AuthFile::erase(&file, None).unwrap());
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_login_that_is_given_counts_more_than_those_of_files_and_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let of_file = r#"{"auths":{"q.io":{"auth":"YTpi"},"r.io":{"auth":"YTpi"}}}"#;
    let given = r#"{"auths":{"q.io":{"username":"u","password":"hidden"}}}"#;
    let login = |text: &str| Login::new("imagePullSecrets".to_owned(), text.into());
    let sources = |text: &str| Sources {
        logins: vec![login(text)],
        folder: None,
        files: vec![secret(dir.path(), "auth.json", of_file)],
        helpers: None,
    };
    let find = |name| sources(given).find(&place(name)).unwrap().unwrap();
    assert!(find("q.io/x").credentials == Credentials::basic("u", "hidden"));
    assert_eq!(find("q.io/x").from, "imagePullSecrets");
    assert!(find("r.io/x").credentials == basic("a:b").unwrap());
    let message = failure(sources("no JSON").find(&place("q.io/x")));
    assert!(message.contains("imagePullSecrets"), "{message}");
    assert!(!format!("{:?}", login(given)).contains("hidden"));
}
