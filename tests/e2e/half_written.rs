//! What is written for others has its name once it is whole, whatever ends the command on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Host, ImageBuilder, Layer, Output, Signal, wait_until};

const IMAGE: &str = "localhost/large";

/// A host with an image that takes a while to write.
fn host() -> Host {
    let files = (0..1500).fold(Layer::new(), |layer, number: u32| {
        // Noise, which is as large compressed.
        let mut state = number;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let data: Vec<u8> = noise.take(20_000).collect();
        layer.file(&format!("data/{number}"), data, 0o644)
    });
    let image = ImageBuilder::busybox().layer(files).build();
    let host = Host::new();
    host.accept_unsigned();
    let archive = host.write("image.tar", "");
    image.write_oci_archive(&archive, "1");
    let archive = format!("oci-archive:{}", archive.display());
    host.fairing(["image", "import", "--name", IMAGE, &archive])
        .run()
        .ok();
    fs::create_dir(host.base().join("out")).unwrap();
    host
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs a command that writes `out/dest`, and sends it a signal once it has begun to write. `None` if it was faster: all is
/// there then.
fn end_by(host: &Host, command: &[&str], signal: Signal) -> Option<Output> {
    let out = host.base().join("out");
    let dest = out.join("dest");
    if dest.exists() {
        fs::remove_dir_all(&dest).unwrap();
    }
    let left = names(&out).len();
    let running = host.fairing(command.iter().copied()).spawn();
    let begun = || (names(&out).len() > left || dest.exists()).then_some(());
    wait_until("it has begun", Duration::from_secs(30), begun);
    running.signal(signal);
    let output = running.wait();
    (!dest.exists()).then_some(output)
}

fn repeat_until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let done = (0..50).find_map(|_| attempt());
    done.expect("one of 50 is caught on its way")
}

/// What a command that writes a directory leaves when it is ended, and what the next makes of that.
fn check(host: &Host, command: &[&str]) {
    let out = host.base().join("out");
    let output = repeat_until(|| end_by(host, command, Signal::TERM));
    output.expect_error(143, &["interrupted by SIGTERM"]);
    assert_eq!(names(&out), Vec::<PathBuf>::new());
    let output = repeat_until(|| end_by(host, command, Signal::KILL));
    assert_eq!((output.signal, names(&out).len()), (Some(9), 1));
    host.fairing(command.iter().copied()).run().ok();
    assert_eq!(names(&out), [out.join("dest")]);
}

#[test]
fn an_extracted_image_is_there_when_it_is_whole() {
    let host = host();
    let dest = host.base().join("out/dest");
    let place = dest.display().to_string();
    check(&host, &["image", "extract", IMAGE, &place]);
    assert_eq!(names(&dest.join("data")).len(), 1500);
}

#[test]
fn a_layout_is_there_when_it_is_whole() {
    let host = host();
    let dest = host.base().join("out/dest");
    let place = format!("oci:{}", dest.display());
    check(&host, &["image", "export", IMAGE, &place]);
    fs::remove_dir_all(&dest).unwrap();
    let archive = format!("oci-archive:{}", host.base().join("image.tar").display());
    check(&host, &["image", "copy", &archive, &place]);
    let import = ["image", "import", "--name", "localhost/again", &place];
    host.fairing(import).run().ok();
}

/// What a killed command would leave to the next collection.
fn half_done(host: &Host) -> usize {
    let temporary = host.data_dir().join("images/tmp");
    fs::read_dir(temporary).map_or(0, |entries| entries.count())
}

#[test]
fn an_image_that_comes_by_a_pipe_goes_when_the_command_is_asked_to_end() {
    let host = Host::new();
    let mut load = host.fairing(["load"]).stdin_open().spawn();
    load.write([1; 100_000]);
    wait_until("it has come", Duration::from_secs(30), || {
        (half_done(&host) > 0).then_some(())
    });
    load.signal(Signal::TERM);
    load.wait().expect_error(143, &["interrupted by SIGTERM"]);
    assert_eq!(half_done(&host), 0);
}

#[test]
fn a_volume_of_which_the_half_has_come_goes_when_the_command_is_asked_to_end() {
    let host = Host::new();
    let archive = Layer::new().file("file", vec![1; 1 << 20], 0o644).tar();
    for is_new in [true, false] {
        if !is_new {
            host.fairing(["volume", "create", "data"]).run().ok();
        }
        let mut import = host.fairing(["volume", "import", "data"]);
        import = import.stdin_open().limit(Duration::from_secs(60));
        let mut import = import.spawn();
        import.write(&archive[..900_000]);
        wait_until("it has come", Duration::from_secs(30), || {
            (!host.leftovers().half_made_volumes.is_empty()).then_some(())
        });
        import.signal(Signal::TERM);
        import.wait().expect_error(143, &["interrupted by SIGTERM"]);
        assert_eq!(host.leftovers().half_made_volumes, [] as [String; 0]);
    }
}

#[test]
fn what_has_no_end_is_no_image() {
    let host = Host::new();
    let load = || {
        let zeros = fs::File::open("/dev/zero").unwrap();
        host.fairing(["load"]).stdin_file(zeros).run()
    };
    load().expect_error(113, &["standard input is not an image"]);
    host.write(
        "etc/config.toml",
        "[layers]\nmax-compressed-size = \"64k\"\n",
    );
    let long = host.fairing(["load"]).stdin(vec![1; 70_000]).run();
    long.expect_error(112, &["standard input", "exceeds the limit of 65536"]);
    assert_eq!(half_done(&host), 0);
}
