//! What the system says of a process, its container and its disk. Linux; where something cannot be read, it is left out.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{
    page::Page,
    table::{Role, process},
};

/// Clock ticks a second in `/proc/PID/stat`: USER_HZ, which is 100 on every Linux that Rust builds for.
const TICKS_PER_SECOND: f64 = 100.0;
/// cgroup v1 writes a number near the largest i64 for "no limit".
const NO_LIMIT_V1: u64 = 1 << 60;

/// Puts on a page what every role shows: build, memory, disk. Reads files: call it where blocking is allowed.
///
/// `processes`: a name for the label, and the process id; the first is the process that serves.
pub fn put(page: &mut Page, role: Role, version: &str, since_unix_s: f64, processes: &[(&str, u32)], data: &Path) {
    page.words(&process::BUILD, &[version, role.name()]);
    page.number(&process::START_TIME, since_unix_s);
    for (name, id) in processes {
        if let Some(bytes) = resident_bytes(*id) {
            page.whole_of(&process::RESIDENT_MEMORY, &[name], bytes);
        }
        if let Some(seconds) = cpu_seconds(*id) {
            page.number_of(&process::CPU, &[name], seconds);
        }
    }
    if let Some(memory) = cgroup_memory(Path::new("/")) {
        page.whole(&process::CGROUP_USAGE, memory.usage_bytes);
        if let Some(limit) = memory.limit_bytes {
            page.whole(&process::CGROUP_LIMIT, limit);
        }
    }
    if let Ok(disk) = disk(data) {
        page.whole(&process::DISK_FREE, disk.free_bytes);
        page.whole(&process::DISK_SIZE, disk.size_bytes);
    }
    page.whole(&process::DATA_SIZE, directory_bytes(data));
}

/// Resident memory of a process, bytes.
pub fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// CPU time of a process, s.
pub fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th field behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / TICKS_PER_SECOND)
}

/// Children of a process, of all its threads.
pub fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Memory of the container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CgroupMemory {
    /// What counts towards the limit.
    pub usage_bytes: u64,
    /// `None` = no limit.
    pub limit_bytes: Option<u64>,
}

/// Memory of this process's cgroup, of v1 or v2. `root` is `/`, or a directory laid out like it.
///
/// In a container the path in `/proc/self/cgroup` may be the host's, which is not mounted: then the root of the mount is
/// the container's own group. The limit is the least of the group and the groups above it.
pub fn cgroup_memory(root: &Path) -> Option<CgroupMemory> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let parts = || groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let v1 = parts().find(|(controllers, _)| controllers.split(',').any(|controller| controller == "memory"));
    let (mount, path, usage, limit) = match v1 {
        Some((_, path)) => ("sys/fs/cgroup/memory", path, "memory.usage_in_bytes", "memory.limit_in_bytes"),
        None => {
            let (_, path) = parts().find(|(controllers, _)| controllers.is_empty())?;
            ("sys/fs/cgroup", path, "memory.current", "memory.max")
        }
    };
    let mount = root.join(mount);
    let own = mount.join(path.trim_start_matches('/'));
    let number = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let own = if own.join(usage).exists() { own } else { mount.clone() };
    let usage_bytes = number(own.join(usage))?;
    let groups = own.ancestors().take_while(|group| group.starts_with(&mount));
    // `max` is no number: no limit there.
    let limit_bytes = groups.filter_map(|group| number(group.join(limit))).filter(|limit| *limit < NO_LIMIT_V1).min();
    Some(CgroupMemory { usage_bytes, limit_bytes })
}

/// A file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Disk {
    /// Room for a user without privileges.
    pub free_bytes: u64,
    /// Room in all.
    pub size_bytes: u64,
}

/// The file system of a directory.
pub fn disk(directory: &Path) -> io::Result<Disk> {
    let disk = rustix::fs::statvfs(directory)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Disk { free_bytes: bytes(disk.f_bavail), size_bytes: bytes(disk.f_blocks) })
}

/// Bytes of all files below a directory. A file with several names counts once; what vanishes meanwhile is passed over.
pub fn directory_bytes(directory: &Path) -> u64 {
    let mut seen = HashSet::new();
    let mut open = vec![directory.to_owned()];
    let mut bytes = 0;
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                open.push(entry.path());
            } else if metadata.nlink() == 1 || seen.insert((metadata.dev(), metadata.ino())) {
                bytes += metadata.len();
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory laid out like `/`, with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    fn memory(files: &[(&str, &str)]) -> Option<CgroupMemory> {
        cgroup_memory(system(files).path())
    }

    #[test]
    fn cgroup_v2_of_a_container_is_read_at_the_root_of_the_mount() {
        let files = [
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.current", "104857600\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
        ];
        let expected = CgroupMemory { usage_bytes: 104_857_600, limit_bytes: Some(536_870_912) };
        assert_eq!(memory(&files), Some(expected));
    }

    #[test]
    fn cgroup_v2_takes_the_least_limit_of_the_groups_above() {
        let files = [
            ("proc/self/cgroup", "0::/kubepods.slice/pod1/box\n"),
            ("sys/fs/cgroup/kubepods.slice/memory.max", "900\n"),
            ("sys/fs/cgroup/kubepods.slice/pod1/memory.max", "700\n"),
            ("sys/fs/cgroup/kubepods.slice/pod1/box/memory.max", "max\n"),
            ("sys/fs/cgroup/kubepods.slice/pod1/box/memory.current", "5\n"),
        ];
        assert_eq!(memory(&files), Some(CgroupMemory { usage_bytes: 5, limit_bytes: Some(700) }));
        // The host's path, which is not mounted here.
        let files = [
            ("proc/self/cgroup", "0::/elsewhere/box\n"),
            ("sys/fs/cgroup/memory.current", "6\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
        ];
        assert_eq!(memory(&files), Some(CgroupMemory { usage_bytes: 6, limit_bytes: None }));
    }

    #[test]
    fn cgroup_v1_beside_v2_is_where_memory_is_counted() {
        let files = [
            ("proc/self/cgroup", "9:cpu,cpuacct:/box\n8:memory:/box\n0::/\n"),
            ("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "41\n"),
            ("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "64\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(memory(&files), Some(CgroupMemory { usage_bytes: 41, limit_bytes: Some(64) }));
        let files = [
            ("proc/self/cgroup", "8:memory:/host/path\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "42\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(memory(&files), Some(CgroupMemory { usage_bytes: 42, limit_bytes: None }));
        assert_eq!(memory(&[("proc/self/cgroup", "8:cpu:/\n")]), None, "no memory is counted here");
        assert_eq!(memory(&[]), None, "no cgroups");
    }

    #[test]
    fn this_process_and_its_disk_are_readable() {
        let id = std::process::id();
        assert!(resident_bytes(id).unwrap() > 100_000);
        assert!(cpu_seconds(id).unwrap() >= 0.0);
        assert_eq!(resident_bytes(u32::MAX), None);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children(id).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let disk = disk(dir.path()).unwrap();
        assert!(disk.free_bytes <= disk.size_bytes && disk.size_bytes > 0);
        fs::create_dir(dir.path().join("under")).unwrap();
        fs::write(dir.path().join("under/a"), [0; 10]).unwrap();
        fs::write(dir.path().join("b"), [0; 3]).unwrap();
        fs::hard_link(dir.path().join("under/a"), dir.path().join("c")).unwrap();
        assert_eq!(directory_bytes(dir.path()), 13, "a file with two names counts once");
    }
}
