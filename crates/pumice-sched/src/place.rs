//! Finding places for one entry: a job, or all members of a group or none.

use pumice_types::{JobId, WorkerName};

use crate::{
    Job, Lab,
    room::{Placed, Room},
};

/// How many tries a group gets. Groups are small and their members alike, so that this is only reached when there is no
/// place, or hardly one.
const BUDGET: u32 = 10_000;

/// Finds places for all of `jobs` and takes them out of `room`; leaves `room` as it was when there are not enough.
pub(crate) fn place<'a>(lab: &'a Lab, room: &mut Room<'a>, jobs: &[&'a Job]) -> Option<Vec<(JobId, Placed)>> {
    if !room.seats_fit(jobs) {
        return None;
    }
    let placed = match jobs {
        [job] if job.request.member().is_none() => vec![(job.id(), first_fit(lab, room, job)?)],
        _ => {
            let search = Search::new(lab, room, jobs)?;
            // Together where that can be: the machines of one worker share a network.
            search.on_one_worker(room, jobs).or_else(|| search.run(room, jobs))?
        }
    };
    for (id, place) in &placed {
        let Some(job) = jobs.iter().find(|job| job.id() == *id) else { continue };
        room.charge(job, &place.worker);
        if let Some(device) = &place.device {
            room.remove_spot(&job.request.device_type, device);
        }
    }
    Some(placed)
}

fn first_fit(lab: &Lab, room: &Room<'_>, job: &Job) -> Option<Placed> {
    let spots = room.spots.get(job.request.device_type.as_str())?;
    let spot = spots.iter().find(|s| Room::suits(lab, job, s.device) && room.worker_fits(job, s.worker))?;
    Some(Placed { worker: spot.worker.clone(), device: Some(spot.device.name.clone()) })
}

/// A member that needs a device, and the spots that suit it (indices into the spots of its type).
#[derive(Clone)]
struct Candidates<'a> {
    job: &'a Job,
    spots: Vec<usize>,
    /// Whether it is like the member before it, so that trying both orders is a waste.
    like_previous: bool,
}

/// A depth-first search: the member with the fewest candidates first.
struct Search<'a> {
    members: Vec<Candidates<'a>>,
}

impl<'a> Search<'a> {
    /// `None` when some member has no candidate, or alike ones have too few.
    fn new(lab: &'a Lab, room: &Room<'a>, jobs: &[&'a Job]) -> Option<Self> {
        let mut members = Vec::new();
        for job in jobs {
            if job.request.member().is_some_and(|member| member.beside.is_some()) {
                continue;
            }
            let all = room.spots.get(job.request.device_type.as_str())?;
            let suits = |index: &usize| {
                let spot = &all[*index];
                Room::suits(lab, job, spot.device) && room.worker_fits(job, spot.worker)
            };
            let spots: Vec<_> = (0..all.len()).filter(suits).collect();
            members.push(Candidates { job, spots, like_previous: false });
        }
        members.sort_by_key(|member| {
            let request = &member.job.request;
            (
                member.spots.len(),
                request.device_type.clone(),
                std::cmp::Reverse(request.size),
                member.job.id(),
            )
        });
        Self::of(members)
    }

    /// `None` when some member has no candidate, or alike ones have too few. Those that are alike stand side by side.
    fn of(mut members: Vec<Candidates<'a>>) -> Option<Self> {
        let mut alike = 0;
        for at in 1..members.len() {
            let (before, rest) = members.split_at_mut(at);
            let (previous, member) = (&before[at - 1], &mut rest[0]);
            let (a, b) = (&previous.job.request, &member.job.request);
            member.like_previous =
                a.device_type == b.device_type && a.size == b.size && previous.spots == member.spots;
            alike = if member.like_previous { alike + 1 } else { 0 };
            if alike >= member.spots.len() {
                return None;
            }
        }
        members.iter().all(|member| !member.spots.is_empty()).then_some(Self { members })
    }

    /// Places for all of them on one worker: that of the first spot which has room for all.
    fn on_one_worker(&self, room: &mut Room<'a>, jobs: &[&'a Job]) -> Option<Vec<(JobId, Placed)>> {
        let first = self.members.first()?;
        let mut tried: Vec<&WorkerName> = Vec::new();
        for spot in &first.spots {
            let worker = room.spots[first.job.request.device_type.as_str()][*spot].worker;
            if tried.contains(&worker) {
                continue;
            }
            tried.push(worker);
            let mut members = self.members.clone();
            for member in &mut members {
                let spots = &room.spots[member.job.request.device_type.as_str()];
                member.spots.retain(|spot| spots[*spot].worker == worker);
            }
            if let Some(places) = Self::of(members).and_then(|search| search.run(room, jobs)) {
                return Some(places);
            }
        }
        None
    }

    fn run(&self, room: &mut Room<'a>, jobs: &[&'a Job]) -> Option<Vec<(JobId, Placed)>> {
        let mut chosen = Vec::with_capacity(self.members.len());
        let found = self.descend(room, jobs, &mut chosen, &mut { BUDGET });
        let mut placed = Vec::with_capacity(jobs.len());
        for (member, spot) in self.members.iter().zip(&chosen) {
            let spot = room.spots[member.job.request.device_type.as_str()][*spot];
            let place = Placed { worker: spot.worker.clone(), device: Some(spot.device.name.clone()) };
            placed.push((member.job.id(), place));
        }
        if found {
            placed.extend(Self::beside(jobs, &placed));
        }
        // The search charged workers to see what fits; whoever accepts the places charges them for good.
        for (id, place) in &placed {
            if let Some(job) = jobs.iter().find(|job| job.id() == *id) {
                room.charge_worker(job, &place.worker, -1);
            }
        }
        found.then_some(placed)
    }

    /// Members that run beside another one go where that one went.
    fn beside(jobs: &[&'a Job], placed: &[(JobId, Placed)]) -> Vec<(JobId, Placed)> {
        let mut beside = Vec::new();
        for job in jobs {
            let Some(host) = job.request.member().and_then(|member| member.beside) else { continue };
            if let Some((_, place)) = placed.iter().find(|(id, _)| *id == host) {
                beside.push((job.id(), Placed { worker: place.worker.clone(), device: None }));
            }
        }
        beside
    }

    fn descend(
        &self,
        room: &mut Room<'a>,
        jobs: &[&'a Job],
        chosen: &mut Vec<usize>,
        budget: &mut u32,
    ) -> bool {
        let depth = chosen.len();
        if depth == self.members.len() {
            return self.charge_beside(room, jobs, chosen);
        }
        let job = self.members[depth].job;
        let device_type = job.request.device_type.as_str();
        let least = match chosen.last() {
            Some(last) if self.members[depth].like_previous => *last + 1,
            _ => 0,
        };
        for candidate in 0..self.members[depth].spots.len() {
            let index = self.members[depth].spots[candidate];
            let taken = || {
                (0..depth)
                    .any(|at| chosen[at] == index && self.members[at].job.request.device_type == device_type)
            };
            if index < least || taken() {
                continue;
            }
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            let worker = room.spots[device_type][index].worker;
            if !room.worker_fits(job, worker) {
                continue;
            }
            room.charge_worker(job, worker, 1);
            chosen.push(index);
            if self.descend(room, jobs, chosen, budget) {
                return true;
            }
            chosen.pop();
            room.charge_worker(job, worker, -1);
        }
        false
    }

    /// The last level: members beside others must fit too. Leaves nothing charged when they do not.
    fn charge_beside(&self, room: &mut Room<'a>, jobs: &[&'a Job], chosen: &[usize]) -> bool {
        let mut charged: Vec<(&Job, WorkerName)> = Vec::new();
        for job in jobs {
            let Some(host) = job.request.member().and_then(|member| member.beside) else { continue };
            let worker = self.members.iter().zip(chosen).find(|(member, _)| member.job.id() == host).map(
                |(member, spot)| room.spots[member.job.request.device_type.as_str()][*spot].worker.clone(),
            );
            match worker {
                Some(worker) if room.worker_fits(job, &worker) => {
                    room.charge_worker(job, &worker, 1);
                    charged.push((job, worker));
                }
                _ => {
                    for (job, worker) in charged {
                        room.charge_worker(job, &worker, -1);
                    }
                    return false;
                }
            }
        }
        true
    }
}
