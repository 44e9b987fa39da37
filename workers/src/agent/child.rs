//! One compute child: started, heard, asked to end, killed.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use billwatch_telemetry::{codes, otlp::SPANS};
use tokio::sync::mpsc;
use tracing::{Span, field::Empty};

use super::pulse::Pulse;
use crate::limits::{CHILD_ENDS_WITHIN, CHILD_PAUSE, CHILD_PAUSE_MOST, CHILD_SHORT_LIFE, CHILD_SILENT_MOST};

/// The program of a compute child.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file.
    pub file: PathBuf,
    /// Its arguments. It must end when its standard input closes, and write pulses to its standard output.
    pub arguments: Vec<OsString>,
}

/// A running child.
pub struct Child {
    process: std::process::Child,
    /// Its number among the children of this agent.
    pub number: u64,
    started: Instant,
    /// When it last spoke.
    heard: Instant,
    /// When it was asked to end.
    asked: Option<Instant>,
    killed: bool,
    /// Its life.
    span: Span,
}

/// How a child ended.
pub struct Ended {
    /// What the system says.
    pub status: ExitStatus,
    /// It was not asked to end, or it did not do so.
    pub failed: bool,
    /// How long it lived.
    pub life: Duration,
}

impl Child {
    /// Starts the program. Its pulses go to `pulses`, with its number.
    ///
    /// # Errors
    /// The system has no process for it.
    pub fn start(program: &Program, number: u64, pulses: mpsc::Sender<(u64, Pulse)>) -> anyhow::Result<Self> {
        let mut process = Command::new(&program.file)
            .args(&program.arguments)
            // The other end is held by this process: when it closes, the child ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal is for the agent: the child lives until a checkpoint is taken.
            .process_group(0)
            .spawn()
            .context("the compute process cannot be started")?;
        let out = process.stdout.take().context("the compute process has no standard output")?;
        std::thread::Builder::new().name("pulses".into()).spawn(move || {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { return };
                match serde_json::from_str(&line) {
                    Ok(pulse) => {
                        if pulses.blocking_send((number, pulse)).is_err() {
                            return;
                        }
                    }
                    Err(error) => tracing::debug!(%error, line, "not a pulse"),
                }
            }
        })?;
        let now = Instant::now();
        let process_id = process.id();
        let span = tracing::info_span!(
            target: SPANS, parent: None, "compute process", number, process_id, otel.status_code = Empty
        );
        Ok(Child { process, number, started: now, heard: now, asked: None, killed: false, span })
    }

    /// It has spoken.
    pub fn spoke(&mut self) {
        self.heard = Instant::now();
    }

    /// Asks it to end, and to end at once: all that was acknowledged lies in the coordinator's log.
    pub fn ask_to_end(&mut self, reason: &str) {
        if self.asked.is_none() {
            tracing::info!(reason, process_id = self.process.id(), "the compute process must end");
            self.asked = Some(Instant::now());
            drop(self.process.stdin.take());
        }
    }

    /// Sees whether it has ended. Kills one that was asked and stays, or that is silent.
    ///
    /// # Errors
    /// The system cannot say.
    pub fn look(&mut self) -> anyhow::Result<Option<Ended>> {
        if let Some(status) = self.process.try_wait().context("the compute process cannot be waited for")? {
            let failed = self.killed || (self.asked.is_none() && !status.success());
            if failed {
                self.span.record("otel.status_code", "ERROR");
            }
            return Ok(Some(Ended { status, failed, life: self.started.elapsed() }));
        }
        let why = match self.asked {
            Some(asked) if asked.elapsed() > CHILD_ENDS_WITHIN => "it does not end",
            None if self.heard.elapsed() > CHILD_SILENT_MOST => "it is silent",
            _ => return Ok(None),
        };
        if !self.killed {
            tracing::warn!(
                code = codes::COMPUTE_KILLED,
                why,
                process_id = self.process.id(),
                "the compute process is killed"
            );
            self.killed = true;
            self.process.kill().context("the compute process cannot be killed")?;
        }
        Ok(None)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Errors say that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// When the next child may start: at once, unless children fail quickly one after the other.
#[derive(Debug, Default)]
pub struct Pace {
    quick_failures: u32,
}

impl Pace {
    /// The pause after a child that ended.
    pub fn pause(&mut self, ended: &Ended) -> Duration {
        if !ended.failed || ended.life >= CHILD_SHORT_LIFE {
            self.quick_failures = 0;
            return Duration::ZERO;
        }
        self.quick_failures += 1;
        // The first one starts again at once: when a mate dies, this one may well have died with it.
        match self.quick_failures {
            1 => Duration::ZERO,
            failures => CHILD_PAUSE.saturating_mul(1 << (failures - 2).min(16)).min(CHILD_PAUSE_MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn program(script: &str) -> Program {
        Program { file: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] }
    }

    fn wait(child: &mut Child) -> Ended {
        loop {
            if let Some(ended) = child.look().unwrap() {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn pulses_are_heard_and_other_lines_passed_over() {
        let (sender, mut pulses) = mpsc::channel(8);
        let mut child = Child::start(&program("echo hello; echo '{\"generation\":4}'"), 7, sender).unwrap();
        let pulse = Pulse { generation: 4, ..Pulse::default() };
        assert_eq!(pulses.blocking_recv(), Some((7, pulse)));
        assert_eq!(pulses.blocking_recv(), None, "its output has ended");
        assert!(!wait(&mut child).failed);
    }

    #[test]
    fn a_child_that_is_asked_ends_by_its_input_or_is_killed() {
        let mut obeys = Child::start(&program("read line; exit 0"), 1, mpsc::channel(1).0).unwrap();
        obeys.ask_to_end("a test");
        assert!(!wait(&mut obeys).failed);
        let mut stays = Child::start(&program("exec sleep 60"), 1, mpsc::channel(1).0).unwrap();
        stays.ask_to_end("a test");
        let ended = wait(&mut stays);
        assert!(ended.failed && ended.life >= CHILD_ENDS_WITHIN);
    }

    #[test]
    fn only_quick_failures_in_a_row_are_waited_for() {
        let ended = |failed, life| Ended { status: ExitStatus::from_raw(0), failed, life };
        let quick = ended(true, Duration::from_secs(1));
        let mut pace = Pace::default();
        let pauses: Vec<_> = (0..12).map(|_| pace.pause(&quick).as_millis()).collect();
        assert_eq!(pauses[..4], [0, 100, 200, 400]);
        assert_eq!(pauses[11], CHILD_PAUSE_MOST.as_millis());
        assert_eq!(pace.pause(&ended(true, CHILD_SHORT_LIFE)), Duration::ZERO);
        assert_eq!(pace.pause(&quick), Duration::ZERO, "it begins anew");
        pace.pause(&quick);
        assert_eq!(pace.pause(&ended(false, Duration::ZERO)), Duration::ZERO);
    }
}
