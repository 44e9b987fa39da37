//! A real cluster for tests: the built binary as `up`, and the binary again for every command against it.

#![allow(dead_code)] // Each test file uses its part.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use billwatch_bench::client;
use billwatch_proto::v1::{TakeCheckpointRequest, admin_service_client::AdminServiceClient};
use serde_json::Value;

/// A cluster and its data directory. Dropping it ends all processes.
pub struct Cluster {
    child: Option<Child>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Address for clients.
    pub address: String,
    directory: tempfile::TempDir,
}

/// A command that prints a line an answer. Dropping it ends it.
pub struct Stream {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Stream {
    /// The next answer.
    pub fn next_json(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("its output is text");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("`{line}`: {error}"))
    }

    /// Waits for its end.
    pub fn end(&mut self) -> std::process::ExitStatus {
        self.child.wait().expect("it was started")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary to its end.
pub fn billwatch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_billwatch")).args(arguments).output().expect("the binary runs")
}

/// Standard output as text; panics with both outputs when the exit code is another one.
pub fn expect_exit(output: Output, code: i32) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "standard output:\n{out}\nstandard error:\n{errors}");
    out
}

impl Cluster {
    /// Starts a cluster and waits until it answers.
    pub fn start(processes: u32, threads: u32) -> Self {
        Cluster::start_with(processes, threads, &[])
    }

    /// The same with variables of its environment: settings of the roles.
    pub fn start_with(processes: u32, threads: u32, environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let listen = format!("127.0.0.1:{port}");
        let words = [
            ["up", "--listen"].map(String::from).to_vec(),
            vec![listen.clone(), "--data".to_owned(), directory.path().join("data").display().to_string()],
            vec!["--processes".to_owned(), processes.to_string(), "--threads".to_owned(), threads.to_string()],
        ];
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (arguments, address) = (words.concat(), format!("http://{listen}"));
        let mut cluster = Cluster { child: None, arguments, environment, address, directory };
        cluster.spawn();
        cluster
    }

    /// A cluster whose processes the test starts itself.
    pub fn of_others(address: String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Cluster { child: None, arguments: Vec::new(), environment: Vec::new(), address, directory }
    }

    /// Starts all processes (again) and waits until queries are answered.
    pub fn spawn(&mut self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_billwatch"))
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // Its first line says that it serves.
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("its output is text");
        assert!(line.contains("serve on"), "the cluster did not come up: {line}{}", self.logs());
        self.child = Some(child);
    }

    /// SIGKILL for every process of the cluster.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = fs::read_to_string(children).expect("the kernel lists children");
        // The supervisor goes first, so that it starts nothing again.
        child.kill().expect("it runs");
        let killed = Command::new("sh").arg("-c").arg(format!("kill -9 {children}")).status().expect("sh runs");
        assert!(killed.success(), "some of {children} had ended");
        child.wait().expect("it was killed");
    }

    /// A file in the directory of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a command against this cluster.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let with_address = [arguments, &["--address", &self.address]].concat();
        billwatch(&with_address)
    }

    /// Runs a command that prints JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let with_format = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&expect_exit(self.run(&with_format), 0)).expect("it prints JSON")
    }

    /// Starts a command that goes on printing lines of JSON.
    pub fn follow(&self, arguments: &[&str]) -> Stream {
        let with_address = [arguments, &["--address", &self.address]].concat();
        let mut child = Command::new(env!("CARGO_BIN_EXE_billwatch"))
            .args(with_address)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Stream { child, lines }
    }

    /// Loads a file in replay mode; every record must be accepted or known.
    pub fn ingest(&self, file: &Path) -> Value {
        self.json(&["ingest", "--replay", &file.display().to_string()])
    }

    /// Waits until all that was acknowledged is visible; returns the epoch.
    pub fn settle(&self, epoch: u64) {
        let started = Instant::now();
        loop {
            let status = self.json(&["status"]);
            if status["as_of"]["epoch"].as_u64() >= Some(epoch) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "epoch {epoch} does not come: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Takes a checkpoint; returns its epoch.
    pub fn take_checkpoint(&self) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let channel = client::connect(&self.address).await.unwrap();
            let taken = AdminServiceClient::new(channel).take_checkpoint(TakeCheckpointRequest {}).await;
            taken.unwrap().into_inner().epoch
        })
    }

    /// `verify` must find all views equal, reports among them; returns view → hash of those that facts alone decide: R22 also
    /// counts alerts that were withdrawn, and which were depends on the order in which facts came.
    pub fn verified(&self) -> Value {
        let answer = self.json(&["verify"]);
        assert_eq!(answer["equal"], true, "{answer:#}");
        let views = answer["views"].as_array().expect("a list of views").clone();
        assert!(!views.is_empty());
        let compared =
            |name: &str| views.iter().any(|view| view["view"] == name && view["rows"].as_u64() > Some(1_000));
        assert!(compared("reports") && compared("reports_of_alerts"), "{answer:#}");
        let views = views.iter().filter(|view| view["view"] != "reports_of_alerts");
        views.map(|view| (view["view"].as_str().unwrap().to_owned(), view["live"].clone())).collect()
    }

    fn logs(&self) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(self.path("data/logs")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            all.push_str(&format!("\n--- {}\n{text}", entry.path().display()));
        }
        all
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its children see their pipe close, and end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A worked example of the market crate.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../market/examples").join(name)
}

/// Numbers in a sequence that only the seed decides (SplitMix64, public domain by Sebastiano Vigna).
pub struct Chance(pub u64);

impl Chance {
    /// The next number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    /// Puts items in another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
