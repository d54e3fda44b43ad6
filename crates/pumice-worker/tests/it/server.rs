//! A server that speaks our worker protocol, with the real scheduler inside and everything else in memory. Its link to the
//! worker can be cut.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use pumice_api::{
    Problem, ProblemCode,
    worker::{
        Fence, Finish, Hello, JobPackage, JobRef, OpenChannel, Orders, Poll, Position, Return, Started,
        Welcome,
    },
};
use pumice_client::{Address, Connection, Credentials, Options, PlainHttp, WorkerClient};
use pumice_sched::{Action, Device, Event, JobRequest, Lab, Policy, Time, WorkerFacts};
use pumice_types::{Cause, JobId, JobState, Verdict};
use sha2::{Digest as _, Sha256};

use crate::fake_server::{Answer, FakeServer, Request};

/// A file, as far as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) complete: bool,
}

/// What the server knows.
pub(crate) struct Memory {
    pub(crate) lab: Lab,
    began: Instant,
    lease: Duration,
    /// How long a poll waits.
    pub(crate) hold: Duration,
    pub(crate) logs: BTreeMap<JobRef, Vec<u8>>,
    pub(crate) files: BTreeMap<(JobRef, String), Stored>,
    pub(crate) finished: BTreeMap<JobRef, Finish>,
    pub(crate) returned: Vec<(JobRef, Return)>,
    pub(crate) verdicts: BTreeMap<JobId, Verdict>,
    pub(crate) not_ready: Option<String>,
    pub(crate) channels: Vec<OpenChannel>,
    /// Whether jobs are nodes of MultiNode jobs.
    pub(crate) are_nodes: bool,
    /// What a node has said, and what it is told.
    pub(crate) heard: Vec<u8>,
    pub(crate) said: Vec<u8>,
    /// How many requests about a node's words are refused before they are answered.
    pub(crate) deaf: usize,
    pub(crate) up: Vec<u8>,
    pub(crate) up_ended: bool,
    pub(crate) down: Vec<u8>,
    pub(crate) down_ended: bool,
    /// A piece larger than this is refused.
    pub(crate) max_piece: usize,
    /// The bytes of the next file are thrown away when it is whole, as if they were not those announced.
    pub(crate) spoil: bool,
}

impl Memory {
    fn step(&mut self, event: Event) {
        let now = Time(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0));
        for action in self.lab.step(event, now) {
            if let Action::FinishJob { job, verdict, .. } = action {
                self.verdicts.insert(job, verdict);
            }
        }
    }

    pub(crate) fn log(&self, job: i64, fence: u64) -> String {
        let bytes = self.logs.get(&job_ref(job, fence)).cloned().unwrap_or_default();
        String::from_utf8(bytes).expect("the scripts write text")
    }

    pub(crate) fn state(&self, job: i64) -> Option<JobState> {
        self.lab.job(JobId(job)).map(|job| job.state)
    }
}

pub(crate) fn job_ref(job: i64, fence: u64) -> JobRef {
    JobRef { job: JobId(job), fence: Fence(fence) }
}

/// What a handler and the tests share.
struct Shared {
    memory: Mutex<Memory>,
    changed: Condvar,
    cut: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server.
pub(crate) struct Server {
    shared: Arc<Shared>,
    http: FakeServer,
}

impl Server {
    /// A lab with one device `d1` of type `qemu` on worker `w1`.
    pub(crate) fn start(lease: Duration) -> Self {
        let policy = Policy {
            lease,
            margin: lease / 4,
            offline_after: lease,
            stall: Duration::from_secs(3_600),
            ..Policy::default()
        };
        let mut memory = Memory {
            lab: Lab::new(policy, Time(0)),
            began: Instant::now(),
            lease,
            hold: lease / 3,
            logs: BTreeMap::new(),
            files: BTreeMap::new(),
            finished: BTreeMap::new(),
            returned: Vec::new(),
            verdicts: BTreeMap::new(),
            not_ready: None,
            channels: Vec::new(),
            are_nodes: false,
            heard: Vec::new(),
            said: Vec::new(),
            deaf: 0,
            up: Vec::new(),
            up_ended: false,
            down: Vec::new(),
            down_ended: false,
            max_piece: 1 << 20,
            spoil: false,
        };
        memory.step(Event::PutWorker(WorkerFacts::new("w1")));
        let mut device = Device::new("d1", "qemu", "w1".into());
        device.slots = 8;
        memory.step(Event::PutDevice(device));
        let shared = Arc::new(Shared {
            memory: Mutex::new(memory),
            changed: Condvar::new(),
            cut: AtomicBool::new(false),
        });
        let inside = Arc::clone(&shared);
        let http = FakeServer::start(move |request| {
            if inside.cut.load(Ordering::SeqCst) {
                return None;
            }
            let answer = answer(&inside, request);
            (!inside.cut.load(Ordering::SeqCst)).then_some(answer)
        });
        Self { shared, http }
    }

    pub(crate) fn client(&self) -> WorkerClient {
        let address = Address::parse(&self.http.url(), PlainHttp::Loopback).expect("an address on loopback");
        let options = Options::new(address, Credentials::Bearer("token".to_owned()));
        WorkerClient::new(Connection::new(options).expect("no certificates to read"))
    }

    pub(crate) fn url(&self) -> String {
        self.http.url()
    }

    /// Looks at or changes what the server knows.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        let result = look(&mut self.shared.lock());
        self.shared.changed.notify_all();
        result
    }

    pub(crate) fn step(&self, event: Event) {
        self.with(|memory| memory.step(event));
    }

    pub(crate) fn submit(&self, id: i64) {
        let now = Time(0);
        self.step(Event::Submit(vec![JobRequest::new(JobId(id), "ann", now, "qemu")]));
    }

    /// Cuts the link, or mends it. Requests that wait get no answer.
    pub(crate) fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }

    /// Waits until the job has a verdict, and tells it. Time goes on meanwhile.
    #[track_caller]
    pub(crate) fn verdict(&self, id: i64) -> Verdict {
        crate::world::until(&format!("the verdict of job {id}"), || {
            self.step(Event::Tick);
            self.with(|memory| memory.verdicts.contains_key(&JobId(id)))
        });
        self.with(|memory| memory.verdicts[&JobId(id)])
    }
}

fn refuse(code: ProblemCode, offset: Option<u64>) -> Answer {
    let problem = Problem { offset, ..Problem::new(code, "no") };
    Answer::json(code.status(), &serde_json::to_string(&problem).expect("a problem serialises"))
}

fn say(value: &impl serde::Serialize) -> Answer {
    Answer::json(200, &serde_json::to_string(value).expect("a wire type serialises"))
}

fn read<T: serde::de::DeserializeOwned>(request: &Request) -> T {
    serde_json::from_slice(&request.body).expect("the worker sends what the protocol says")
}

fn answer(shared: &Shared, request: &Request) -> Answer {
    let path = request.path.strip_prefix("/api/worker/v1/").expect("a path of the protocol");
    let words: Vec<_> = path.split('/').collect();
    match (request.method.as_str(), words.as_slice()) {
        ("POST", ["session"]) => session(shared, &read(request)),
        ("POST", ["poll"]) => poll(shared, &read(request)),
        ("POST", ["goodbye"]) => say(&()),
        (_, ["channels", _]) => channel(shared, request),
        (method, ["jobs", id, rest @ ..]) => {
            let id: i64 = id.parse().expect("a job's number");
            job(shared, request, id, method, rest)
        }
        other => panic!("the worker asked {other:?}"),
    }
}

fn session(shared: &Shared, hello: &Hello) -> Answer {
    let mut memory = shared.lock();
    memory.step(Event::WorkerHello { worker: "w1".into(), session: hello.session.clone() });
    let epoch = memory.lab.worker(&"w1".into()).expect("the lab's worker").epoch;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(0);
    let (lease_ms, hold_ms) = (millis(memory.lease), millis(memory.hold));
    say(&Welcome { epoch, protocol: 1, lease_ms, hold_ms, max_piece_bytes: 1 << 20 })
}

fn poll(shared: &Shared, poll: &Poll) -> Answer {
    let mut memory = shared.lock();
    let current = memory.lab.worker(&"w1".into()).expect("the lab's worker").epoch;
    if current != poll.epoch {
        return refuse(ProblemCode::StaleSession, None);
    }
    memory.not_ready.clone_from(&poll.not_ready);
    memory.step(Event::WorkerPolled {
        worker: "w1".into(),
        epoch: poll.epoch,
        sequence: poll.sequence,
        held: poll.held.clone(),
        not_ready: poll.not_ready.clone(),
    });
    let until = Instant::now() + Duration::from_millis(poll.wait_ms);
    loop {
        let mut orders = memory.lab.orders(&"w1".into(), &poll.held);
        orders.channels = memory
            .channels
            .iter()
            .filter(|open| !poll.seen.channels.contains(&open.channel))
            .cloned()
            .collect();
        let news = Orders {
            cancel: orders.cancel.iter().filter(|job| !poll.seen.cancel.contains(job)).copied().collect(),
            ..orders.clone()
        };
        let left = until.saturating_duration_since(Instant::now());
        if !news.is_empty() || left.is_zero() || shared.cut.load(Ordering::SeqCst) {
            return say(&orders);
        }
        memory = shared.changed.wait_timeout(memory, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn job(shared: &Shared, request: &Request, id: i64, method: &str, rest: &[&str]) -> Answer {
    let mut memory = shared.lock();
    let fence = match (method, rest) {
        ("POST", ["started"]) => read::<Started>(request).fence,
        ("POST", ["finish"]) => read::<Finish>(request).fence,
        ("POST", ["return"]) => read::<Return>(request).fence,
        _ => Fence(request.field("fence").and_then(|fence| fence.parse().ok()).expect("a fence")),
    };
    let job = JobRef { job: JobId(id), fence };
    if rest == ["finish"] && memory.finished.contains_key(&job) {
        return say(&serde_json::json!({}));
    }
    if memory.lab.job(job.job).is_none_or(|known| known.fence != fence || known.given.is_none()) {
        return refuse(ProblemCode::StaleFence, None);
    }
    match (method, rest) {
        ("GET", ["package"]) => say(&JobPackage {
            definition: format!("job_name: job {id}\n"),
            device: "device_type: qemu\n".to_owned(),
            dispatcher: String::new(),
            env: "overrides: {FROM_SERVER: 'yes'}\n".to_owned(),
            env_dut: String::new(),
            is_node: memory.are_nodes,
            node_workers: BTreeMap::from([(JobId(id), "w1".into())]),
        }),
        ("POST", ["started"]) => {
            memory.step(Event::JobStarted(job));
            say(&serde_json::json!({}))
        }
        ("GET", ["log"]) => {
            say(&Position { offset: memory.logs.entry(job).or_default().len() as u64, complete: false })
        }
        ("PUT", ["log"]) => {
            let max = memory.max_piece;
            let result = store(memory.logs.entry(job).or_default(), request, max);
            drop(memory);
            shared.changed.notify_all();
            result.map_or_else(|refusal| refusal, |offset| say(&Position { offset, complete: false }))
        }
        (_, ["group"]) if memory.deaf > 0 => {
            memory.deaf -= 1;
            refuse(ProblemCode::Unavailable, None)
        }
        ("PUT", ["group"]) => {
            let max = memory.max_piece;
            let result = store(&mut memory.heard, request, max);
            drop(memory);
            shared.changed.notify_all();
            result.map_or_else(|refusal| refusal, |offset| say(&Position { offset, complete: false }))
        }
        ("GET", ["group"]) => told(shared, memory, request),
        (_, ["files", name]) => file(&mut memory, request, job, name, method),
        ("POST", ["finish"]) => {
            let finish: Finish = read(request);
            let have = memory.logs.get(&job).map_or(0, |log| log.len() as u64);
            let whole = |file: &pumice_api::worker::JobFile| {
                memory.files.get(&(job, file.name.clone())).is_some_and(|stored| stored.complete)
            };
            if have < finish.log_bytes || !finish.files.iter().all(whole) {
                return refuse(ProblemCode::Unfinished, None);
            }
            let outcome = finish.outcome.clone();
            memory.finished.insert(job, finish);
            let lost = outcome.failure.as_ref().is_some_and(|failure| failure.cause == Cause::LeaseLost);
            let fault = outcome.failure.map(|failure| failure.fault);
            memory.step(if lost {
                Event::JobLost(job)
            } else {
                Event::JobFinished { job, verdict: outcome.verdict, fault }
            });
            say(&serde_json::json!({}))
        }
        ("POST", ["return"]) => {
            memory.returned.push((job, read(request)));
            memory.step(Event::JobReturned(job));
            say(&serde_json::json!({}))
        }
        other => panic!("the worker asked {other:?}"),
    }
}

/// Waits until a node is told something, as the server does.
fn told(shared: &Shared, mut memory: MutexGuard<'_, Memory>, request: &Request) -> Answer {
    let offset: usize = request.field("offset").and_then(|offset| offset.parse().ok()).expect("an offset");
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // One byte at a time: a line may be cut anywhere.
        let body: Vec<u8> = memory.said.get(offset..).unwrap_or_default().iter().take(1).copied().collect();
        if !body.is_empty() || left.is_zero() {
            return Answer { status: 200, headers: Vec::new(), body };
        }
        memory = shared.changed.wait_timeout(memory, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Appends what is new of a piece.
fn store(bytes: &mut Vec<u8>, request: &Request, max: usize) -> Result<u64, Answer> {
    let offset: usize = request.field("offset").and_then(|offset| offset.parse().ok()).expect("an offset");
    if request.body.len() > max {
        return Err(refuse(ProblemCode::TooLarge, None));
    }
    if offset > bytes.len() {
        return Err(refuse(ProblemCode::OffsetGap, Some(bytes.len() as u64)));
    }
    let known = (bytes.len() - offset).min(request.body.len());
    bytes.extend_from_slice(&request.body[known..]);
    Ok(bytes.len() as u64)
}

fn file(memory: &mut Memory, request: &Request, job: JobRef, name: &str, method: &str) -> Answer {
    let size: u64 = request.field("size").and_then(|size| size.parse().ok()).expect("a size");
    let announced = request.field("sha256").expect("a digest").to_owned();
    let (max, spoil) = (memory.max_piece, memory.spoil);
    let stored = memory.files.entry((job, name.to_owned())).or_default();
    if method == "PUT" {
        if let Err(refusal) = store(&mut stored.bytes, request, max) {
            return refusal;
        }
        if stored.bytes.len() as u64 == size {
            let bytes: Vec<_> =
                Sha256::digest(&stored.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            let digest = bytes.concat();
            if digest != announced || spoil {
                stored.bytes.clear();
                memory.spoil = false;
                return refuse(ProblemCode::DigestMismatch, None);
            }
            stored.complete = true;
        }
    }
    say(&Position { offset: stored.bytes.len() as u64, complete: stored.complete })
}

fn channel(shared: &Shared, request: &Request) -> Answer {
    let mut memory = shared.lock();
    let offset: usize = request.field("offset").and_then(|offset| offset.parse().ok()).expect("an offset");
    if request.method == "PUT" {
        let max = memory.max_piece;
        if let Err(refusal) = store(&mut memory.up, request, max) {
            return refusal;
        }
        memory.up_ended |= request.field("end") == Some("true");
        return say(&Position { offset: memory.up.len() as u64, complete: false });
    }
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let bytes = memory.down.get(offset..).unwrap_or_default().to_vec();
        let ended = memory.down_ended;
        if !bytes.is_empty() || ended || left.is_zero() {
            return Answer {
                status: 200,
                headers: vec![("pumice-channel-end", ended.to_string())],
                body: bytes,
            };
        }
        memory = shared.changed.wait_timeout(memory, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}
