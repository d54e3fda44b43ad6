//! Who waits, in which order.
//!
//! Priority decides first, then fair share between submitters, then age. Fair share changes with every placement, so
//! the queue keeps one line for each submitter of each priority, and a pass merges them ([`Merge`]).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, btree_set},
    time::Duration,
};

use pumice_types::JobId;

use crate::{
    JobKind, JobRequest, Time,
    job::HIGHEST_PRIORITY,
    shape::{ShapeId, Shapes},
};

/// Health checks go before everything: the device waits for them.
const CHECK_LEVEL: i32 = i32::MAX;

/// The place in a submitter's line: age, then number.
type Place = (Time, JobId);

/// The lines of one priority, by submitter.
type Level = BTreeMap<String, BTreeSet<Place>>;

/// A job, or a whole group, that waits.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The jobs; one, or the members of a group.
    pub(crate) jobs: Vec<JobId>,
    /// Who submitted it.
    pub(crate) submitter: String,
    /// When.
    pub(crate) submitted: Time,
    /// Its shape.
    pub(crate) shape: ShapeId,
    level: i32,
    types: Vec<String>,
}

/// All entries, named by their first job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<JobId, Entry>,
    levels: BTreeMap<Reverse<i32>, Level>,
    /// Entries below the highest priority, oldest first.
    low: BTreeSet<Place>,
    /// How many jobs of entries want each device type.
    wanted: BTreeMap<String, usize>,
    shapes: Shapes,
}

impl Queue {
    /// Adds the jobs of one entry: one job, or all of a group.
    pub(crate) fn insert(&mut self, requests: &[&JobRequest]) {
        let Some(first) = requests.iter().min_by_key(|request| request.id) else { return };
        let level = if first.kind == JobKind::HealthCheck {
            CHECK_LEVEL
        } else {
            first.priority.min(HIGHEST_PRIORITY)
        };
        let needs_device =
            |request: &&&JobRequest| request.member().is_none_or(|member| member.beside.is_none());
        let types: Vec<_> =
            requests.iter().filter(needs_device).map(|request| request.device_type.clone()).collect();
        let entry = Entry {
            jobs: requests.iter().map(|request| request.id).collect(),
            submitter: first.submitter.clone(),
            submitted: first.submitted,
            shape: self.shapes.add(requests, &types),
            level,
            types,
        };
        for device_type in &entry.types {
            *self.wanted.entry(device_type.clone()).or_default() += 1;
        }
        self.link(first.id, &entry);
        self.entries.insert(first.id, entry);
    }

    /// Removes the entry that `job` is the first of; nothing when there is none.
    pub(crate) fn remove(&mut self, job: JobId) {
        let Some(entry) = self.entries.remove(&job) else { return };
        self.unlink(job, &entry);
        self.shapes.remove(entry.shape);
        for device_type in &entry.types {
            if let Some(count) = self.wanted.get_mut(device_type) {
                *count -= 1;
                if *count == 0 {
                    self.wanted.remove(device_type);
                }
            }
        }
    }

    /// Moves the entry to another priority.
    pub(crate) fn set_priority(&mut self, job: JobId, priority: i32) {
        let Some(mut entry) = self.entries.remove(&job) else { return };
        self.unlink(job, &entry);
        entry.level = priority.min(HIGHEST_PRIORITY);
        self.link(job, &entry);
        self.entries.insert(job, entry);
    }

    /// Gives the highest priority to what has waited for `after`.
    pub(crate) fn promote(&mut self, now: Time, after: Duration) {
        while let Some(&(submitted, job)) = self.low.first()
            && submitted + after <= now
        {
            self.set_priority(job, HIGHEST_PRIORITY);
        }
    }

    fn link(&mut self, job: JobId, entry: &Entry) {
        let place = (entry.submitted, job);
        let level = self.levels.entry(Reverse(entry.level)).or_default();
        level.entry(entry.submitter.clone()).or_default().insert(place);
        if entry.level < HIGHEST_PRIORITY {
            self.low.insert(place);
        }
    }

    fn unlink(&mut self, job: JobId, entry: &Entry) {
        let place = (entry.submitted, job);
        self.low.remove(&place);
        let Some(level) = self.levels.get_mut(&Reverse(entry.level)) else { return };
        if let Some(line) = level.get_mut(&entry.submitter) {
            line.remove(&place);
            if line.is_empty() {
                level.remove(&entry.submitter);
            }
        }
        if level.is_empty() {
            self.levels.remove(&Reverse(entry.level));
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many jobs want each device type.
    pub(crate) fn wanted(&self) -> &BTreeMap<String, usize> {
        &self.wanted
    }

    /// The shapes of the entries.
    pub(crate) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// The entry that `job` is the first of.
    pub(crate) fn get(&self, job: JobId) -> Option<&Entry> {
        self.entries.get(&job)
    }

    /// All entries in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &Entry)> {
        self.entries.iter().map(|(job, entry)| (*job, entry))
    }

    /// The device types that the entry wants, one for each of its jobs.
    pub(crate) fn types(entry: &Entry) -> &[String] {
        &entry.types
    }

    /// The priority that the entry is treated with.
    pub(crate) fn level(entry: &Entry) -> i32 {
        entry.level
    }

    /// The entries in order, given what each submitter uses.
    pub(crate) fn merge(&self, usage: impl Fn(&str) -> Usage) -> Merge<'_> {
        let mut merge = Merge { queue: self, lines: Vec::new(), usage: Vec::new(), heads: BinaryHeap::new() };
        let mut submitters = BTreeMap::new();
        for (level, by_submitter) in &self.levels {
            for (submitter, line) in by_submitter {
                let owner = *submitters.entry(submitter.as_str()).or_insert_with(|| {
                    merge.usage.push(usage(submitter));
                    merge.usage.len() - 1
                });
                let mut places = line.iter();
                if let Some(&place) = places.next() {
                    merge.heads.push(Reverse((*level, merge.usage[owner], place, merge.lines.len())));
                    merge.lines.push((owner, places));
                }
            }
        }
        merge
    }
}

/// What a submitter uses: slots held now, then what was used lately.
pub(crate) type Usage = (u32, u64);

/// The first entry of a line that was not walked yet: its priority, what its submitter used when it was put here, its
/// place, and the index of its line.
type Head = (Reverse<i32>, Usage, Place, usize);

/// A walk over the queue in order.
pub(crate) struct Merge<'a> {
    queue: &'a Queue,
    /// Of each line its submitter, an index into `usage`, and what is left of it.
    lines: Vec<(usize, btree_set::Iter<'a, Place>)>,
    usage: Vec<Usage>,
    heads: BinaryHeap<Reverse<Head>>,
}

impl<'a> Merge<'a> {
    /// The next entry, and its submitter for [`Merge::charge`].
    pub(crate) fn next(&mut self) -> Option<(usize, &'a Entry)> {
        loop {
            let Reverse((level, known, place, index)) = self.heads.pop()?;
            let (owner, places) = &mut self.lines[index];
            // Usage only grows during a walk: a head whose key is out of date goes back with the right one.
            let current = self.usage[*owner];
            if current > known {
                self.heads.push(Reverse((level, current, place, index)));
                continue;
            }
            if let Some(&following) = places.next() {
                self.heads.push(Reverse((level, current, following, index)));
            }
            return Some((*owner, self.queue.entries.get(&place.1)?));
        }
    }

    /// The submitter was given so many slots more.
    pub(crate) fn charge(&mut self, submitter: usize, slots: usize) {
        self.usage[submitter].0 += u32::try_from(slots).unwrap_or(u32::MAX);
    }
}
