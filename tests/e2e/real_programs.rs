//! Programs as Debian packages them: nginx, redis and PostgreSQL.

use std::time::Duration;

use harness::{Host, ImageBuilder, debian_image};

use crate::imported::import;

const LIMIT: Duration = Duration::from_secs(40);

/// A host with the image of one of the programs.
fn host_with(program: &str) -> (Host, String) {
    let host = Host::new();
    host.accept_unsigned();
    let reference = format!("debian.example.com/{program}:1");
    host.fairing([
        "image",
        "import",
        &debian_image(program),
        "--name",
        &reference,
    ])
    .run()
    .ok();
    (host, reference)
}

#[test]
fn nginx_serves_a_page_over_the_pods_loopback() {
    let (host, nginx) = host_with("nginx");
    let busybox = import(&host, &ImageBuilder::busybox().build(), "busybox:1");
    let client = "until wget -q -O - http://127.0.0.1/ 2>/dev/null; do :; done";
    let pod = host
        .fairing([
            "run",
            "--name",
            "web",
            &nginx,
            "---",
            &busybox,
            "--app-name",
            "client",
        ])
        .args(["--", "/bin/sh", "-c", client])
        .limit(LIMIT)
        .spawn();
    pod.wait_stdout("Welcome to nginx!");
    // The access log is the app's standard output.
    pod.wait_stdout("\"GET / HTTP/1.1\" 200");
    // A command in the app of nginx is behind the same loopback.
    let get = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    host.fairing([
        "enter",
        "--app",
        "nginx",
        "web",
        "--",
        "/bin/bash",
        "-c",
        get,
    ])
    .run()
    .ok()
    .expect_stdout("HTTP/1.1 200 OK")
    .expect_stdout("Welcome to nginx!");
    // The workers have given up root.
    host.fairing(["enter", "--app", "nginx", "web", "--", "/bin/bash", "-c"])
        .arg("for p in /proc/[0-9]*; do grep -q worker $p/cmdline && stat -c %U $p; done; true")
        .run()
        .ok()
        .expect_stdout("www-data");
    // Nobody outside of the pod is.
    let error = std::net::TcpStream::connect("127.0.0.1:80").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    host.fairing(["stop", "web"]).run().ok();
    // SIGQUIT, which the image asks for, is a graceful end.
    pod.wait().ok();
}

#[test]
fn redis_answers_a_client_app_of_the_same_pod() {
    let (host, redis) = host_with("redis");
    let client = "until redis-cli ping 2>/dev/null; do :; done; \
        redis-cli set greeting 'hello from the pod'; redis-cli get greeting; id -un";
    let pod = host
        .fairing([
            "run",
            "--name",
            "cache",
            &redis,
            "--app-name",
            "server",
            "---",
            &redis,
        ])
        .args(["--app-name", "client", "--", "/bin/sh", "-c", client])
        .limit(LIMIT)
        .spawn();
    pod.wait_stdout("PONG");
    pod.wait_stdout("hello from the pod");
    pod.wait_stdout("redis\n");
    host.fairing([
        "enter",
        "--app",
        "server",
        "cache",
        "--",
        "redis-cli",
        "get",
        "greeting",
    ])
    .run()
    .ok()
    .expect_stdout("hello from the pod\n");
    host.fairing(["stop", "cache"]).run().ok();
    pod.wait().ok().expect_stdout("ready to exit, bye bye");
}

#[test]
fn postgresql_takes_sql_and_shuts_down_cleanly() {
    let (host, postgres) = host_with("postgres");
    let pod = host
        .fairing(["run", "--name", "db", &postgres])
        .limit(LIMIT)
        .spawn();
    pod.wait_stderr("database system is ready to accept connections");
    let user = host.fairing(["enter", "db", "--", "id", "-un"]).run().ok();
    assert_eq!(user.text(), "postgres");
    let sql = "create table t (n int); insert into t select generate_series(1, 1000); \
        select 'sum=' || sum(n) from t;";
    host.fairing([
        "enter",
        "db",
        "--",
        "psql",
        "-h",
        "127.0.0.1",
        "-At",
        "-c",
        sql,
    ])
    .run()
    .ok()
    .expect_stdout("sum=500500\n");
    // A second one sees what the first one wrote: it is the same server.
    host.fairing(["enter", "db", "--", "psql", "-h", "127.0.0.1", "-At", "-c"])
        .arg("select count(*) from t where pg_backend_pid() > 0")
        .run()
        .ok()
        .expect_stdout("1000\n");
    host.fairing(["stop", "db"]).run().ok();
    pod.wait()
        .ok()
        .expect_stderr("database system is shut down");
    let status = host
        .fairing(["status", "db", "--format", "json"])
        .run()
        .ok()
        .json();
    assert_eq!(status["state"], "exited");
    assert_eq!(status["exit-code"], 0);
}

#[test]
fn images_of_one_base_share_its_layer() {
    let (host, _) = host_with("nginx");
    let layers = || {
        std::fs::read_dir(host.data_dir().join("images/layers"))
            .unwrap()
            .count()
    };
    assert_eq!(layers(), 2);
    host.fairing(["image", "import", &debian_image("redis")])
        .args(["--name", "debian.example.com/redis:1"])
        .run()
        .ok();
    assert_eq!(layers(), 3);
    host.fairing(["image", "rm", "debian.example.com/redis:1"])
        .run()
        .ok();
    assert_eq!(layers(), 2);
}
