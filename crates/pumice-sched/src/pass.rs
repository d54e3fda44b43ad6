//! One pass over the queue: who gets what is free.
//!
//! Entries are tried in order. One that does not fit is passed over, so that nothing idles for it, until it has waited
//! for [`crate::Policy::claim_after`]; then it *claims*: what it needs is set aside, as far as it is free, and nobody behind it gets that. Claims
//! are worked out anew in each pass in the order of the queue and are never held, so two entries cannot wait for each
//! other's, and the first one always comes to its end. Only groups, and jobs short of cores, memory or seats, need to
//! claim; anybody else simply is the first to take the next device that suits.

use std::collections::{BTreeMap, HashSet};

use pumice_types::JobId;

use crate::{
    Action, Job, Lab,
    place::place,
    queue::{Entry, Queue, Usage},
    room::{Placed, Room},
};

/// What two jobs have in common that fit the same places.
type Shape<'a> = (
    &'a str,
    &'a std::collections::BTreeSet<String>,
    &'a BTreeMap<String, u32>,
    crate::Size,
    Option<&'a pumice_types::DeviceName>,
    Option<&'a pumice_types::WorkerName>,
    &'a str,
);

impl Lab {
    /// Gives what is free to who waits.
    pub(crate) fn schedule(&mut self, actions: &mut Vec<Action>) {
        if self.queue().is_empty() {
            return;
        }
        self.promote();
        let placed = Pass::new(self).run();
        for (job, place) in placed {
            self.give(job, place, actions);
        }
    }
}

struct Pass<'a> {
    lab: &'a Lab,
    room: Room<'a>,
    potential: Option<Room<'a>>,
    claims: usize,
    /// Shapes that found no place: the room only shrinks during a pass, so the next one of the shape need not try.
    hopeless: HashSet<Shape<'a>>,
    /// Slots given in this pass, by submitter.
    given: BTreeMap<&'a str, u32>,
    /// Of each device type that has free slots, how many jobs are still to be tried.
    open: BTreeMap<&'a str, usize>,
    /// The sum of `open`: with none, nothing more can be given.
    useful: usize,
    placed: Vec<(JobId, Placed)>,
}

impl<'a> Pass<'a> {
    fn new(lab: &'a Lab) -> Self {
        let room = Room::free(lab);
        let wanted = lab.queue().wanted();
        let open: BTreeMap<_, _> =
            room.spots.keys().map(|name| (*name, wanted.get(*name).copied().unwrap_or(0))).collect();
        let useful = open.values().sum();
        Self {
            lab,
            room,
            potential: None,
            claims: lab.policy().claims,
            hopeless: HashSet::new(),
            given: BTreeMap::new(),
            open,
            useful,
            placed: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<(JobId, Placed)> {
        if self.useful == 0 {
            return self.placed;
        }
        let lab = self.lab;
        let usage = |submitter: &str, given: &BTreeMap<&str, u32>| -> Usage {
            let (held, lately) = lab.usage(submitter);
            (held + given.get(submitter).copied().unwrap_or(0), lately)
        };
        let mut merge = lab.queue().merge(|submitter| usage(submitter, &self.given));
        while self.useful > 0
            && let Some((_, entry)) = merge.next(|submitter| usage(submitter, &self.given))
        {
            self.visit(entry);
        }
        self.placed
    }

    fn visit(&mut self, entry: &'a Entry) {
        for device_type in Queue::types(entry) {
            if let Some(left) = self.open.get_mut(device_type.as_str()) {
                *left -= 1;
                self.useful -= 1;
            }
        }
        let jobs: Vec<&'a Job> = entry.jobs.iter().filter_map(|id| self.lab.job(*id)).collect();
        let shape = match jobs.as_slice() {
            [job] => Some(shape(job)),
            _ => None,
        };
        let tried = shape.as_ref().is_some_and(|shape| self.hopeless.contains(shape));
        if !tried && let Some(places) = place(self.lab, &mut self.room, &jobs) {
            *self.given.entry(&entry.submitter).or_default() +=
                u32::try_from(places.len()).unwrap_or(u32::MAX);
            self.placed.extend(places);
            self.close(entry);
            return;
        }
        self.claim(entry, &jobs);
        if let Some(shape) = shape {
            self.hopeless.insert(shape);
        }
    }

    /// Sets aside what `entry` needs, if it has waited long enough and could ever have it.
    fn claim(&mut self, entry: &Entry, jobs: &[&'a Job]) {
        if self.claims == 0 || self.lab.now() < entry.submitted + self.lab.policy().claim_after {
            return;
        }
        let is_group = jobs.iter().any(|job| job.request.member().is_some());
        if !is_group && !jobs.iter().any(|job| self.lacks_more_than_a_device(job)) {
            return;
        }
        let free = &self.room;
        let potential = self.potential.get_or_insert_with(|| Room::potential(self.lab, free));
        let Some(places) = place(self.lab, potential, jobs) else { return };
        self.claims -= 1;
        for (id, place) in places {
            let Some(job) = jobs.iter().find(|job| job.id() == id) else { continue };
            self.room.charge(job, &place.worker);
            if let Some(device) = &place.device {
                self.room.remove_spot(&job.request.device_type, device);
            }
        }
        self.close(entry);
    }

    /// Whether a device is free for `job`, so that it waits for cores, memory, a job limit or seats.
    fn lacks_more_than_a_device(&self, job: &Job) -> bool {
        self.room
            .spots
            .get(job.request.device_type.as_str())
            .is_some_and(|spots| spots.iter().any(|spot| Room::suits(self.lab, job, spot.device)))
    }

    /// Forgets device types of `entry` that have nothing free any more.
    fn close(&mut self, entry: &Entry) {
        for device_type in Queue::types(entry) {
            if !self.room.spots.contains_key(device_type.as_str())
                && let Some(left) = self.open.remove(device_type.as_str())
            {
                self.useful -= left;
            }
        }
    }
}

fn shape(job: &Job) -> Shape<'_> {
    let request = &job.request;
    (
        &request.device_type,
        &request.tags,
        &request.licences,
        request.size,
        request.device.as_ref(),
        request.worker.as_ref(),
        &request.submitter,
    )
}
