//! One pass over the queue: who gets what is free.
//!
//! Entries are tried in order. One that does not fit is passed over, so that nothing idles for it, until it has waited
//! for [`crate::Policy::claim_after`]; then it *claims*: what it needs is set aside, as far as it is free, and nobody behind it gets that. Claims
//! are worked out anew in each pass in the order of the queue and are never held, so two entries cannot wait for each
//! other's, and the first one always comes to its end. Only groups, and jobs short of cores, memory or seats, need to
//! claim; anybody else simply is the first to take the next device that suits.

use pumice_types::JobId;

use crate::{
    Action, Job, Lab,
    place::place,
    queue::{Entry, Merge},
    room::{Placed, Room},
    shape::Shape,
};

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
    /// Of each shape, how many entries are still to be tried: none once one of them found no place, because the
    /// room only shrinks during a pass.
    left: Vec<usize>,
    /// The sum of `left`: with none, nothing more can be given.
    useful: usize,
    placed: Vec<(JobId, Placed)>,
}

impl<'a> Pass<'a> {
    fn new(lab: &'a Lab) -> Self {
        let room = Room::free(lab);
        let shapes = lab.queue().shapes().all();
        let left: Vec<_> =
            shapes.iter().map(|shape| if is_open(&room, shape) { shape.count } else { 0 }).collect();
        let useful = left.iter().sum();
        let claims = lab.policy().claims;
        Self { lab, room, potential: None, claims, left, useful, placed: Vec::new() }
    }

    fn run(mut self) -> Vec<(JobId, Placed)> {
        if self.useful > 0 {
            let mut merge = self.lab.queue().merge(|submitter| self.lab.usage(submitter));
            while self.useful > 0
                && let Some((submitter, entry)) = merge.next()
            {
                if self.left[entry.shape] > 0 {
                    self.visit(&mut merge, submitter, entry);
                }
            }
        }
        self.placed
    }

    fn visit(&mut self, merge: &mut Merge<'_>, submitter: usize, entry: &Entry) {
        self.left[entry.shape] -= 1;
        self.useful -= 1;
        let jobs: Vec<&'a Job> = entry.jobs.iter().filter_map(|id| self.lab.job(*id)).collect();
        if let Some(places) = place(self.lab, &mut self.room, &jobs) {
            merge.charge(submitter, places.len());
            self.placed.extend(places);
        } else {
            // What keeps only this job from a worker says nothing about others of its shape.
            if !jobs.iter().any(|job| job.avoid.is_some()) {
                self.useful -= std::mem::take(&mut self.left[entry.shape]);
            }
            self.claim(entry, &jobs);
        }
        self.close(entry);
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
    }

    /// Whether a device is free for `job`, so that it waits for cores, memory, a job limit or seats.
    fn lacks_more_than_a_device(&self, job: &Job) -> bool {
        self.room
            .spots
            .get(job.request.device_type.as_str())
            .is_some_and(|spots| spots.iter().any(|spot| Room::suits(self.lab, job, spot.device)))
    }

    /// Forgets the shapes for which nothing is free since `entry` took or claimed something.
    fn close(&mut self, entry: &Entry) {
        let shapes = self.lab.queue().shapes().all();
        let has_spots = |device_type: &String| self.room.spots.contains_key(device_type.as_str());
        if shapes[entry.shape].types.iter().all(has_spots) {
            return;
        }
        for (left, shape) in self.left.iter_mut().zip(shapes) {
            if *left > 0 && !is_open(&self.room, shape) {
                self.useful -= std::mem::take(left);
            }
        }
    }
}

/// Whether anything is free of what the shape needs. A group may claim it though it lacks the rest.
fn is_open(room: &Room<'_>, shape: &Shape) -> bool {
    shape.types.iter().any(|device_type| room.spots.contains_key(device_type.as_str()))
}
