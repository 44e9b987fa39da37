//! The mesh: sockets between worker processes, and the worker threads that timely runs over them.
//!
//! Owns the handshake. Timely's own sends a bare number, retries for ever and has neither keepalive nor identity; a process
//! of another cluster or of a generation that has ended could join. So the sockets are made here, each side shows its
//! [`Hello`], and only a full set of equals is handed to timely.
//!
//! Invariants: process i calls every j < i and is called by every j > i, so each pair has one socket; no socket reaches
//! timely before all hellos agree; a refusal names what differs. A mesh is one failure domain: when a process dies, its
//! mates fail too, and the coordinator begins another generation.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

use billwatch_telemetry::codes;
use serde::{Deserialize, Serialize};
use timely::{
    WorkerConfig,
    communication::{
        Hooks,
        allocator::{AllocatorBuilder, ProcessBuilder, zero_copy::initialize::initialize_networking_from_sockets},
    },
    execute::execute_from,
    worker::Worker,
};

use crate::limits::{CONNECT_RETRY, HELLO_BYTES_MAX, HELLO_TIMEOUT, MESH_BUILD_TIMEOUT};

/// First bytes on every mesh socket; the digit is the version of the handshake.
const MAGIC: &[u8; 8] = b"BWMESH\x00\x01";

/// What a process shows to its mates. All but `process` must be equal on both sides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Name of the cluster.
    pub cluster_id: String,
    /// Generation of the mesh.
    pub generation: u64,
    /// Number of this process, from 0.
    pub process: u32,
    /// Processes in the mesh.
    pub processes: u32,
    /// Worker threads in each.
    pub threads: u32,
    /// Fingerprint of the catalogue.
    pub catalogue_fingerprint: u64,
    /// Version of the program.
    pub build: String,
}

/// Why a mesh could not be built.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// A socket failed.
    #[error("mesh: {context}: {source}; check that the address is reachable and the port free")]
    Io {
        /// What was tried.
        context: String,
        /// What the system said.
        source: io::Error,
    },
    /// A mate is of another cluster, generation or build.
    #[error(
        "mesh: process {process} differs in {field}: here {here}, there {there}; start all processes from one build, catalogue and coordinator"
    )]
    Mismatch {
        /// The mate.
        process: u32,
        /// What differs.
        field: &'static str,
        /// Own value.
        here: String,
        /// Its value.
        there: String,
    },
    /// Something that is no mate has called.
    #[error("mesh: {0}")]
    NotAMate(String),
    /// Somebody is missing.
    #[error(
        "mesh: process {process} was not there within {seconds} s; see whether it runs and whether {address} is its address"
    )]
    Missing {
        /// The mate.
        process: u32,
        /// Time waited.
        seconds: u64,
        /// Where it was looked for.
        address: String,
    },
    /// Timely refused to start.
    #[error("mesh: timely did not start: {0}")]
    Timely(String),
}

fn io_error(context: impl Into<String>) -> impl FnOnce(io::Error) -> MeshError {
    let context = context.into();
    move |source| MeshError::Io { context, source }
}

/// Opens a connected socket to every mate: `sockets[i]` leads to process i, `None` at the own place.
///
/// `listener` is already bound to the own mesh address. Blocks until all are there or the time is over.
pub fn connect(
    listener: &TcpListener,
    hello: &Hello,
    addresses: &[String],
) -> Result<Vec<Option<TcpStream>>, MeshError> {
    connect_within(listener, hello, addresses, MESH_BUILD_TIMEOUT)
}

fn connect_within(
    listener: &TcpListener,
    hello: &Hello,
    addresses: &[String],
    patience: Duration,
) -> Result<Vec<Option<TcpStream>>, MeshError> {
    let deadline = Instant::now() + patience;
    let mut sockets: Vec<Option<TcpStream>> = addresses.iter().map(|_| None).collect();
    for (process, address) in addresses.iter().enumerate().take(hello.process as usize) {
        sockets[process] = Some(call(process as u32, address, hello, deadline, patience)?);
    }
    listener.set_nonblocking(true).map_err(io_error("listening"))?;
    while let Some(missing) = (hello.process as usize + 1..addresses.len()).find(|&process| sockets[process].is_none())
    {
        match listener.accept() {
            Ok((socket, peer)) => match answer(socket, hello) {
                Ok((process, socket)) => {
                    let place = sockets.get_mut(process as usize).filter(|_| process > hello.process);
                    match place {
                        Some(place) => *place = Some(socket),
                        None => {
                            return Err(MeshError::NotAMate(format!(
                                "{peer} calls itself process {process}, which does not call here"
                            )));
                        }
                    }
                }
                // A stranger (a port scan, a mate of a dead generation) is sent away; the mesh waits on for its mates.
                Err(error) => tracing::warn!(code = codes::MESH_CALLER_REFUSED, %peer, %error, "mesh: caller refused"),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if Instant::now() > deadline {
                    return Err(MeshError::Missing {
                        process: missing as u32,
                        seconds: patience.as_secs(),
                        address: addresses[missing].clone(),
                    });
                }
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(io_error("accepting a mate")(error)),
        }
    }
    Ok(sockets)
}

fn call(
    process: u32,
    address: &str,
    hello: &Hello,
    deadline: Instant,
    patience: Duration,
) -> Result<TcpStream, MeshError> {
    loop {
        let attempt = address
            .to_socket_addrs()
            .and_then(|mut found| found.next().ok_or_else(|| io::Error::other("the name has no address")))
            .and_then(|found| TcpStream::connect_timeout(&found, HELLO_TIMEOUT));
        // A mate that hangs up without a word may be about to restart: it is called again. One that answers and differs is
        // an error at once.
        let spoken = attempt.map_err(io_error(address)).and_then(|mut socket| {
            prepare(&socket)?;
            send_hello(&mut socket, hello)?;
            let theirs = receive_hello(&mut socket)?;
            agree(hello, &theirs)?;
            if theirs.process != process {
                return Err(MeshError::NotAMate(format!("{address} is process {}, not {process}", theirs.process)));
            }
            finish(&socket)?;
            Ok(socket)
        });
        match spoken {
            Err(MeshError::Io { .. }) if Instant::now() < deadline => thread::sleep(CONNECT_RETRY),
            Err(MeshError::Io { .. }) => {
                return Err(MeshError::Missing { process, seconds: patience.as_secs(), address: address.to_owned() });
            }
            other => return other,
        }
    }
}

fn answer(mut socket: TcpStream, hello: &Hello) -> Result<(u32, TcpStream), MeshError> {
    socket.set_nonblocking(false).map_err(io_error("a caller's socket"))?;
    prepare(&socket)?;
    let theirs = receive_hello(&mut socket)?;
    // The own hello goes out even to a stranger: its side then says what differs.
    send_hello(&mut socket, hello)?;
    agree(hello, &theirs)?;
    finish(&socket)?;
    Ok((theirs.process, socket))
}

/// No delay: mesh messages are small and urgent. The timeout holds for the handshake only.
fn prepare(socket: &TcpStream) -> Result<(), MeshError> {
    socket.set_nodelay(true).map_err(io_error("TCP_NODELAY"))?;
    socket.set_read_timeout(Some(HELLO_TIMEOUT)).map_err(io_error("read timeout"))?;
    socket.set_write_timeout(Some(HELLO_TIMEOUT)).map_err(io_error("write timeout"))
}

fn finish(socket: &TcpStream) -> Result<(), MeshError> {
    socket.set_read_timeout(None).map_err(io_error("read timeout"))?;
    socket.set_write_timeout(None).map_err(io_error("write timeout"))
}

fn send_hello(socket: &mut TcpStream, hello: &Hello) -> Result<(), MeshError> {
    let body = postcard::to_stdvec(hello).map_err(|error| MeshError::NotAMate(format!("own hello: {error}")))?;
    let mut frame = Vec::with_capacity(12 + body.len());
    frame.extend_from_slice(MAGIC);
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&body);
    socket.write_all(&frame).map_err(io_error("sending the hello"))
}

fn receive_hello(socket: &mut TcpStream) -> Result<Hello, MeshError> {
    let mut head = [0u8; 12];
    socket.read_exact(&mut head).map_err(io_error("waiting for a hello"))?;
    if &head[..8] != MAGIC {
        return Err(MeshError::NotAMate("the first bytes are not a hello of this version".into()));
    }
    let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    if length > HELLO_BYTES_MAX {
        return Err(MeshError::NotAMate(format!("a hello of {length} bytes; at most {HELLO_BYTES_MAX}")));
    }
    let mut body = vec![0u8; length as usize];
    socket.read_exact(&mut body).map_err(io_error("reading a hello"))?;
    postcard::from_bytes(&body).map_err(|error| MeshError::NotAMate(format!("unreadable hello: {error}")))
}

fn agree(here: &Hello, there: &Hello) -> Result<(), MeshError> {
    let differ = |field, here: String, there_value: String| {
        Err(MeshError::Mismatch { process: there.process, field, here, there: there_value })
    };
    if here.cluster_id != there.cluster_id {
        return differ("cluster id", here.cluster_id.clone(), there.cluster_id.clone());
    }
    if here.generation != there.generation {
        return differ("generation", here.generation.to_string(), there.generation.to_string());
    }
    if (here.processes, here.threads) != (there.processes, there.threads) {
        return differ(
            "size",
            format!("{} x {}", here.processes, here.threads),
            format!("{} x {}", there.processes, there.threads),
        );
    }
    if here.build != there.build {
        return differ("build", here.build.clone(), there.build.clone());
    }
    if here.catalogue_fingerprint != there.catalogue_fingerprint {
        return differ(
            "catalogue",
            format!("{:016x}", here.catalogue_fingerprint),
            format!("{:016x}", there.catalogue_fingerprint),
        );
    }
    Ok(())
}

/// How the threads of this process reach each other and their mates.
pub enum Mesh {
    /// One process: typed channels between threads, no bytes.
    Alone {
        /// Worker threads.
        threads: usize,
    },
    /// Several processes over the sockets of [`connect`].
    Together {
        /// This process.
        process: usize,
        /// Worker threads of each process.
        threads: usize,
        /// From [`connect`].
        sockets: Vec<Option<TcpStream>>,
    },
}

/// The running worker threads; joins them when dropped.
pub type Guards<T> = timely::communication::WorkerGuards<T>;

impl Mesh {
    /// Starts the worker threads. `run` is called once on each; it must build the same dataflows in the same order.
    pub fn start<T, F>(self, run: F) -> Result<Guards<T>, MeshError>
    where
        T: Send + 'static,
        F: Fn(&mut Worker) -> T + Send + Sync + 'static,
    {
        let hooks = Hooks::default();
        match self {
            Mesh::Alone { threads } => {
                let builders = ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone())
                    .into_iter()
                    .map(AllocatorBuilder::Process)
                    .collect();
                execute_from(builders, Box::new(()), WorkerConfig::default(), run).map_err(MeshError::Timely)
            }
            Mesh::Together { process, threads, sockets } => {
                let local = ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
                let (builders, guard) = initialize_networking_from_sockets(local, sockets, process, threads, hooks)
                    .map_err(io_error("handing the sockets to timely"))?;
                let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
                execute_from(builders, Box::new(guard), WorkerConfig::default(), run).map_err(MeshError::Timely)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(process: u32) -> Hello {
        Hello {
            cluster_id: "test".into(),
            generation: 7,
            process,
            processes: 3,
            threads: 1,
            catalogue_fingerprint: 42,
            build: "1".into(),
        }
    }

    fn listeners(count: usize) -> (Vec<TcpListener>, Vec<String>) {
        let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
        (listeners, addresses)
    }

    #[test]
    fn mates_find_each_other_past_a_stranger() {
        let (listeners, addresses) = listeners(3);
        let mut stranger = TcpStream::connect(&addresses[0]).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mates: Vec<_> = listeners
            .into_iter()
            .enumerate()
            .map(|(process, listener)| {
                let addresses = addresses.clone();
                thread::spawn(move || connect(&listener, &hello(process as u32), &addresses))
            })
            .collect();
        for (process, mate) in mates.into_iter().enumerate() {
            let sockets = mate.join().unwrap().unwrap();
            assert_eq!(
                sockets.iter().map(Option::is_some).collect::<Vec<_>>(),
                [0, 1, 2].map(|other| other != process)
            );
        }
    }

    #[test]
    fn another_catalogue_is_named() {
        let (listeners, addresses) = listeners(2);
        let there = {
            let (listener, addresses) = (listeners[0].try_clone().unwrap(), addresses.clone());
            thread::spawn(move || connect_within(&listener, &hello(0), &addresses, Duration::from_millis(500)))
        };
        let other = Hello { catalogue_fingerprint: 43, ..hello(1) };
        let error = connect(&listeners[1], &other, &addresses).unwrap_err();
        assert!(matches!(error, MeshError::Mismatch { process: 0, field: "catalogue", .. }), "{error}");
        let error = there.join().unwrap().unwrap_err();
        assert!(matches!(error, MeshError::Missing { process: 1, .. }), "{error}");
    }

    #[test]
    fn a_mate_that_never_comes_is_missing() {
        let (listeners, addresses) = listeners(2);
        let error = connect_within(&listeners[0], &hello(0), &addresses, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("process 1"), "{error}");
    }
}
