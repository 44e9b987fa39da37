//! What a compute child says of itself: one line of JSON on its standard output, once a second, and at once when its
//! generation starts or is ready.
//!
//! ```json
//! {"generation":7,"ready":true,"epoch":1234,"counters":{"facts_total":56789}}
//! ```
//!
//! The child writes through a [`PulseWriter`]; its agent keeps the last line in [`LastPulse`], where the probes and the metrics
//! endpoint read it. A child that says nothing for [`limits::CHILD_SILENT_MOST`](crate::limits::CHILD_SILENT_MOST) is dead.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
};

use serde::{Deserialize, Serialize};

use crate::limits::PULSE_EVERY;

/// State of a compute child at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    /// Generation that it serves; 0 = it has registered, or is about to, and none has begun.
    pub generation: u64,
    /// The mesh stands and the checkpoint is restored.
    pub ready: bool,
    /// Last epoch that all its threads have completed; before the first one, the restored epoch.
    pub epoch: u64,
    /// Growing counters and gauges of the process by name (`counters::STAGES`, `counters::Counts`), summed over its threads.
    /// They begin at 0 with each child.
    pub counters: BTreeMap<String, i64>,
}

/// The child's end: what is told here is written by a thread of its own, so that a slow reader never stops the work.
#[derive(Clone, Debug)]
pub struct PulseWriter {
    pulse: Arc<Mutex<Pulse>>,
    /// Wakes the thread.
    now: Option<Sender<()>>,
}

impl PulseWriter {
    /// Nobody reads.
    pub fn silent() -> Self {
        PulseWriter { pulse: Arc::default(), now: None }
    }

    /// Writes a line now, one a second from now on, and one at each [`PulseWriter::tell_now`]. Ends when the reader has gone.
    pub fn to(mut out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (now, asked) = channel();
        let pulse = Arc::<Mutex<Pulse>>::default();
        let shown = pulse.clone();
        std::thread::Builder::new().name("pulse".into()).spawn(move || {
            loop {
                let written = write_line(&mut out, &lock(&shown).clone());
                match asked.recv_timeout(PULSE_EVERY) {
                    _ if written.is_err() => return,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })?;
        Ok(PulseWriter { pulse, now: Some(now) })
    }

    /// Changes what the next line says.
    pub fn tell(&self, change: impl FnOnce(&mut Pulse)) {
        change(&mut lock(&self.pulse));
    }

    /// The same, and writes the line at once.
    pub fn tell_now(&self, change: impl FnOnce(&mut Pulse)) {
        self.tell(change);
        if let Some(now) = &self.now {
            // An error says that the reader has gone.
            let _ = now.send(());
        }
    }
}

/// The last pulse of the compute child that runs now. Cheap to clone: all clones show the same.
#[derive(Clone, Debug, Default)]
pub struct LastPulse(Arc<Mutex<Option<Pulse>>>);

impl LastPulse {
    /// What the child said last; `None`: no child runs, or it has not spoken.
    pub fn latest(&self) -> Option<Pulse> {
        lock(&self.0).clone()
    }

    /// Keeps another one; `None` when the child has ended.
    pub fn set(&self, pulse: Option<Pulse>) {
        *lock(&self.0) = pulse;
    }
}

fn write_line(out: &mut impl Write, pulse: &Pulse) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(pulse)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, pipe};

    use super::*;

    #[test]
    fn a_change_is_told_at_once_and_the_rest_with_the_second() {
        let (reader, writer) = pipe().unwrap();
        let mut lines =
            BufReader::new(reader).lines().map(|line| serde_json::from_str::<Pulse>(&line.unwrap()).unwrap());
        let pulses = PulseWriter::to(writer).unwrap();
        assert_eq!(lines.next(), Some(Pulse::default()));
        let started = std::time::Instant::now();
        pulses.tell_now(|pulse| (pulse.generation, pulse.ready) = (3, true));
        let said = lines.next().unwrap();
        assert!((said.generation, said.ready) == (3, true) && started.elapsed() < PULSE_EVERY, "{said:?}");
        pulses.tell(|pulse| pulse.counters = BTreeMap::from([("facts_total".into(), 8)]));
        assert_eq!(lines.next().unwrap().counters["facts_total"], 8);
    }

    #[test]
    fn lines_of_other_builds_are_read_as_far_as_they_are_known() {
        let pulse: Pulse = serde_json::from_str(r#"{"generation":1,"ready":false,"mood":"good"}"#).unwrap();
        assert_eq!(pulse, Pulse { generation: 1, ..Pulse::default() });
    }
}
