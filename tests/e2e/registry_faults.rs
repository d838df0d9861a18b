//! A way to the registry that breaks: what heals by itself, and what is said of the rest.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::{
    Artifact, Broken, Compression, FaultProxy, Host, ImageBuilder, Layer, Registry, free_port,
};

struct Place {
    host: Host,
    way: FaultProxy,
    image: Artifact,
    _registry: Registry,
}

/// A host, and an image with a large layer behind a way that can break.
fn place() -> Place {
    let registry = Registry::start();
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(400_000)
    .collect();
    let layer = Layer::new().file("noise", noise, 0o644);
    // Not compressed, so that what is broken is broken in one way only.
    let image = ImageBuilder::busybox()
        .compression(Compression::None)
        .layer(layer)
        .build();
    image.push(&registry, "team/app:1");
    let way = FaultProxy::start(&registry);
    let host = Host::new();
    host.accept_unsigned();
    host.write("etc/registries.toml", "retries = 2\n");
    Place {
        host,
        way,
        image,
        _registry: registry,
    }
}

impl Place {
    /// The path of the large layer.
    fn layer(&self) -> String {
        format!("/blobs/{}", self.image.layer_digests()[1])
    }

    fn fetch(&self) -> harness::Output {
        let reference = self.way.reference("team/app:1");
        self.host.fairing(["fetch", &reference]).run()
    }

    /// The ranges that the large layer was asked for by.
    fn ranges(&self) -> Vec<Option<String>> {
        let layer = self.layer();
        self.way
            .requests()
            .iter()
            .filter(|request| request.target.ends_with(&layer))
            .map(|request| request.header("range").map(str::to_owned))
            .collect()
    }

    /// Fails, leaves nothing, and succeeds once the way is whole again.
    #[track_caller]
    fn fails(self, times: usize, part: &str, broken: Broken, code: i32, texts: &[&str]) {
        self.way.breaks(part, times, broken);
        self.fetch().expect_error(code, texts);
        let left = std::fs::read_dir(self.host.data_dir().join("images/tmp"));
        assert_eq!(left.into_iter().flatten().count(), 0, "nothing half-done");
        let healed = FaultProxy::start(&self._registry);
        let reference = healed.reference("team/app:1");
        self.host.fairing(["fetch", &reference]).run().ok();
    }
}

#[test]
fn a_cut_layer_goes_on_where_it_was_cut() {
    let place = place();
    place.way.breaks(&place.layer(), 1, Broken::Cut(100_000));
    place.way.breaks(&place.layer(), 1, Broken::Cut(50_000));
    place.fetch().ok();
    let ranges = place.ranges();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1].as_deref(), Some("bytes=100000-"));
    assert_eq!(ranges[2].as_deref(), Some("bytes=150000-"));
}

#[test]
fn a_registry_that_knows_no_ranges_sends_all_again() {
    let place = place();
    place.way.breaks(&place.layer(), 1, Broken::Cut(100_000));
    place.way.breaks(&place.layer(), 10, Broken::Whole);
    place.fetch().ok();
}

#[test]
fn after_another_range_than_asked_for_the_layer_begins_again() {
    let place = place();
    place.way.breaks(&place.layer(), 1, Broken::Cut(100_000));
    place.way.breaks(&place.layer(), 1, Broken::WrongRange);
    place.fetch().ok();
    let ranges = place.ranges();
    assert_eq!(ranges[1].as_deref(), Some("bytes=100000-"));
    assert_eq!(ranges[2], None, "{ranges:?}");
}

#[test]
fn a_layer_that_stalls_goes_on() {
    let place = place();
    // Long on loopback; on a busy machine it only costs a further attempt.
    let settings = "stall-timeout = 2\nretries = 5\n";
    place.host.write("etc/registries.toml", settings);
    place
        .way
        .breaks(&place.layer(), 1, Broken::Stalled(100_000));
    place.fetch().ok();
    assert_eq!(place.ranges()[1].as_deref(), Some("bytes=100000-"));
}

#[test]
fn a_registry_that_answers_no_more_is_given_up() {
    let place = place();
    place
        .host
        .write("etc/registries.toml", "stall-timeout = 3\nretries = 1\n");
    let layer = place.layer();
    place.fails(
        9,
        &layer,
        Broken::Stalled(0),
        122,
        &["nothing more arrived", "0 of"],
    );
}

#[test]
fn dropped_connections_are_tried_again() {
    let place = place();
    place.way.breaks("/manifests/1", 2, Broken::Dropped);
    place.way.breaks(&place.layer(), 2, Broken::Dropped);
    place.fetch().ok();
}

#[test]
fn a_layer_that_is_shorter_than_it_should_be_is_refused() {
    let place = place();
    let layer = place.layer();
    place.fails(9, &layer, Broken::Truncated(1000), 112, &["size mismatch"]);
}

#[test]
fn garbled_bytes_are_found() {
    let layer = |place: &Place| place.layer();
    let manifest = |_: &Place| "/manifests/1".to_owned();
    for part in [&layer as &dyn Fn(&Place) -> String, &manifest] {
        let place = place();
        let part = part(&place);
        place.fails(9, &part, Broken::Garbled, 111, &["digest mismatch"]);
    }
}

#[test]
fn passing_failures_of_the_server_are_tried_again() {
    let place = place();
    for (at, status) in [500, 503, 429].into_iter().enumerate() {
        let pause = vec![("Retry-After", "0".to_owned())];
        let part = if at == 0 {
            "/manifests/1".to_owned()
        } else {
            place.layer()
        };
        place
            .way
            .breaks(&part, 1, Broken::Answer(status, pause, ""));
    }
    place.fetch().ok();
}

#[test]
fn each_further_attempt_is_told_with_the_registry() {
    let place = place();
    let pause = vec![("Retry-After", "0".to_owned())];
    place
        .way
        .breaks("/manifests/1", 2, Broken::Answer(503, pause, ""));
    let fetched = place.fetch().ok();
    for attempt in [2, 3] {
        let said = format!(" failed: attempt {attempt} of at most ");
        let lines = fetched.stderr.lines();
        let line = lines.clone().find(|line| line.contains(&said));
        let line = line.expect("a line for each attempt");
        assert!(line.starts_with("warning: registry 127.0.0.1:"), "{line}");
    }
}

#[test]
fn lasting_failures_of_the_server_are_told() {
    let toomany = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"enough for today"}]}"#;
    let json = ("Content-Type", "application/json".to_owned());
    let pause = ("Retry-After", "0".to_owned());
    let long = ("Retry-After", "21600".to_owned());
    for (status, headers, body, texts) in [
        (500, vec![pause.clone()], "", &["status 500"][..]),
        (503, vec![pause], "", &["status 503"]),
        (401, vec![], "", &["not authorized", "fairing login"]),
        (
            429,
            vec![json, long],
            toomany,
            &[
                "limits the rate",
                "enough for today",
                "21600 s",
                "fairing login",
            ],
        ),
    ] {
        let place = place();
        let broken = Broken::Answer(status, headers, body);
        place.fails(99, "/manifests/1", broken, 122, texts);
    }
}

#[test]
fn layers_that_are_elsewhere_are_not_fetched_from_there() {
    let elsewhere = harness::HttpServer::start(|_, _| {});
    let registry = harness::ScriptedRegistry::start();
    let image = ImageBuilder::busybox().build();
    let mut manifest = image.manifest();
    let url = format!("http://{}/layer", elsewhere.address());
    manifest["layers"][0]["urls"] = serde_json::json!([url]);
    let text = manifest.to_string();
    let reference = registry.offer(&image, "team/app:1");
    let answer = harness::Answer::ok(image.media_type(), text);
    registry.answer("/v2/team/app/manifests/1", answer);
    let missing = format!("/v2/team/app/blobs/{}", image.layer_digests()[0]);
    registry.answer(&missing, harness::Answer::status(404, ""));
    let host = Host::new();
    host.accept_unsigned();
    host.fairing(["fetch", &reference])
        .run()
        .expect_error(122, &["no such blob", "urls"]);
    assert!(elsewhere.requests().is_empty());
}

/// A registry that has an image, and the name of that at a port where nobody listens yet.
fn late() -> (Host, Registry, u16, String) {
    let elsewhere = Registry::start();
    ImageBuilder::busybox()
        .build()
        .push(&elsewhere, "team/app:1");
    let port = free_port();
    let host = Host::new();
    host.accept_unsigned();
    (
        host,
        elsewhere,
        port,
        format!("127.0.0.1:{port}/team/app:1"),
    )
}

#[test]
fn a_registry_that_is_not_there_yet_is_waited_for_where_that_is_asked_for() {
    let (host, elsewhere, port, image) = late();
    host.fairing(["fetch", &image])
        .run()
        .expect_error(122, &["Connection refused"]);
    host.fairing(["fetch", "--retry=1", "--retry-delay=10ms", &image])
        .run()
        .expect_error(122, &["Connection refused"])
        .expect_stderr("failed: attempt 2 of at most 2 in 0.0 s");
    let run = host
        .fairing(["run", "--rm", "--retry=1000", "--retry-delay=100ms", &image])
        .args(["--", "echo", "hello"])
        .spawn();
    run.wait_stderr("failed: attempt 3 of at most 1001 in 0.1 s");
    let _registry = Registry::builder()
        .content_of(&elsewhere)
        .port(port)
        .start();
    assert_eq!(run.wait().ok().stdout, "hello\n");
}

#[test]
fn a_service_that_starts_before_its_registry_can_be_reached_waits_and_says_so() {
    let (host, elsewhere, port, image) = late();
    let path = host.base().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let limit = Some(Duration::from_secs(30));
    socket.set_read_timeout(limit).unwrap();
    let run = host
        .fairing(["run", "--rm", &image, "--", "echo", "hello"])
        .env("NOTIFY_SOCKET", &path)
        .spawn();
    let mut bytes = [0; 8192];
    let status = format!("STATUS=waiting for registry 127.0.0.1:{port}");
    loop {
        let length = socket.recv(&mut bytes).expect("it says that it waits");
        let text = String::from_utf8_lossy(&bytes[..length]);
        if text.lines().any(|line| line == status) {
            assert!(text.contains("EXTEND_TIMEOUT_USEC="), "{text}");
            break;
        }
    }
    let _registry = Registry::builder()
        .content_of(&elsewhere)
        .port(port)
        .start();
    assert_eq!(run.wait().ok().stdout, "hello\n");
}
