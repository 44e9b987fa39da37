//! The roles as a container platform runs them: a coordinator and agents, each told to end, killed and started again, while a
//! market is sent. Nothing is lost, nothing doubled, nobody waits for a back-off, and the probes tell how each stands.

mod common;

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use common::{Cluster, billwatch, expect_exit};
use serde_json::Value;
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Facts of normal trade, a case of every pattern beside it; sent in parts of the same size.
const FACTS: usize = 10_000;
const PARTS: usize = 6;
const AGENTS: usize = 2;
/// Longest wait for anything: far above what it takes.
const WITHIN: Duration = Duration::from_secs(30);

/// One role, that may run.
struct Role {
    arguments: Vec<String>,
    probe: String,
    log: std::path::PathBuf,
    child: Option<Child>,
}

impl Role {
    fn new(cluster: &Cluster, name: &str, port: u16, arguments: &[&str]) -> Self {
        let mut arguments: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
        arguments.extend(["--data".to_owned(), cluster.path(name).display().to_string()]);
        let log = cluster.path(&format!("{name}.log"));
        Role { arguments, probe: format!("http://127.0.0.1:{port}"), log, child: None }
    }

    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_billwatch"))
            .args(&self.arguments)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn process_id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn terminate(&self) {
        signal("TERM", self.process_id());
    }

    /// Waits for its end.
    fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let mut status = None;
        wait_for("its end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.expect("it has ended")
    }

    fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Its compute child.
    fn compute(&self) -> Option<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process_id())).ok()?;
        let children = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        children.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).next()?.parse().ok()
    }

    /// What its probes say of `live`, `startup` and `ready`; `None`: nobody answers.
    fn probes(&self) -> Option<[bool; 3]> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let endpoint = Endpoint::from_shared(self.probe.clone()).unwrap().timeout(Duration::from_secs(2));
            let mut client = HealthClient::new(endpoint.connect().await.ok()?);
            let mut answers = [false; 3];
            for (answer, service) in answers.iter_mut().zip(["live", "startup", "ready"]) {
                let request = HealthCheckRequest { service: service.to_owned() };
                *answer = client.check(request).await.ok()?.into_inner().status() == ServingStatus::Serving;
            }
            Some(answers)
        })
    }

    fn until(&self, answers: [bool; 3]) {
        let mut said = None;
        wait_for(&format!("probes {answers:?} of {}", self.log.display()), || {
            said = self.probes();
            said == Some(answers)
        });
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

const LIVE: [bool; 3] = [true, false, false];
const STARTED: [bool; 3] = [true, true, false];
const READY: [bool; 3] = [true, true, true];

/// The whole: processes, clients, and the market in parts.
struct World {
    coordinator: Role,
    agents: Vec<Role>,
    parts: Vec<String>,
    accepted: u64,
    /// The simulator sends some facts twice.
    duplicates: u64,
    cluster: Cluster,
}

impl World {
    fn new() -> Self {
        let [coordinator_port, first, second] = free_ports();
        let listen = format!("127.0.0.1:{coordinator_port}");
        let address = format!("http://{listen}");
        let cluster = Cluster::of_others(address.clone());
        let processes = AGENTS.to_string();
        // No checkpoint but those that agents ask for when they leave.
        let words = ["coordinator", "--listen", &listen, "--processes", &processes, "--checkpoint-s", "3600"];
        let coordinator = Role::new(&cluster, "coordinator", coordinator_port, &words);
        let agents = [first, second].into_iter().enumerate().map(|(number, port)| {
            let (number, probe) = (number.to_string(), format!("127.0.0.1:{port}"));
            let words = ["worker", "--address", &address, "--process", &number, "--probe", &probe];
            Role::new(&cluster, &format!("worker-{number}"), port, &words)
        });
        let agents = agents.collect();
        let parts = parts(&cluster);
        World { coordinator, agents, parts, accepted: 0, duplicates: 0, cluster }
    }

    fn all_until(&self, answers: [bool; 3]) {
        self.coordinator.until(answers);
        self.agents.iter().for_each(|agent| agent.until(answers));
    }

    /// Sends the next part of the market and waits until it shows.
    fn send(&mut self) {
        let path = self.cluster.path("part.ndjson");
        fs::write(&path, self.parts.remove(0)).unwrap();
        let answer = self.cluster.ingest(&path);
        assert_eq!(answer["refused"], 0, "{answer:#}");
        self.accepted += answer["accepted"].as_u64().unwrap();
        self.duplicates += answer["duplicates"].as_u64().unwrap();
        self.cluster.settle(answer["epoch"].as_u64().unwrap());
    }

    fn status(&self) -> Value {
        self.cluster.json(&["status"])
    }

    fn generation(&self) -> u64 {
        self.status()["generation"].as_u64().unwrap()
    }

    /// Waits for another generation that runs.
    fn next_generation(&self, before: u64, since: Instant, what: &str) {
        wait_for("the next generation", || {
            let status = self.status();
            status["generation"].as_u64() > Some(before) && status["serving"] == true
        });
        println!("{what}: answers again after {:.2} s", since.elapsed().as_secs_f64());
    }

    fn computes(&self) -> Vec<Option<u32>> {
        self.agents.iter().map(Role::compute).collect()
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// A simulated market, cut.
fn parts(cluster: &Cluster) -> Vec<String> {
    let [facts, labels] = ["facts.ndjson", "labels.ndjson"].map(|name| cluster.path(name).display().to_string());
    let number = FACTS.to_string();
    expect_exit(
        billwatch(&["simulate", "--facts", &number, "--cases-a-round", "1", "--out", &facts, "--labels", &labels]),
        0,
    );
    let text = fs::read_to_string(Path::new(&facts)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    lines.chunks(lines.len().div_ceil(PARTS)).map(|part| part.join("\n") + "\n").collect()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < WITHIN, "waited {} s for {what}", WITHIN.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(name: &str, process_id: u32) {
    let status = Command::new("kill").args([&format!("-{name}"), &process_id.to_string()]).status().unwrap();
    assert!(status.success(), "{process_id} does not run");
}

fn is_alive(process_id: u32) -> bool {
    Path::new(&format!("/proc/{process_id}")).exists()
}

#[test]
fn whatever_is_killed_or_told_to_end_comes_back_without_loss() {
    let mut world = World::new();

    // Agents wait for a coordinator that is not there.
    world.agents.iter_mut().for_each(Role::start);
    world.agents.iter().for_each(|agent| agent.until(LIVE));
    world.coordinator.start();
    world.all_until(READY);
    world.send();
    world.cluster.verified();

    // A compute child is killed: all children are replaced, no agent.
    let (generation, before, since) = (world.generation(), world.computes(), Instant::now());
    signal("KILL", before[0].expect("a ready agent has a child"));
    world.next_generation(generation, since, "a compute child killed");
    world.all_until(READY);
    assert!(world.agents.iter_mut().all(Role::runs));
    assert!(world.computes().iter().zip(&before).all(|(now, before)| now.is_some() && now != before));
    world.send();

    // Another agent of the same number waits, and disturbs nobody.
    let generation = world.generation();
    let mut other = Role::new(&world.cluster, "other", 0, &["worker", "--address", &world.cluster.address.clone()]);
    other.arguments.extend(["--process", "0"].map(String::from));
    other.start();
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(other.runs() && other.compute().is_none() && world.generation() == generation);
    other.terminate();
    assert_eq!(other.ended().code(), Some(0));
    // One that the cluster does not have is refused for good.
    *other.arguments.last_mut().unwrap() = "0".to_owned();
    let number = other.arguments.iter().rposition(|word| word == "--process").unwrap() + 1;
    other.arguments[number] = "9".to_owned();
    other.start();
    assert_eq!(other.ended().code(), Some(7));

    // An agent is killed: its child dies with it; the other agent stays, and is not ready meanwhile.
    let (generation, since) = (world.generation(), Instant::now());
    let orphan = world.agents[1].compute().expect("a ready agent has a child");
    world.agents[1].kill();
    wait_for("the end of the orphan", || !is_alive(orphan));
    world.agents[0].until(STARTED);
    world.coordinator.until(STARTED);
    assert!(world.agents[1].probes().is_none());
    world.agents[1].start();
    world.next_generation(generation, since, "an agent killed and started");
    world.all_until(READY);
    world.send();
    world.cluster.verified();

    // The coordinator is killed: the agents stay, without children, and wait.
    let since = Instant::now();
    world.coordinator.kill();
    world.agents.iter().for_each(|agent| agent.until(STARTED));
    wait_for("the end of the children", || world.computes().iter().all(Option::is_none));
    world.coordinator.start();
    world.coordinator.until(READY);
    println!("the coordinator killed and started: answers again after {:.2} s", since.elapsed().as_secs_f64());
    world.all_until(READY);
    assert!(world.agents.iter_mut().all(Role::runs));
    world.send();

    // An agent is told to end: it leaves behind a checkpoint of the last epoch.
    assert_eq!(world.status()["checkpoint_epoch"], 0, "no agent has left yet");
    let (generation, since) = (world.generation(), Instant::now());
    let last = world.status()["as_of"]["epoch"].clone();
    world.agents[0].terminate();
    assert_eq!(world.agents[0].ended().code(), Some(0));
    println!("an agent told to end: it left after {:.2} s", since.elapsed().as_secs_f64());
    assert_eq!(world.status()["checkpoint_epoch"], last);
    world.agents[0].start();
    world.next_generation(generation, since, "an agent told to end and started");
    let log = fs::read_to_string(&world.coordinator.log).unwrap();
    let starts: Vec<_> = log.lines().filter(|line| line.contains("generation starts")).collect();
    assert!(starts.last().unwrap().contains(&format!("restore_epoch={last}")), "{starts:#?}");
    world.all_until(READY);
    world.send();
    let hashes = world.cluster.verified();

    // All are told to end at once, and come back.
    let since = Instant::now();
    world.agents.iter().for_each(Role::terminate);
    for agent in &mut world.agents {
        assert_eq!(agent.ended().code(), Some(0));
    }
    let status = world.status();
    assert_eq!((&status["checkpoint_epoch"], &status["generation"]), (&status["sealed_epoch"], &Value::from(0)));
    world.coordinator.terminate();
    assert_eq!(world.coordinator.ended().code(), Some(0));
    println!("all told to end: they left after {:.2} s", since.elapsed().as_secs_f64());
    world.coordinator.start();
    world.agents.iter_mut().for_each(Role::start);
    world.all_until(READY);
    assert_eq!(world.cluster.verified(), hashes);
    world.send();
    world.cluster.verified();
    assert!(world.parts.is_empty(), "the whole market was sent");
    let text = fs::read_to_string(world.cluster.path("facts.ndjson")).unwrap();
    assert_eq!(text.lines().count() as u64, world.accepted + world.duplicates);
    let facts = text.lines().filter(|line| !line.contains("\"control\"")).count() as u64 - world.duplicates;
    assert_eq!(world.status()["accepted_facts"], facts, "none lost, none doubled");
}
