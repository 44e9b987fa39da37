//! Metrics of every role: the program, its memory, its disk.

use super::{
    Kind::{Counter, Gauge, Info},
    Metric,
};

/// All of them.
pub static ALL: [&Metric; 9] =
    [&BUILD, &START_TIME, &RESIDENT_MEMORY, &CPU, &CGROUP_USAGE, &CGROUP_LIMIT, &DISK_FREE, &DISK_SIZE, &DATA_SIZE];

/// Version and role.
pub static BUILD: Metric =
    Metric::measured(Info, "billwatch_build_info", "the program", "Version of the program and its role.")
        .by(&["version", "role"]);

/// When it began.
pub static START_TIME: Metric = Metric::measured(
    Gauge,
    "billwatch_start_timestamp_seconds",
    "the program",
    "When this process began to serve, as Unix time.",
);

/// Memory of each process of the role.
pub static RESIDENT_MEMORY: Metric = Metric::measured(
    Gauge,
    "billwatch_resident_memory_bytes",
    "/proc/PID/status",
    "Resident memory of a process: coordinator, or agent and compute child of a worker.",
)
.by(&["process"]);

/// CPU time of each process of the role.
pub static CPU: Metric = Metric::measured(
    Counter,
    "billwatch_cpu_seconds_total",
    "/proc/PID/stat",
    "CPU time of a process, user and system.",
)
.by(&["process"]);

/// Memory that counts towards the limit.
pub static CGROUP_USAGE: Metric = Metric::measured(
    Gauge,
    "billwatch_cgroup_memory_usage_bytes",
    "cgroup v2 or v1",
    "Memory of the container that counts towards its limit, page cache included; absent where there is no memory cgroup.",
);

/// Where the container is killed.
pub static CGROUP_LIMIT: Metric = Metric::measured(
    Gauge,
    "billwatch_cgroup_memory_limit_bytes",
    "cgroup v2 or v1",
    "Memory limit of the container; absent when it has none.",
);

/// Room left.
pub static DISK_FREE: Metric = Metric::measured(
    Gauge,
    "billwatch_disk_free_bytes",
    "statvfs of the data directory",
    "Room left on the file system of the data directory, for a user without privileges.",
);

/// Room in all.
pub static DISK_SIZE: Metric = Metric::measured(
    Gauge,
    "billwatch_disk_size_bytes",
    "statvfs of the data directory",
    "Size of the file system of the data directory.",
);

/// What we use.
pub static DATA_SIZE: Metric = Metric::measured(
    Gauge,
    "billwatch_data_directory_bytes",
    "files of the data directory",
    "Bytes of all files of the data directory; a file that several checkpoints share counts once.",
);
