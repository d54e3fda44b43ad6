//! Devices: what jobs run on.

use crate::{
    Condition, DbError, DeviceHealth, DeviceState, Listing, ObjectKind, Order, Page, Reader, UnknownField,
    Viewer, Writer, device_type, group,
    query::{self, Field, Kind, Relation, Where, field},
    row::{Row, params},
    tag, user, worker,
};

/// A device.
#[derive(Clone, Debug)]
pub struct Device {
    /// The name, unique.
    pub hostname: String,
    /// Its kind.
    pub device_type: String,
    /// The host that runs it.
    pub worker: Option<String>,
    /// What it does, from the jobs on it.
    pub state: DeviceState,
    /// Whether it may be given jobs.
    pub health: DeviceHealth,
    /// What it is.
    pub description: Option<String>,
    /// Its own version, in words.
    pub device_version: Option<String>,
    /// The name of the user who owns it.
    pub physical_owner: Option<String>,
    /// The name of the group that owns it.
    pub physical_group: Option<String>,
    /// Whether it has a dictionary.
    pub has_dictionary: bool,
    /// The job on it; the oldest when there are several.
    pub current_job: Option<i64>,
    /// Whether that job is a health check.
    pub is_checked: bool,
    /// The last health check.
    pub last_health_job: Option<i64>,
    /// How many jobs at once.
    pub slots: i64,
    /// Whether its worker offered it by itself.
    pub is_offered: bool,
    /// LAVA's "made from a file".
    pub is_synced: bool,
    /// When its last health check was submitted, in the scheduler's milliseconds.
    pub last_check: Option<i64>,
    /// How many jobs ended on it since.
    pub jobs_since_check: i64,
}

/// A device to be added.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// The name.
    pub hostname: String,
    /// Its kind; must exist.
    pub device_type: String,
    /// The host that runs it; must exist.
    pub worker: Option<String>,
    /// Whether it may be given jobs.
    pub health: DeviceHealth,
    /// What it is.
    pub description: Option<String>,
    /// The key of the user who owns it.
    pub physical_owner: Option<i64>,
    /// The key of the group that owns it.
    pub physical_group: Option<i64>,
    /// Its dictionary.
    pub dictionary: Option<String>,
    /// How many jobs at once.
    pub slots: i64,
    /// Whether its worker offered it by itself.
    pub is_offered: bool,
}

/// What to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct DeviceChange {
    /// Its kind.
    pub device_type: Option<String>,
    /// The host that runs it.
    pub worker: Option<String>,
    /// Whether it may be given jobs.
    pub health: Option<DeviceHealth>,
    /// What it is.
    pub description: Option<String>,
    /// Its own version, in words.
    pub device_version: Option<String>,
    /// The key of the user who owns it.
    pub physical_owner: Option<i64>,
    /// The key of the group that owns it.
    pub physical_group: Option<i64>,
    /// How many jobs at once.
    pub slots: Option<i64>,
}

/// What a device does, from the jobs on it.
const STATE: &str = "CASE WHEN EXISTS (SELECT 1 FROM jobs a WHERE a.actual_device = d.hostname \
                       AND a.state IN ('running', 'cancelling')) THEN 'Running' \
                     WHEN EXISTS (SELECT 1 FROM jobs a WHERE a.actual_device = d.hostname \
                       AND a.state = 'scheduled') THEN 'Reserved' ELSE 'Idle' END";

const CURRENT: &str = "(SELECT MIN(a.id) FROM jobs a WHERE a.actual_device = d.hostname \
                       AND a.state IN ('scheduled', 'running', 'cancelling'))";

fn columns() -> String {
    format!(
        "d.hostname, d.device_type, d.worker, {STATE} AS state, d.health, d.description, d.device_version, \
         (SELECT u.username FROM users u WHERE u.id = d.physical_owner) AS owner_name, \
         (SELECT g.name FROM groups g WHERE g.id = d.physical_group) AS group_name, \
         CASE WHEN d.dictionary IS NULL THEN 0 ELSE 1 END AS has_dictionary, {CURRENT} AS current_job, \
         COALESCE((SELECT c.is_health_check FROM jobs c WHERE c.id = {CURRENT}), 0) AS is_checked, \
         d.last_health_job, d.slots, d.is_offered, d.is_synced, d.last_check, d.jobs_since_check FROM devices d"
    )
}

/// What may be asked; the key first.
pub(crate) const FIELDS: &[Field] = &[
    field("hostname", Kind::Text, "d.hostname"),
    field("device_version", Kind::Text, "d.device_version"),
    field("description", Kind::Text, "d.description"),
    field("state", Kind::Word, STATE),
    field("health", Kind::Word, "d.health"),
    field("is_synced", Kind::Flag, "d.is_synced"),
    field("device_type", Kind::Text, "d.device_type"),
    field("worker_host", Kind::Text, "d.worker"),
    field("last_health_report_job", Kind::Int, "d.last_health_job"),
    field("last_health_report_job__id", Kind::Int, "d.last_health_job"),
];

const RELATIONS: &[Relation] = &[
    Relation {
        prefix: "device_type",
        fields: device_type::FIELDS,
        around: "EXISTS (SELECT 1 FROM device_types y WHERE y.name = d.device_type AND $)",
    },
    Relation {
        prefix: "physical_owner",
        fields: user::FIELDS,
        around: "EXISTS (SELECT 1 FROM users u WHERE u.id = d.physical_owner AND $)",
    },
    Relation {
        prefix: "physical_group",
        fields: group::FIELDS,
        around: "EXISTS (SELECT 1 FROM groups g WHERE g.id = d.physical_group AND $)",
    },
    Relation {
        prefix: "tags",
        fields: tag::FIELDS,
        around: "EXISTS (SELECT 1 FROM device_tags dt JOIN tags t ON t.id = dt.tag_id WHERE dt.device = d.hostname AND $)",
    },
    Relation {
        prefix: "worker_host",
        fields: worker::FIELDS,
        around: "EXISTS (SELECT 1 FROM workers w WHERE w.hostname = d.worker AND $)",
    },
];

fn device(row: &Row) -> Result<Device, DbError> {
    Ok(Device {
        hostname: row.text("hostname")?,
        device_type: row.text("device_type")?,
        worker: row.maybe_text("worker")?,
        state: row.word("state")?,
        health: row.word("health")?,
        description: row.maybe_text("description")?,
        device_version: row.maybe_text("device_version")?,
        physical_owner: row.maybe_text("owner_name")?,
        physical_group: row.maybe_text("group_name")?,
        has_dictionary: row.flag("has_dictionary")?,
        current_job: row.maybe_int("current_job")?,
        is_checked: row.flag("is_checked")?,
        last_health_job: row.maybe_int("last_health_job")?,
        slots: row.int("slots")?,
        is_offered: row.flag("is_offered")?,
        is_synced: row.flag("is_synced")?,
        last_check: row.maybe_int("last_check")?,
        jobs_since_check: row.int("jobs_since_check")?,
    })
}

impl Condition {
    /// A condition on devices.
    pub fn on_devices(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::related_condition(FIELDS, RELATIONS, name, value)
    }

    /// Leaves out devices that will not come back.
    pub fn not_retired() -> Self {
        let alive: Vec<_> = DeviceHealth::ALL
            .iter()
            .filter(|health| **health != DeviceHealth::Retired)
            .map(|health| health.as_str())
            .collect();
        // A list of our own words always fits.
        query::condition(FIELDS, "health__in", &alive.join(",")).unwrap_or_else(|_| unreachable!())
    }
}

impl Order {
    /// An order of devices.
    pub fn of_devices(name: &str) -> Option<Self> {
        query::order(FIELDS, name)
    }
}

impl Reader {
    /// The device of this name.
    pub async fn device(&mut self, hostname: &str) -> Result<Option<Device>, DbError> {
        let sql = format!("SELECT {} WHERE d.hostname = $1", columns());
        self.row(sql, params![hostname]).await?.as_ref().map(device).transpose()
    }

    /// Devices the viewer may see that fit all conditions.
    pub async fn devices(
        &mut self,
        viewer: &Viewer,
        conditions: &[Condition],
        orders: &[Order],
        page: Page,
    ) -> Result<Listing<Device>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        viewer.limit_devices(&mut clause);
        let filter = clause.clause();
        let total =
            self.count(format!("SELECT COUNT(*) AS n FROM devices d{filter}"), clause.params.clone()).await?;
        let sql = format!("SELECT {}{filter}{}", columns(), query::tail(orders, "d.hostname", page));
        let rows = self.rows(sql, clause.params).await?.iter().map(device).collect::<Result<_, _>>()?;
        Ok(Listing { total, rows })
    }

    /// A device's dictionary, as it was set.
    pub async fn dictionary(&mut self, hostname: &str) -> Result<Option<String>, DbError> {
        let row = self.row("SELECT dictionary FROM devices WHERE hostname = $1", params![hostname]).await?;
        Ok(row.map(|row| row.maybe_text("dictionary")).transpose()?.flatten())
    }

    /// The names of a device's tags.
    pub async fn device_tags(&mut self, hostname: &str) -> Result<Vec<String>, DbError> {
        self.texts(
            "SELECT t.name FROM tags t JOIN device_tags dt ON dt.tag_id = t.id WHERE dt.device = $1 ORDER BY t.name",
            params![hostname],
        )
        .await
    }

    /// Every pair of a device and one of its tags: for those who want them all at once.
    pub async fn all_device_tags(&mut self) -> Result<Vec<(String, String)>, DbError> {
        let sql = "SELECT dt.device, t.name FROM device_tags dt JOIN tags t ON t.id = dt.tag_id \
                   ORDER BY dt.device, t.name";
        let rows = self.rows(sql, params![]).await?;
        rows.iter().map(|row| Ok((row.text("device")?, row.text("name")?))).collect()
    }
}

impl Writer {
    /// Adds a device.
    pub async fn insert_device(&mut self, new: &NewDevice) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO devices (hostname, device_type, worker, health, description, physical_owner, \
             physical_group, dictionary, slots, is_offered, is_synced, \
             jobs_since_check) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)",
            params![
                &new.hostname,
                &new.device_type,
                &new.worker,
                new.health.as_str(),
                &new.description,
                new.physical_owner,
                new.physical_group,
                &new.dictionary,
                new.slots,
                new.is_offered
            ],
        )
        .await?;
        Ok(())
    }

    /// Changes what is given; `false` when there is no such device.
    pub async fn update_device(&mut self, hostname: &str, change: &DeviceChange) -> Result<bool, DbError> {
        let touched = self
            .execute(
                "UPDATE devices SET device_type = COALESCE($1, device_type), worker = COALESCE($2, worker), \
                 health = COALESCE($3, health), description = COALESCE($4, description), \
                 device_version = COALESCE($5, device_version), physical_owner = COALESCE($6, physical_owner), \
                 physical_group = COALESCE($7, physical_group), slots = COALESCE($8, slots) WHERE hostname = $9",
                params![
                    &change.device_type,
                    &change.worker,
                    change.health.map(DeviceHealth::as_str),
                    &change.description,
                    &change.device_version,
                    change.physical_owner,
                    change.physical_group,
                    change.slots,
                    hostname
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Keeps what the scheduler counts towards the next health check.
    pub async fn set_check_count(
        &mut self,
        hostname: &str,
        last_check: Option<i64>,
        jobs_since_check: i64,
    ) -> Result<(), DbError> {
        let sql = "UPDATE devices SET last_check = $1, jobs_since_check = $2 WHERE hostname = $3";
        self.execute(sql, params![last_check, jobs_since_check, hostname]).await?;
        Ok(())
    }

    /// Notes a device's last health check.
    pub async fn set_last_health_job(&mut self, hostname: &str, job_id: i64) -> Result<(), DbError> {
        let sql = "UPDATE devices SET last_health_job = $1 WHERE hostname = $2";
        self.execute(sql, params![job_id, hostname]).await?;
        Ok(())
    }

    /// Sets or removes the dictionary; `false` when there is no such device.
    pub async fn set_dictionary(&mut self, hostname: &str, text: Option<&str>) -> Result<bool, DbError> {
        let sql = "UPDATE devices SET dictionary = $1 WHERE hostname = $2";
        Ok(self.execute(sql, params![text, hostname]).await? > 0)
    }

    /// Gives a device a tag; no harm when it has it.
    pub async fn tag_device(&mut self, hostname: &str, tag_id: i64) -> Result<(), DbError> {
        let sql = "INSERT INTO device_tags (device, tag_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.execute(sql, params![hostname, tag_id]).await?;
        Ok(())
    }

    /// Takes a tag from a device; `false` when it had not got it.
    pub async fn untag_device(&mut self, hostname: &str, tag_id: i64) -> Result<bool, DbError> {
        let sql = "DELETE FROM device_tags WHERE device = $1 AND tag_id = $2";
        Ok(self.execute(sql, params![hostname, tag_id]).await? > 0)
    }

    /// Removes a device; `false` when there is none.
    pub async fn delete_device(&mut self, hostname: &str) -> Result<bool, DbError> {
        let touched = self.execute("DELETE FROM devices WHERE hostname = $1", params![hostname]).await?;
        self.forget_permissions(ObjectKind::Device, hostname).await?;
        Ok(touched > 0)
    }
}
