//! A lab under simulated time: the scheduler, a server around it, workers as the protocol says they are, and a network,
//! with everything going wrong that may. A seed fixes all of it.
//!
//! Promises that are checked after every step: no job runs twice at once; no device, seat, core or place is used
//! beyond what there is; groups are given whole or not; a job ends once; the books are in order.
//! And in the end, with nothing going wrong any more: every job has ended, and nothing is lent.

mod agent;
mod load;
mod message;
mod random;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use pumice_sched::{DeviceHealth, Event, JobKind, JobRequest, Record};
use pumice_types::{JobId, WorkerName};

use agent::Agent;
use message::{Answer, Request};
use random::Random;
use server::Server;

/// The true time between two looks at the world, in milliseconds.
const STEP: u64 = 200;
/// Until when things go wrong.
const TROUBLE: u64 = 600_000;
/// By when everything must have ended.
const END: u64 = TROUBLE + 4 * 3_600_000;

/// Something on its way through the network.
enum Letter {
    ToServer { from: WorkerName, sent: u64, request: Request },
    ToWorker { to: WorkerName, answer: Answer },
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Jobs submitted.
    pub(crate) jobs: usize,
    /// Steps of the scheduler.
    pub(crate) steps: u64,
}

struct World {
    random: Random,
    now: u64,
    record: Record,
    requests: BTreeMap<JobId, JobRequest>,
    server: Server,
    server_back: u64,
    agents: BTreeMap<WorkerName, Agent>,
    agent_back: BTreeMap<WorkerName, u64>,
    cut_until: BTreeMap<WorkerName, u64>,
    letters: BTreeMap<(u64, u64), Letter>,
    posted: u64,
    checks: i64,
    /// How many of 100 letters are lost, and how many of 100 looks bring something that goes wrong.
    loss: u64,
    trouble: u64,
}

/// Runs the lab that `seed` describes; the error says which promise was broken, and when.
pub(crate) fn simulate(seed: u64) -> Result<Report, String> {
    let mut random = Random::new(seed);
    let record = load::lab(&mut random);
    let (loss, trouble) = (*random.pick(&[0, 2, 5, 25]), random.between(0, 4));
    let work = load::work(&record, TROUBLE, &mut random);
    let agents: BTreeMap<_, _> =
        record.workers.iter().map(|(facts, _)| (facts.name.clone(), Agent::new(&mut random))).collect();
    let mut world = World {
        random,
        now: 0,
        server: Server::new(record.clone()),
        record,
        requests: work.iter().flat_map(|(_, jobs)| jobs).map(|job| (job.id, job.clone())).collect(),
        server_back: 0,
        agents,
        agent_back: BTreeMap::new(),
        cut_until: BTreeMap::new(),
        letters: BTreeMap::new(),
        posted: 0,
        checks: 1_000_000,
        loss,
        trouble,
    };
    let jobs = world.requests.len();
    world.run(work).map_err(|broken| format!("after {} ms: {broken}", world.now))?;
    Ok(Report { jobs, steps: world.server.steps })
}

impl World {
    fn run(&mut self, work: Vec<(u64, Vec<JobRequest>)>) -> Result<(), String> {
        let mut work = std::collections::VecDeque::from(work);
        let all: BTreeSet<_> = self.requests.keys().copied().collect();
        while self.now < END {
            if self.now < TROUBLE {
                self.trouble()?;
            } else if self.now == TROUBLE {
                self.heal()?;
            } else if self.now.is_multiple_of(60_000) {
                self.repair()?;
            }
            while let Some((at, jobs)) = work.front()
                && *at <= self.now
            {
                if !self.server.submit(self.now, jobs)? {
                    break;
                }
                work.pop_front();
            }
            self.beat()?;
            self.watch()?;
            if work.is_empty() && self.now > TROUBLE && self.is_quiet(&all) {
                return Ok(());
            }
            self.now += STEP;
        }
        Err(self.stuck(&all))
    }

    /// Whether every job has ended, and no worker has anything left.
    fn is_quiet(&self, all: &BTreeSet<JobId>) -> bool {
        all.iter().all(|job| self.server.verdicts.contains_key(job))
            && self.agents.values().all(|agent| agent.ledger.is_empty())
            && self.server.lab.as_ref().is_some_and(|lab| lab.jobs().all(|job| job.given.is_none()))
    }

    fn stuck(&self, all: &BTreeSet<JobId>) -> String {
        let open: Vec<_> = all.iter().filter(|job| !self.server.verdicts.contains_key(job)).collect();
        let why = |job: &JobId| self.server.lab.as_ref().and_then(|lab| lab.why(*job));
        format!("jobs {open:?} never ended; the first waits for {:?}", open.first().and_then(|job| why(job)))
    }

    /// One look at everybody.
    fn beat(&mut self) -> Result<(), String> {
        if self.server.lab.is_none() && self.now >= self.server_back {
            self.server.start(self.now);
        }
        if self.now.is_multiple_of(1_000) {
            self.server.step(self.now, Event::Tick)?;
            self.submit_checks()?;
        }
        self.deliver()?;
        let mut out = Vec::new();
        for (name, agent) in &mut self.agents {
            agent.keep(self.now);
            if agent.is_up {
                let requests = agent.act(self.now, &mut self.random);
                out.extend(requests.into_iter().map(|(sent, request)| (name.clone(), sent, request)));
            } else if self.agent_back.get(name).is_none_or(|back| self.now >= *back) {
                agent.start(self.now, &mut self.random);
            }
        }
        for (from, sent, request) in out {
            self.post(&from.clone(), &|| Letter::ToServer {
                from: from.clone(),
                sent,
                request: request.clone(),
            });
        }
        for (to, answer) in self.server.answers(self.now) {
            self.post(&to.clone(), &|| Letter::ToWorker { to: to.clone(), answer: answer.clone() });
        }
        Ok(())
    }

    /// Puts a letter on its way, or loses it, or doubles it. Letters overtake each other.
    fn post(&mut self, worker: &WorkerName, letter: &dyn Fn() -> Letter) {
        let is_trouble = self.now < TROUBLE;
        if is_trouble && self.random.chance(self.loss) || self.is_cut(worker) {
            return;
        }
        let copies = if is_trouble && self.random.chance(3) { 2 } else { 1 };
        for _ in 0..copies {
            let slow = is_trouble && self.random.chance(2);
            let delay = if slow { self.random.between(1_000, 90_000) } else { self.random.between(1, 300) };
            self.posted += 1;
            self.letters.insert((self.now + delay, self.posted), letter());
        }
    }

    fn is_cut(&self, worker: &WorkerName) -> bool {
        self.cut_until.get(worker).is_some_and(|until| self.now < *until)
    }

    fn deliver(&mut self) -> Result<(), String> {
        while let Some(entry) = self.letters.first_entry()
            && entry.key().0 <= self.now
        {
            match entry.remove() {
                Letter::ToServer { from, sent, request } => {
                    if self.is_cut(&from) {
                        continue;
                    }
                    let crashes = self.now < TROUBLE;
                    let answers =
                        self.server.hear(self.now, &from, sent, request, &mut self.random, crashes)?;
                    if self.server.lab.is_none() {
                        self.server_back = self.now + self.random.between(1_000, 100_000);
                    }
                    for answer in answers {
                        self.post(&from.clone(), &|| Letter::ToWorker {
                            to: from.clone(),
                            answer: answer.clone(),
                        });
                    }
                }
                Letter::ToWorker { to, answer } => self.hand_over(&to, answer),
            }
        }
        Ok(())
    }

    fn hand_over(&mut self, to: &WorkerName, answer: Answer) {
        if self.is_cut(to) {
            return;
        }
        let lab = self.server.lab.as_ref();
        let device = |job: pumice_api::worker::JobRef| lab?.job(job.job)?.given.as_ref()?.device.clone();
        let Some(agent) = self.agents.get_mut(to).filter(|agent| agent.is_up) else { return };
        let requests = agent.hear(self.now, answer, device, &mut self.random);
        for (sent, request) in requests {
            self.post(to, &|| Letter::ToServer { from: to.clone(), sent, request: request.clone() });
        }
    }

    fn submit_checks(&mut self) -> Result<(), String> {
        for device in std::mem::take(&mut self.server.checks) {
            if self.now < TROUBLE && self.random.chance(10) {
                continue;
            }
            let Some(found) = self.record.devices.iter().find(|known| known.name == device) else { continue };
            self.checks += 1;
            let clock = self.server.clock(self.now);
            let mut job =
                JobRequest::new(JobId(self.checks), "lava-health", clock, found.device_type.clone());
            job.kind = JobKind::HealthCheck;
            job.device = Some(device);
            self.requests.insert(job.id, job.clone());
            self.server.submit(self.now, &[job])?;
        }
        Ok(())
    }

    /// Something goes wrong, perhaps.
    fn trouble(&mut self) -> Result<(), String> {
        if !self.random.chance(self.trouble) {
            return Ok(());
        }
        let names: Vec<_> = self.agents.keys().cloned().collect();
        let name = self.random.pick(&names).clone();
        let back = self.now + self.random.between(500, 200_000);
        let Some(agent) = self.agents.get_mut(&name) else { return Ok(()) };
        match self.random.between(0, 11) {
            0 | 1 => {
                self.cut_until.insert(name, back);
            }
            2 | 3 => {
                agent.crash();
                self.agent_back.insert(name, back);
            }
            4 => {
                agent.power_cut();
                self.agent_back.insert(name, back);
            }
            5 => agent.kill_one(&mut self.random),
            6 => agent.not_ready = !agent.not_ready,
            7 => {
                if self.server.lab.is_some() {
                    self.server.crash();
                    self.server_back = back.min(self.now + 100_000);
                }
            }
            8 => self.server.ahead += self.random.between(10_000, 3_600_000),
            9 => self.server.ahead -= self.random.between(0, 30_000).min(self.server.ahead),
            10 => {
                let jobs: Vec<_> = self.requests.keys().copied().collect();
                let job = *self.random.pick(&jobs);
                self.server.step(self.now, Event::Cancel(job))?;
            }
            _ => {
                let device = self.random.pick(&self.record.devices).name.clone();
                let health = *self.random.pick(&[
                    DeviceHealth::Maintenance,
                    DeviceHealth::Unknown,
                    DeviceHealth::Looping,
                    DeviceHealth::Good,
                ]);
                self.server.step(self.now, Event::SetDeviceHealth(device, health))?;
            }
        }
        Ok(())
    }

    /// Nothing goes wrong from here on, and people have mended what was broken.
    fn heal(&mut self) -> Result<(), String> {
        self.cut_until.clear();
        self.agent_back.clear();
        for agent in self.agents.values_mut() {
            agent.not_ready = false;
        }
        if self.server.lab.is_none() {
            self.server.start(self.now);
        }
        let types = self.record.types.keys().cloned().collect::<Vec<_>>();
        for name in types {
            self.server.step(self.now, Event::PutDeviceType(name, pumice_sched::DeviceType::default()))?;
        }
        self.repair()
    }

    /// People look after the devices.
    fn repair(&mut self) -> Result<(), String> {
        for device in &self.record.devices {
            self.server.step(self.now, Event::SetDeviceHealth(device.name.clone(), DeviceHealth::Good))?;
        }
        Ok(())
    }

    /// Whether what runs may run.
    fn watch(&self) -> Result<(), String> {
        let mut running: BTreeMap<JobId, &WorkerName> = BTreeMap::new();
        let mut devices: BTreeMap<&pumice_types::DeviceName, u32> = BTreeMap::new();
        let mut seats = 0;
        for (name, agent) in &self.agents {
            let (mut cores, mut count) = (0, 0);
            for (job, kept) in agent.ledger.iter().filter(|(_, kept)| kept.alive) {
                if let Some(other) = running.insert(job.job, name) {
                    return Err(format!("job {} runs on {other} and on {name}", job.job));
                }
                if let Some(verdict) = self.server.verdicts.get(&job.job) {
                    return Err(format!("job {} runs on {name} and has ended {verdict:?}", job.job));
                }
                if let Some(device) = &kept.device {
                    *devices.entry(device).or_default() += 1;
                }
                let Some(request) = self.requests.get(&job.job) else { continue };
                seats += request.licences.get("fm").copied().unwrap_or(0);
                cores += request.size.cores;
                count += 1;
            }
            let facts = self.record.workers.iter().map(|(facts, _)| facts).find(|facts| facts.name == *name);
            let Some(facts) = facts else { continue };
            if facts.capacity.is_some_and(|size| cores > size.cores)
                || facts.job_limit.is_some_and(|most| count > most)
            {
                return Err(format!("worker {name} runs {count} jobs on {cores} cores"));
            }
        }
        if seats > self.record.licences["fm"] {
            return Err(format!("{seats} seats are in use"));
        }
        for device in &self.record.devices {
            if devices.get(&device.name).is_some_and(|used| *used > device.slots) {
                return Err(format!("device {} is used more than {} times", device.name, device.slots));
            }
        }
        Ok(())
    }
}
