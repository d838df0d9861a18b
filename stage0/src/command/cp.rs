//! `fairing cp`: copies files out of apps and into them.

use std::ffi::OsStr;
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use engine::config::files::Config;
use file_copy::{Arrival, CopyError, LeftOut, Receiver, Rules, Sent, Source, send};
use image_store::StoreError;
use pod::control::{CopyRequest, FileCopy, SentFiles};
use pod::feature::Feature;
use pod::manifest::{AppPath, PodManifest};
use pod::{AppName, State};

use super::export::app_of;
use crate::arguments::pod_app::PodApp;
use crate::command::running_app::RunningApp;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::copy::place::{Place, place};
use crate::copy::process::CopyProcess;
use crate::sys::outlive_closed_pipes;
use crate::wording::failure::Failure;
use crate::wording::typed;

/// Bytes on their way.
const BUFFER: usize = 64 << 10;
/// How long a process that has sent all may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many of those that are left out are named.
const NAMED_MAX: u64 = 20;

/// Arguments of `cp`.
#[derive(Debug, Args)]
pub(crate) struct Cp {
    /// File or directory: POD:PATH, POD/APP:PATH or a path of this machine; with /. at its end, what is in it; - for a tar file
    #[arg(value_name = "SOURCE", value_parser = place)]
    source: Place,
    /// Where to, likewise
    #[arg(value_name = "DESTINATION", value_parser = place)]
    destination: Place,
    /// The app, if the pod has several
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Keep owners and groups, by their numbers in the pod
    #[arg(short, long, short_alias = 'p', alias = "preserve")]
    archive: bool,
    /// Directories are copied with all that is in them, as always
    #[arg(short, long, short_alias = 'R', hide = true)]
    recursive: bool,
    /// Copy what SOURCE leads to if it is a symbolic link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing of what is copied, as always
    #[arg(short, long, hide = true)]
    quiet: bool,
}

impl Subcommand for Cp {
    const NAME: &'static str = "cp";
    const ABOUT: &'static str = "Copy files and directories out of an app of a pod, or into it";
    const USAGE: Option<&'static str> =
        Some("fairing cp [FLAGS] POD:PATH DESTINATION, or SOURCE POD:PATH");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        match (&self.source, &self.destination) {
            (Place::App { pod, app, path }, to @ (Place::Here(_) | Place::Stream)) => {
                if *to == Place::Stream && io::stdout().is_terminal() {
                    return Err(Failure::Usage(
                        "a tar file is not written to a terminal: send it into a pipe".to_owned(),
                    ));
                }
                let copy = FileCopy::Out {
                    path: path.clone(),
                    follow: self.follow_link,
                };
                let process = self.process(context, pod, app.as_ref(), copy)?;
                match to {
                    Place::Here(to) => self.receive(context, process, path, to)?,
                    _ => pass_on(process)?,
                }
                Ok(0)
            }
            (from @ (Place::Here(_) | Place::Stream), Place::App { pod, app, path }) => {
                self.put(context, from, pod, app.as_ref(), path)?;
                Ok(0)
            }
            (Place::App { pod, app, path }, Place::App { .. }) => {
                let copy = FileCopy::Out {
                    path: path.clone(),
                    follow: self.follow_link,
                };
                let source = self.process(context, pod, app.as_ref(), copy)?;
                self.pass_between(context, path, source)?;
                Ok(0)
            }
            _ => Err(Failure::Usage(
                "one side is in a pod: write it as POD:PATH".to_owned(),
            )),
        }
    }
}

/// Where a shell finds its standard streams. A file there would be replaced, and whatever else goes to it lost.
const STREAMS: [&str; 4] = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd"];

impl Cp {
    fn process(
        &self,
        context: &Context,
        pod: &str,
        app: Option<&AppName>,
        copy: FileCopy,
    ) -> Result<CopyProcess, Failure> {
        let target = PodApp {
            pod: pod.to_owned(),
            app: app.cloned(),
        };
        let app = target.app_or(self.app.as_ref())?;
        let entry = context.pod(pod)?;
        if let State::Exited | State::Prepared = entry.state()? {
            let manifest = PodManifest::load(&entry.path)?;
            let app = Some(app_of(&manifest, app, pod)?.name.clone());
            let request = CopyRequest { app, copy };
            return CopyProcess::at_rest(&context.engine, pod, &entry, &request);
        }
        let RunningApp { connection, app } =
            RunningApp::open(context, pod, app, "copied from or to", Feature::Exec)?;
        let request = CopyRequest {
            app: Some(app),
            copy,
        };
        CopyProcess::start(connection, pod, request)
    }

    /// Makes files here of what comes.
    fn receive(
        &self,
        context: &Context,
        process: CopyProcess,
        from: &AppPath,
        to: &Path,
    ) -> Result<(), Failure> {
        if STREAMS.iter().any(|stream| to.starts_with(stream)) {
            return Err(Failure::Usage(format!(
                "files are not copied to {}: `-` writes a tar file to standard output",
                to.display()
            )));
        }
        let source = Source {
            path: PathBuf::from(from.as_str()),
            follow: self.follow_link,
        };
        let arrival = Arrival {
            path: to.to_path_buf(),
            of: match source.name() {
                Some(name) if !source.is_content() => Sent::Named(PathBuf::from(name)),
                _ => Sent::Content,
            },
        };
        let config = Config::read(&context.engine.directories)?;
        let rules = Rules {
            owners: self.archive,
            trusted: false,
            limits: config.limits(),
        };
        let mut told = LeftOutLines::default();
        let mut input = BufReader::with_capacity(BUFFER, process);
        let received = Receiver::receive(&arrival, &mut input, &rules, &mut |path, why| {
            told.tell(path, why)
        });
        told.conclude();
        let mut process = input.into_inner();
        process.end_output();
        match received {
            Ok(()) => process.finish(Some(PATIENCE), None),
            // What it sent ended early, for a reason that it tells.
            Err(error @ (CopyError::Nothing | CopyError::Stream(_))) => {
                process.finish(Some(PATIENCE), Some(failed(error)))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Has one pod make files of what another one sends, or the same.
    fn pass_between(
        &self,
        context: &Context,
        from: &AppPath,
        mut source: CopyProcess,
    ) -> Result<(), Failure> {
        let Place::App { pod, app, path } = &self.destination else {
            return Ok(());
        };
        let sent = Source {
            path: PathBuf::from(from.as_str()),
            follow: self.follow_link,
        };
        let copy = FileCopy::In {
            path: path.clone(),
            of: sent_by_name(&sent, sent.name())?,
            owners: self.archive,
        };
        outlive_closed_pipes();
        let mut target = self.process(context, pod, app.as_ref(), copy)?;
        let passed = pour(&mut source, from.as_str(), &mut target);
        target.end_input();
        match passed {
            Ok(_) => {
                source.finish(Some(PATIENCE), None)?;
                target.finish(None, None)
            }
            Err(error) if error.is_broken_pipe() => target.finish(None, Some(failed(error))),
            Err(error) => Err(failed(error)),
        }
    }

    /// Sends what is here, or what comes from standard input.
    fn put(
        &self,
        context: &Context,
        from: &Place,
        pod: &str,
        app: Option<&AppName>,
        to: &AppPath,
    ) -> Result<(), Failure> {
        let source = match from {
            Place::Here(path) => Some(Source {
                path: path.clone(),
                follow: self.follow_link,
            }),
            _ if io::stdin().is_terminal() => {
                return Err(Failure::Usage(
                    "a tar file is not read from a terminal: send it through a pipe".to_owned(),
                ));
            }
            _ => None,
        };
        let of = match &source {
            None => SentFiles::Archive,
            Some(source) => {
                // Before anything is asked of the pod.
                std::fs::symlink_metadata(&source.path)
                    .map_err(CopyError::io("find", &source.path))
                    .map_err(failed)?;
                sent(source)?
            }
        };
        let copy = FileCopy::In {
            path: to.clone(),
            of,
            owners: self.archive || source.is_none(),
        };
        // One that fails stops reading, and says why.
        outlive_closed_pipes();
        let mut process = self.process(context, pod, app, copy)?;
        let sent = match &source {
            Some(source) => {
                let mut told = LeftOutLines::default();
                let out = BufWriter::with_capacity(BUFFER, &mut process);
                let sent = send(source, out, &mut |path, why| told.tell(path, why));
                told.conclude();
                sent
            }
            None => pour(&mut io::stdin().lock(), typed::STANDARD_INPUT, &mut process).and_then(
                |count| match count {
                    // No tar file, however empty: something before a pipe has failed.
                    0 => Err(CopyError::Nothing),
                    _ => Ok(()),
                },
            ),
        };
        process.end_input();
        match sent {
            Ok(()) => process.finish(None, None),
            // It has gone, and says why.
            Err(error) if error.is_broken_pipe() => process.finish(None, Some(failed(error))),
            Err(CopyError::Nothing) => Err(Failure::Other(
                "nothing comes from standard input, which is empty or closed: `-` takes a tar file through a pipe"
                    .to_owned(),
            )),
            Err(error) => Err(failed(error)),
        }
    }
}

/// What failed here. With what the libraries say of tar files.
fn failed(error: CopyError) -> Failure {
    match error {
        CopyError::Stream(error) => StoreError::from(error).into(),
        error => Failure::Other(format!("on the host: {error}")),
    }
}

/// What is said of what is sent.
fn sent(source: &Source) -> Result<SentFiles, Failure> {
    // A path such as `..` has no name but that of where it leads.
    let real = match source.name() {
        None => source.path.canonicalize().ok(),
        Some(_) => None,
    };
    let name = source.name().or(real.as_deref().and_then(Path::file_name));
    sent_by_name(source, name)
}

fn sent_by_name(source: &Source, name: Option<&OsStr>) -> Result<SentFiles, Failure> {
    match name.filter(|_| !source.is_content()) {
        None => Ok(SentFiles::Content),
        Some(name) => {
            let name = name.to_str().ok_or_else(|| {
                let path = source.path.display();
                Failure::Other(format!("the name of {path} is not UTF-8"))
            })?;
            Ok(SentFiles::Named {
                name: name.to_owned(),
            })
        }
    }
}

/// Writes what comes to standard output, as it is.
fn pass_on(mut process: CopyProcess) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = process.read(&mut buffer);
        let length =
            read.map_err(|error| Failure::Other(format!("cannot read the files: {error}")))?;
        if length == 0 {
            return process.finish(Some(PATIENCE), None);
        }
        let piece = buffer.get(..length).unwrap_or_default();
        output::write(output::Stream::Stdout, piece)
            .map_err(Failure::errno("write to", "standard output"))?;
    }
}

/// Sends what comes from somewhere; how many bytes that are.
fn pour(from: &mut impl Read, name: &str, process: &mut CopyProcess) -> Result<u64, CopyError> {
    let mut buffer = vec![0; BUFFER];
    let mut count = 0;
    loop {
        let length = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(CopyError::io("read", name))?,
        };
        if length == 0 {
            return Ok(count);
        }
        count += length as u64;
        let piece = buffer.get(..length).unwrap_or_default();
        let sent = process.write_all(piece);
        sent.map_err(CopyError::io("send", name))?;
    }
}

/// What is told of what was left out here.
#[derive(Default)]
struct LeftOutLines(u64);

impl LeftOutLines {
    fn tell(&mut self, path: &Path, why: LeftOut) {
        self.0 += 1;
        if self.0 <= NAMED_MAX {
            output::warn(&format!("on the host: {}", why.told_of(path)));
        }
    }

    fn conclude(&self) {
        if self.0 > NAMED_MAX {
            output::warn(&format!("{} more are left out", self.0 - NAMED_MAX));
        }
    }
}
