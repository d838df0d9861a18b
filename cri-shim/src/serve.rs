//! The program: reads what it is told, listens, and serves until it is asked to end.

use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use engine::Engine;
use engine::config::files::Config;
use engine::descriptor_limit;
use image_registry::Environment;
use image_store::WindowMemory;
use pod::network::CniFolders;
use systemd::{Message, ServiceManager};
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use crate::about;
use crate::api::image_service_server::ImageServiceServer;
use crate::api::runtime_service_server::RuntimeServiceServer;
use crate::arguments::Arguments;
use crate::error::CriError;
use crate::journal::{self, Priority};
use crate::leftovers;
use crate::listen;
use crate::metrics;
use crate::service::{Bounded, Room, Service, THREADS_MAX};
use crate::shim::Shim;
use crate::sys;

/// Largest message of a client, in bytes: that of Kubernetes' own.
const MESSAGE_MAX: usize = 16 << 20;
/// Largest answer, in bytes: all that is told of what a command has written, and more than any list.
const ANSWER_MAX: usize = 64 << 20;
/// Most calls at once on one connection. Clients wait with more of them.
const CALLS_MAX: u32 = 2048;
/// How long calls may go on once the program is asked to end.
const LAST_CALLS: Duration = Duration::from_secs(5);
/// How long a thread without work stays.
const THREAD_IDLE: Duration = Duration::from_secs(5);

/// Runs the program.
pub fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal::line(Priority::Error, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), CriError> {
    // While there is one thread.
    sys::share_one_heap();
    let manager = ServiceManager::take();
    // Clients are many. Pods begin with what the service says of it.
    descriptor_limit::raise().map_err(CriError::io("raise RLIMIT_NOFILE"))?;
    let directories = arguments
        .directories()
        .map_err(CriError::io("make paths absolute"))?;
    let config = Config::read(&directories)?;
    let engine = Engine {
        directories,
        registries: Environment::read(|name| std::env::var_os(name)),
        memory: WindowMemory::default(),
        cni: CniFolders::from_variables(std::env::var_os),
        kubernetes_namespace: None,
        insecure: std::collections::BTreeSet::new(),
    };
    let shim = Arc::new(Shim::new(engine, config.cri().clone())?);
    for complaint in about::complaints(&shim) {
        journal::line(Priority::Warning, &format!("warning: {complaint}"));
    }
    if let Some(address) = shim.settings.metrics_address {
        metrics::serve(&shim, address)?;
    }
    let listener = listen::begin(&arguments.listen)?;
    leftovers::clear(Arc::clone(&shim));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS_MAX)
        .thread_keep_alive(THREAD_IDLE)
        .build()
        .map_err(CriError::io("start"))?;
    let served = runtime.block_on(serve(shim, listener, &manager));
    // What is being done is done to its end if that doesn't take long. Else it is cut off, as by a kill.
    runtime.shutdown_timeout(LAST_CALLS);
    served
}

async fn serve(
    shim: Arc<Shim>,
    listener: UnixListener,
    manager: &ServiceManager,
) -> Result<(), CriError> {
    let listener = tokio::net::UnixListener::from_std(listener).map_err(CriError::io("listen"))?;
    let service = Service::new(shim);
    let runtime = RuntimeServiceServer::new(service.clone())
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(ANSWER_MAX);
    let images = ImageServiceServer::new(service).max_decoding_message_size(MESSAGE_MAX);
    let mut terminate = signal(SignalKind::terminate()).map_err(CriError::io("await signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CriError::io("await signals"))?;
    if let Ok(Some(socket)) = manager.notify() {
        // Who doesn't take it can't be told.
        let _ = socket.send(&Message::new().ready());
    }
    let incoming = UnixListenerStream::new(listener);
    let room = Room::default();
    let served = Server::builder()
        .max_concurrent_streams(CALLS_MAX)
        .add_service(Bounded::new(runtime, &room))
        .add_service(Bounded::new(images, &room))
        .serve_with_incoming(incoming);
    // Clients stay connected, and some watch for ever: nobody is waited for.
    tokio::select! {
        served = served => {
            served.map_err(|error| CriError::Internal(format!("cannot serve: {error}")))
        }
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
