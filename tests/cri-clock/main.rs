//! Measures runtimes of kubelets side by side, for the bench: `cri-clock RUNS PODS { NAME SOCKET IMAGE COMMAND }…`.
//!
//! Each runtime is a server at a socket, started by a shell command. All are asked the same by the same client, in turns, so
//! that what else the machine does strikes all alike. A line for each figure: `NAME FIGURE VALUE`, times in microseconds,
//! memory in KiB.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

mod lives;
mod memory;
mod server;

use std::error::Error;

use lives::Client;
use server::{Runtime, Server};

/// Sandboxes that are made at once.
const AT_ONCE: usize = 50;
/// Lives of pods with nothing of them in the page cache.
const COLD: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: cri-clock RUNS PODS { NAME SOCKET IMAGE COMMAND }…";
    let [runs, pods, runtimes @ ..] = arguments.as_slice() else {
        return Err(usage.into());
    };
    let (runs, pods) = (runs.parse()?, pods.parse()?);
    let runtimes: Vec<Runtime> = runtimes
        .chunks(4)
        .map(|words| Runtime::of(words).ok_or(usage))
        .collect::<Result<_, _>>()?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    tokio.block_on(measure(runs, pods, &runtimes))
}

async fn measure(runs: usize, pods: usize, runtimes: &[Runtime]) -> Result<(), Box<dyn Error>> {
    let mut servers = Vec::new();
    for runtime in runtimes {
        servers.push(Server::start(runtime).await?);
    }
    // The first pod makes networks.
    for server in &mut servers {
        server.client.life("first").await?;
    }
    for number in 0..COLD {
        for server in &mut servers {
            drop_caches()?;
            let life = server.client.life(&format!("cold{number}")).await?;
            server.times.add("cold", life);
        }
    }
    for number in 0..runs {
        for server in &mut servers {
            let life = server.client.life(&format!("warm{number}")).await?;
            server.times.add("warm", life);
        }
    }
    for server in &mut servers {
        for round in 0..3 {
            let took = server.client.at_once(AT_ONCE, round).await?;
            server.times.push("at-once run-pod-sandbox", took);
        }
    }
    for server in servers {
        many(server, pods).await?;
    }
    Ok(())
}

/// What many pods cost: to be asked for, to be found again, and to be kept.
async fn many(mut server: Server<'_>, pods: usize) -> Result<(), Box<dyn Error>> {
    let before = memory::processes()?;
    server.client.run_many(pods).await?;
    for _ in 0..20 {
        let Server { client, times, .. } = &mut server;
        client.ask_of_many(pods, times).await?;
    }
    let name = &server.runtime.name;
    let (resident, own) = memory::of(server.pid())?;
    println!("{name} server-resident {resident}");
    println!("{name} server-proportional {own}");
    let (count, resident, proportional) = memory::of_new(&before, server.pid(), Client::APP)?;
    let each = |all: u64| all / (pods as u64).max(1);
    println!("{name} processes-of-{pods} {count}");
    println!("{name} resident-each {}", each(resident));
    println!("{name} proportional-each {}", each(proportional));
    for _ in 0..5 {
        let took = server.restart(pods).await?;
        server.times.push("restart", took);
    }
    server.client.remove_all().await?;
    server.times.tell(&server.runtime.name);
    server.end()?;
    Ok(())
}

/// What is cached of files has to be read again.
fn drop_caches() -> Result<(), Box<dyn Error>> {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3")?;
    Ok(())
}
