//! Collections beside starts and fetches.

use std::sync::atomic::{AtomicBool, Ordering};

use harness::{ImageBuilder, Layer};

use crate::imported::{busybox_host, import};

/// An image whose removal takes longer than a start.
fn many_files(number: usize) -> ImageBuilder {
    let files = (0..400).fold(Layer::new(), |layer, file| {
        layer.file(
            &format!("{number}/{file}"),
            format!("{number} {file}"),
            0o644,
        )
    });
    ImageBuilder::busybox().layer(files)
}

#[test]
fn collections_at_once_with_starts_and_fetches() {
    let (host, image) = busybox_host();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Starts overlap all the time; collections get their turn nevertheless.
        let starts: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..40 {
                        let run = ["run", "--rm", "--pull=never", &image, "--"];
                        let run = host.fairing(run).args(["/bin/echo", "it runs"]);
                        run.run().ok().expect_stdout("it runs\n");
                    }
                })
            })
            .collect();
        let collector = scope.spawn(|| {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) {
                host.fairing(["image", "gc"]).run().ok();
                host.fairing(["gc"]).run().ok();
                rounds += 1;
            }
            rounds
        });
        for number in 0..6 {
            let name = import(
                &host,
                &many_files(number).build(),
                &format!("files{number}:1"),
            );
            let layers = host.fairing(["image", "inspect", &name]).run().ok().json();
            assert_eq!(layers["layers"].as_array().unwrap().len(), 2);
            host.fairing(["image", "rm", &name]).run().ok();
        }
        for start in starts {
            start.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
        assert!(collector.join().unwrap() > 0);
    });
    host.fairing(["image", "gc"]).run().ok();
    let layers = std::fs::read_dir(host.data_dir().join("images/layers")).unwrap();
    assert_eq!(layers.count(), 1);
    host.expect_clean();
}
