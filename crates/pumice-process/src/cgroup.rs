//! Control groups, version 2 (`Documentation/admin-guide/cgroup-v2.rst` in the kernel's sources).
//!
//! Only what contains and kills is used: `cgroup.procs`, `cgroup.kill` and `cgroup.events`. They need no
//! controller, so a delegated directory is enough and nothing of the host's set-up is changed.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// A directory of the cgroup file system that we made.
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes a cgroup below `parent`.
    pub(crate) fn create(parent: &Path, name: &str) -> io::Result<Self> {
        let path = parent.join(name);
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// One that was made before.
    pub(crate) fn existing(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file into which a process writes `0` to join.
    pub(crate) fn entrance(&self) -> io::Result<OwnedFd> {
        Ok(fs::OpenOptions::new().write(true).open(self.path.join("cgroup.procs"))?.into())
    }

    /// Kills every process in it and below, also those that are forking (Linux 5.14).
    pub(crate) fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// The ids of the processes in it and below, zombies left out.
    pub(crate) fn processes(&self) -> Vec<i32> {
        fn collect(directory: &Path, found: &mut Vec<i32>) {
            let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            // A process of another pid namespace shows as 0; `cgroup.kill` reaches it all the same.
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    collect(&entry.path(), found);
                }
            }
        }
        let mut found = Vec::new();
        collect(&self.path, &mut found);
        found
    }

    /// Whether a process is in it or below, also one that is on its way out.
    pub(crate) fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }

    /// Removes it and what is below. Succeeds when it is not there.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fn remove(directory: &Path) -> io::Result<()> {
            match fs::remove_dir(directory) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(_) => {}
            }
            for entry in fs::read_dir(directory)?.flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    remove(&entry.path())?;
                }
            }
            match fs::remove_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        }
        remove(&self.path)
    }
}

/// The cgroup this process is in, when cgroups may be made below it; else why not, in words for a person.
pub(crate) fn own_directory() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| format!("cannot read /proc/self/mountinfo: {error}"))?;
    let membership = fs::read_to_string("/proc/self/cgroup")
        .map_err(|error| format!("cannot read /proc/self/cgroup: {error}"))?;
    let directory = directory_of(&mounts, &membership)?;
    usable(&directory)?;
    Ok(directory)
}

/// Finds the directory in the text of `proc_pid_mountinfo(5)` and `proc_pid_cgroup(5)`.
fn directory_of(mounts: &str, membership: &str) -> Result<PathBuf, String> {
    let own = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .ok_or("this process is in no cgroup of version 2")?;
    let (root, point) = mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            (after.split(' ').next()? == "cgroup2").then_some(())?;
            let mut fields = before.split(' ').skip(3);
            Some((unescape(fields.next()?), unescape(fields.next()?)))
        })
        .next_back()
        .ok_or("no cgroup file system of version 2 is mounted")?;
    let below = if root == "/" { Some(own) } else { own.strip_prefix(root.as_str()) };
    match below.map(|path| path.trim_start_matches('/')) {
        Some(path) if !path.split('/').any(|part| part == "..") => Ok(Path::new(&point).join(path)),
        _ => Err(format!("our cgroup `{own}` is outside of what is mounted at {point}")),
    }
}

/// Undoes the octal escapes of `mountinfo`: space, tab, line feed and backslash.
fn unescape(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.into_iter().fold(field.to_owned(), |field, (escape, plain)| field.replace(escape, plain))
}

/// Whether a process may be moved from `directory` into a cgroup below it: the kernel wants write access to
/// `cgroup.procs` of their common ancestor, and a domain, not a threaded cgroup.
fn usable(directory: &Path) -> Result<(), String> {
    let shown = directory.display();
    let kind = fs::read_to_string(directory.join("cgroup.type")).unwrap_or_default();
    if kind.contains("threaded") || kind.contains("invalid") {
        return Err(format!("{shown} is a cgroup for threads (cgroup.type is `{}`)", kind.trim()));
    }
    fs::OpenOptions::new()
        .write(true)
        .open(directory.join("cgroup.procs"))
        .map(drop)
        .map_err(|error| format!("{shown} is not delegated to us: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
38 31 0:35 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 master:2 - cgroup2 cgroup2 rw
";

    #[track_caller]
    fn check(mounts: &str, membership: &str, expected: Result<&str, &str>) {
        let found = directory_of(mounts, membership);
        match expected {
            Ok(path) => assert_eq!(found, Ok(PathBuf::from(path))),
            Err(part) => assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn the_directory_follows_from_mount_and_membership() {
        check(HYBRID, "4:memory:/x\n0::/\n", Ok("/sys/fs/cgroup/unified/"));
        check(HYBRID, "0::/user.slice/a.scope\n", Ok("/sys/fs/cgroup/unified/user.slice/a.scope"));
        let container = "9 1 0:5 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        check(container, "0::/docker/abc/job\n", Ok("/sys/fs/cgroup/job"));
        check(container, "0::/docker/other\n", Err("outside"));
        check(container, "0::/docker/abc/../x\n", Err("outside"));
        let spaces = "9 1 0:5 / /mnt/with\\040space rw - cgroup2 cgroup rw\n";
        check(spaces, "0::/a\n", Ok("/mnt/with space/a"));
    }

    #[test]
    fn a_host_without_version_2_is_told_apart() {
        check("31 23 0:28 / /sys rw - sysfs sysfs rw\n", "0::/\n", Err("no cgroup file system"));
        check(HYBRID, "4:memory:/x\n", Err("no cgroup of version 2"));
    }
}
