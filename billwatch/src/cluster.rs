//! A cluster of real processes on this machine: this program again, once as coordinator and once for each worker.
//!
//! Owns the children. Invariants: no child outlives its [`LocalCluster`]: each reads a pipe whose other end is held here, and
//! ends when the pipe closes, however this process dies. A restart uses the same port and the same directories. Begin at
//! [`LocalCluster::start`].

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use billwatch_bench::client;
use billwatch_proto::v1::{GetStatusRequest, GetStatusResponse, admin_service_client::AdminServiceClient};

use crate::failure::Failure;

/// A child that dies this soon after its start is not started again at once.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// Pause between two looks at the children.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Time that children have to end by themselves.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a log that a failure shows.
const LOG_TAIL_BYTES: u64 = 2_000;

/// What cluster.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the coordinator listens.
    pub listen: SocketAddr,
    /// Directory of everything that stays; `logs/` in it has what the processes say.
    pub data: PathBuf,
    /// Worker processes.
    pub processes: u32,
    /// Worker threads a process.
    pub threads: u32,
}

impl Plan {
    /// A cluster on a free port of the loopback interface.
    pub fn on_free_port(data: PathBuf, processes: u32, threads: u32) -> Result<Self, Failure> {
        // The port is free again for a moment before the coordinator takes it: good enough on one machine.
        let listen = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
        Ok(Plan { listen, data, processes, threads })
    }
}

/// Running processes.
pub struct LocalCluster {
    plan: Plan,
    members: Vec<Process>,
}

struct Process {
    name: String,
    arguments: Vec<String>,
    child: Child,
    started: Instant,
}

impl LocalCluster {
    /// Starts all processes; [`LocalCluster::serving`] waits for them.
    pub fn start(plan: Plan) -> Result<Self, Failure> {
        fs::create_dir_all(plan.data.join("logs"))
            .with_context(|| format!("the data directory {} cannot be made", plan.data.display()))?;
        let mut cluster = LocalCluster { plan, members: Vec::new() };
        cluster.spawn_all()?;
        Ok(cluster)
    }

    /// Address for clients.
    pub fn address(&self) -> String {
        format!("http://{}", self.plan.listen)
    }

    fn spawn_all(&mut self) -> Result<(), Failure> {
        let data = |name: &str| self.plan.data.join(name).display().to_string();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let address = self.address();
        let (listen, processes, threads) =
            (self.plan.listen.to_string(), self.plan.processes.to_string(), self.plan.threads.to_string());
        let mut commands = vec![(
            "coordinator".to_owned(),
            words(&["coordinator", "--listen", &listen, "--processes", &processes, "--data", &data("coordinator")]),
        )];
        for process in 0..self.plan.processes {
            let (name, number) = (format!("worker-{process}"), process.to_string());
            // This process supervises: the worker serves one generation and is started again for the next.
            let role = ["worker", "--one-generation", "--process", &number, "--threads", &threads];
            let arguments = words(&[&role[..], &["--address", &address, "--data", &data(&name)]].concat());
            commands.push((name, arguments));
        }
        for (name, mut arguments) in commands {
            arguments.push("--with-parent".to_owned());
            let child = spawn(&self.plan.data, &name, &arguments)?;
            self.members.push(Process { name, arguments, child, started: Instant::now() });
        }
        Ok(())
    }

    /// Waits until queries are answered; returns the status. Processes that end meanwhile are started again: a worker that
    /// met the end of a generation registers for the next one.
    pub async fn serving(&mut self, within: Duration) -> Result<GetStatusResponse, Failure> {
        let started = Instant::now();
        loop {
            self.revive()?;
            if let Ok(status) = self.status().await
                && status.serving
            {
                return Ok(status);
            }
            if started.elapsed() > within {
                let logs = self.members.iter().map(|process| tail(&self.plan.data, &process.name));
                return Err(Failure::Unreachable(format!(
                    "the cluster does not answer queries after {} s; the ends of its logs:\n{}",
                    within.as_secs(),
                    logs.collect::<Vec<_>>().join("\n")
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status(&self) -> Result<GetStatusResponse, Failure> {
        let channel = client::connect(&self.address()).await?;
        Ok(AdminServiceClient::new(channel).get_status(GetStatusRequest {}).await?.into_inner())
    }

    /// Ready, with the end of its log, when a process has ended.
    pub async fn a_process_ended(&mut self) -> Failure {
        loop {
            for process in &mut self.members {
                match process.child.try_wait() {
                    Ok(None) => {}
                    Ok(Some(status)) => {
                        let log = tail(&self.plan.data, &process.name);
                        return anyhow!("{} ended ({status}):\n{log}", process.name).into();
                    }
                    Err(error) => return error.into(),
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Starts every process again that has ended. The coordinator then begins a new generation of the mesh. A process that
    /// died soon after its start is left alone for a moment.
    pub fn revive(&mut self) -> Result<(), Failure> {
        for process in &mut self.members {
            let Some(status) = process.child.try_wait()? else { continue };
            if process.started.elapsed() < SHORT_LIFE {
                continue;
            }
            tracing::warn!(code = billwatch_telemetry::codes::PROCESS_REVIVED, process = process.name, %status, "ended; started again");
            process.child = spawn(&self.plan.data, &process.name, &process.arguments)?;
            process.started = Instant::now();
        }
        Ok(())
    }

    /// SIGKILL for every process, at once. Nothing is flushed, nobody says goodbye.
    pub fn kill(&mut self) {
        for process in &mut self.members {
            let _ = process.child.kill();
        }
        for process in &mut self.members {
            let _ = process.child.wait();
        }
        self.members.clear();
    }

    /// Starts all processes again on the same port and data.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.kill();
        self.spawn_all()
    }

    /// Process ids, coordinator first.
    pub fn process_ids(&self) -> Vec<u32> {
        self.members.iter().map(|process| process.child.id()).collect()
    }

    /// Asks every process to end, and waits; the last resort is SIGKILL.
    pub async fn stop(mut self) {
        for process in &mut self.members {
            drop(process.child.stdin.take());
        }
        let started = Instant::now();
        while started.elapsed() < END_WITHIN
            && self.members.iter_mut().any(|process| matches!(process.child.try_wait(), Ok(None)))
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill();
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn log_path(data: &Path, name: &str) -> PathBuf {
    data.join("logs").join(format!("{name}.log"))
}

fn spawn(data: &Path, name: &str, arguments: &[String]) -> Result<Child, Failure> {
    let program = std::env::current_exe().context("where this program lies")?;
    let log = File::options()
        .create(true)
        .append(true)
        .open(log_path(data, name))
        .with_context(|| format!("the log of {name}"))?;
    let child = Command::new(program)
        .args(arguments)
        // The other end is held by this process: when it closes, the child ends.
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    Ok(child)
}

/// The end of the log of a process.
fn tail(data: &Path, name: &str) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log_path(data, name))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
}

/// Ready when the process is asked to end: SIGINT, SIGTERM, or, with `with_parent`, when standard input closes.
pub async fn end_asked(with_parent: bool) {
    let parent_gone = async {
        if !with_parent {
            return std::future::pending().await;
        }
        // A thread of its own: a read of a pipe cannot be given up, and must not hold the runtime at its end.
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while matches!(std::io::stdin().read(&mut buffer), Ok(read) if read > 0) {}
            let _ = sender.send(());
        });
        let _ = receiver.await;
    };
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(code = billwatch_telemetry::codes::SIGNAL_UNHEARD, %error, "SIGTERM cannot be heard");
            return parent_gone.await;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        () = parent_gone => {}
    }
}
