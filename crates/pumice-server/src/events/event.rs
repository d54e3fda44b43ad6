//! One thing that happened, in LAVA's form: `[topic, uuid, time, user, data]`.

use pumice_db::{Device, Job, JobHealthWord, JobStateWord, Timestamp, Viewer, Worker};
use serde_json::{Map, Value, json};

/// What every topic begins with, as in LAVA's default settings.
const TOPIC: &str = "org.lavasoftware";

/// Who may learn of it.
#[derive(Clone, Debug)]
pub(crate) enum Audience {
    /// Whoever sees the device.
    Device { hostname: String, device_type: String },
    /// Whoever sees the job.
    Job { job: Box<Job>, viewing_groups: Vec<i64> },
    /// Everybody.
    Everybody,
}

impl Audience {
    /// Whoever sees `job`. Thousands of events are kept, so that the job's long texts, which nobody needs to tell who
    /// that is, are left out.
    fn of_job(job: &Job, viewing_groups: Vec<i64>) -> Self {
        let mut job = job.clone();
        for text in [&mut job.request, &mut job.metadata, &mut job.description] {
            *text = String::new();
        }
        for text in [&mut job.failure, &mut job.error_msg, &mut job.failure_comment] {
            *text = None;
        }
        Self::Job { job: Box::new(job), viewing_groups }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Its place in the stream of this server, from 1.
    pub(crate) sequence: u64,
    /// `testjob`, `device`, `worker` or `event`.
    pub(crate) kind: &'static str,
    /// A name of its own.
    pub(crate) uuid: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Who did it.
    pub(crate) username: String,
    /// What.
    pub(crate) data: Value,
    /// Who may learn of it.
    pub(crate) audience: Audience,
}

impl Event {
    pub(crate) fn topic(&self) -> String {
        format!("{TOPIC}.{}", self.kind)
    }

    /// LAVA's form; the data is JSON inside a string.
    pub(crate) fn frame(&self) -> Value {
        json!([self.topic(), self.uuid, self.at.python_iso(), self.username, self.data.to_string()])
    }

    pub(crate) fn is_for(&self, viewer: &Viewer) -> bool {
        match &self.audience {
            Audience::Everybody => true,
            Audience::Device { hostname, device_type } => viewer.sees_device(hostname, device_type),
            Audience::Job { job, viewing_groups } => viewer.sees(job, viewing_groups),
        }
    }
}

/// An event that is not numbered yet.
pub(crate) struct Draft {
    pub(crate) kind: &'static str,
    pub(crate) username: String,
    pub(crate) data: Value,
    pub(crate) audience: Audience,
}

/// A job's state changed.
pub(crate) fn job_event(job: &Job, viewing_groups: Vec<i64>) -> Draft {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            data.insert(name.to_owned(), value);
        }
    };
    put("health", json!(JobHealthWord::from(job.state).as_str()));
    put("state", json!(JobStateWord::from(job.state).as_str()));
    put("job", json!(job.id));
    put("description", json!(job.description));
    put("priority", json!(job.priority));
    put("submit_time", json!(job.submit_time.python_iso()));
    put("submitter", json!(job.submitter));
    put("health_check", json!(job.is_health_check));
    put("sub_id", json!(job.sub_id));
    put("device", json!(job.actual_device));
    put("worker", json!(job.worker));
    put("device_type", json!(job.requested_device_type));
    put("start_time", json!(job.start_time.map(Timestamp::python_iso)));
    put("end_time", json!(job.end_time.map(Timestamp::python_iso)));
    Draft {
        kind: "testjob",
        username: job.submitter.clone(),
        data: Value::Object(data),
        audience: Audience::of_job(job, viewing_groups),
    }
}

/// A device's state or health changed.
pub(crate) fn device_event(device: &Device, job: Option<i64>, username: &str) -> Draft {
    let mut data = json!({
        "health": device.health.as_str(),
        "state": device.state.as_str(),
        "device": device.hostname,
        "device_type": device.device_type,
    });
    if let Some(worker) = &device.worker {
        data["worker"] = json!(worker);
    }
    if let Some(job) = job {
        data["job"] = json!(job);
    }
    Draft {
        kind: "device",
        username: username.to_owned(),
        data,
        audience: Audience::Device {
            hostname: device.hostname.clone(),
            device_type: device.device_type.clone(),
        },
    }
}

/// A worker's state or health changed.
pub(crate) fn worker_event(worker: &Worker, username: &str) -> Draft {
    Draft {
        kind: "worker",
        username: username.to_owned(),
        data: json!({
            "hostname": worker.hostname, "health": worker.health.as_str(), "state": worker.state.as_str(),
        }),
        audience: Audience::Everybody,
    }
}

/// A test said something to whoever listens (`lava-test-event`).
pub(crate) fn event_message(job: &Job, viewing_groups: Vec<i64>, message: &str) -> Draft {
    Draft {
        kind: "event",
        username: job.submitter.clone(),
        data: json!({"message": message, "job": job.id}),
        audience: Audience::of_job(job, viewing_groups),
    }
}
