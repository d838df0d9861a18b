//! Runtimes as programs that are started.

use std::error::Error;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tonic::transport::{Channel, Endpoint};

use crate::lives::{Client, Times};

/// How long one may take to answer.
const START: Duration = Duration::from_secs(60);

/// What is to be measured.
pub(crate) struct Runtime {
    pub(crate) name: String,
    socket: String,
    image: String,
    command: String,
}

impl Runtime {
    pub(crate) fn of(words: &[String]) -> Option<Self> {
        let [name, socket, image, command] = words else {
            return None;
        };
        Some(Self {
            name: name.clone(),
            socket: socket.clone(),
            image: image.clone(),
            command: command.clone(),
        })
    }

    fn spawn(&self) -> Result<Child, Box<dyn Error>> {
        let script = format!("exec {}", self.command);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).stdin(Stdio::null());
        Ok(command.spawn()?)
    }

    async fn connect(&self) -> Result<Channel, Box<dyn Error>> {
        let endpoint = Endpoint::from_shared(format!("unix://{}", self.socket))?;
        let begun = Instant::now();
        loop {
            match endpoint.connect().await {
                Ok(channel) => return Ok(channel),
                Err(error) if begun.elapsed() > START => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    async fn client(&self, count: usize) -> Result<Client, Box<dyn Error>> {
        let logs = format!("{}.logs", self.socket);
        fs::create_dir_all(&logs)?;
        let mut client = Client::new(self.connect().await?, &self.image, &logs);
        let begun = Instant::now();
        while !client.lists(count).await {
            if begun.elapsed() > START {
                return Err(format!("{} does not answer", self.name).into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(client)
    }
}

/// One that runs.
pub(crate) struct Server<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) client: Client,
    pub(crate) times: Times,
    child: Child,
}

impl<'a> Server<'a> {
    pub(crate) async fn start(runtime: &'a Runtime) -> Result<Self, Box<dyn Error>> {
        let child = runtime.spawn()?;
        Ok(Self {
            client: runtime.client(0).await?,
            runtime,
            times: Times::default(),
            child,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it and starts it anew; gives how long it takes until it tells of so many pods.
    pub(crate) async fn restart(&mut self, count: usize) -> Result<Duration, Box<dyn Error>> {
        self.end()?;
        let begun = Instant::now();
        self.child = self.runtime.spawn()?;
        self.client = self.runtime.client(count).await?;
        Ok(begun.elapsed())
    }

    /// Kills it. Pods go on.
    pub(crate) fn end(&mut self) -> Result<(), Box<dyn Error>> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // What runs still is found by the script.
        let _ = self.child.kill();
    }
}
