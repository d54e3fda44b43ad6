//! The network that the machines of a MultiNode job share.
//!
//! In one `pumice run` the group has a switch. In a lab, where each node is a job of its own that may come, go and be killed
//! alone, each node has one, and those of one worker are connected:
//!
//! ```text
//!  STATE/lan.lock              held by whoever joins
//!  STATE/jobs/12-1/nodes.json  which worker has which node, as the server said
//!  STATE/jobs/12-1/lan         a link to where the switch of node 12 lets others in
//!  STATE/jobs/13-1/lan         the same of node 13
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use pumice_network::{Part, Switch};
use pumice_types::{JobId, WorkerName};

/// The network, as one node has it.
pub(crate) enum Lan {
    /// A switch in another process listens there.
    Elsewhere(PathBuf),
    /// A switch of our own, which ends with this value.
    Own {
        /// Where machines connect.
        socket: PathBuf,
        /// It.
        _switch: Switch,
    },
    /// There is none, because the nodes are on several workers: where they are, in words.
    Apart(String),
}

impl Lan {
    /// Where machines connect; `None` when there is no network.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        match self {
            Self::Elsewhere(socket) | Self::Own { socket, .. } => Some(socket.clone()),
            Self::Apart(_) => None,
        }
    }

    /// Joins the network of a node in a lab; `job` is the directory that its worker made for it, and `work_dir` has room for the names
    /// of sockets. To be called inside the runtime.
    pub(crate) fn join(job: &Path, work_dir: &Path) -> io::Result<Self> {
        let Some(nodes) = nodes(job)? else {
            return Ok(Self::Apart("the server does not say where its nodes are".to_owned()));
        };
        if nodes.values().collect::<BTreeSet<_>>().len() > 1 {
            let places: Vec<_> =
                nodes.iter().map(|(job, worker)| format!("job {job} is on {worker}")).collect();
            return Ok(Self::Apart(places.join(", ")));
        }
        let (own, jobs) = (of_directory(job), job.parent().unwrap_or(job));
        let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        let place = nodes.keys().take_while(|node| Some(**node) != own).count();
        let (socket, door) = (work_dir.join("lan"), work_dir.join("lan-door"));
        let mut switch = Switch::listen_as(Part { place: small(place), of: small(nodes.len()) }, &socket)?;
        let turn = fs::File::create(jobs.with_file_name("lan.lock"))?;
        turn.lock()?;
        switch.join(&door, &doors(jobs, &nodes, own)?)?;
        symlink(&door, job.join("lan"))?;
        Ok(Self::Own { socket, _switch: switch })
    }
}

/// Which worker has which node; `None` when the server is too old to say so.
fn nodes(job: &Path) -> io::Result<Option<BTreeMap<JobId, WorkerName>>> {
    match fs::read(job.join("nodes.json")) {
        Ok(text) => {
            Ok(Some(serde_json::from_slice(&text)?).filter(|nodes: &BTreeMap<_, _>| !nodes.is_empty()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the switches of the other nodes let us in, as far as they are there.
fn doors(jobs: &Path, nodes: &BTreeMap<JobId, WorkerName>, own: Option<JobId>) -> io::Result<Vec<PathBuf>> {
    let mut doors = Vec::new();
    for entry in fs::read_dir(jobs)? {
        let directory = entry?.path();
        let job = of_directory(&directory).filter(|job| Some(*job) != own && nodes.contains_key(job));
        if job.is_some() {
            doors.extend(fs::read_link(directory.join("lan")).ok());
        }
    }
    Ok(doors)
}

/// The job of a directory, which is called `ID-FENCE` (`docs/protocol/job-directory.md`).
fn of_directory(directory: &Path) -> Option<JobId> {
    let name = directory.file_name()?.to_str()?;
    name.split_once('-')?.0.parse().ok().map(JobId)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixStream,
    };

    use super::*;

    /// The directory of a node's job, and one for its sockets.
    fn node(state: &Path, job: i64, nodes: &str) -> (PathBuf, PathBuf) {
        let (directory, work_dir) = (state.join(format!("jobs/{job}-1")), state.join(format!("w{job}")));
        fs::create_dir_all(&directory).unwrap();
        fs::create_dir_all(&work_dir).unwrap();
        fs::write(directory.join("nodes.json"), nodes).unwrap();
        (directory, work_dir)
    }

    #[tokio::test]
    async fn the_nodes_of_one_worker_share_a_network_and_other_jobs_are_not_on_it() {
        let state = tempfile::tempdir().unwrap();
        let (pair, other) = (r#"{"12": "host1", "13": "host1"}"#, r#"{"14": "host1"}"#);
        let mut machines = Vec::new();
        let mut lans = Vec::new();
        for (job, nodes) in [(14, other), (12, pair), (13, pair)] {
            let (directory, work_dir) = node(state.path(), job, nodes);
            let lan = Lan::join(&directory, &work_dir).unwrap();
            machines.push(UnixStream::connect(lan.socket().unwrap()).await.unwrap());
            lans.push(lan);
        }
        // A frame for all, from a card of ours: its length, to whom, from whom, what it is.
        let frame = [&[0, 0, 0, 16][..], &[0xff; 6], &[2, 0, 0, 0, 0, 12], &[0x88, 0xb5], b"hi"].concat();
        let [stranger, twelve, thirteen] = machines.as_mut_slice() else { unreachable!() };
        let mut heard = vec![0; frame.len()];
        loop {
            // Until both switches have let their machines and each other in.
            twelve.write_all(&frame).await.unwrap();
            let short = std::time::Duration::from_millis(50);
            if tokio::time::timeout(short, thirteen.readable()).await.is_ok() {
                thirteen.read_exact(&mut heard).await.unwrap();
                break;
            }
        }
        assert_eq!(heard, frame);
        assert_eq!(stranger.try_read(&mut heard).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn nodes_on_several_workers_share_none_and_are_told_where_they_are() {
        let state = tempfile::tempdir().unwrap();
        let (directory, work_dir) = node(state.path(), 12, r#"{"12": "host1", "13": "host2"}"#);
        let Lan::Apart(words) = Lan::join(&directory, &work_dir).unwrap() else { panic!("they share one") };
        assert_eq!(words, "job 12 is on host1, job 13 is on host2");
    }
}
