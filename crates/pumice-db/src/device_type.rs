//! Kinds of device.

use crate::{
    Condition, DbError, Listing, ObjectKind, Order, Page, Reader, UnknownField, Viewer, Writer,
    query::{self, Field, Kind, Where, field, related},
    row::{Row, params},
};

/// A kind of device.
#[derive(Clone, Debug)]
pub struct DeviceType {
    /// The name, unique.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whether it is listed, and its devices are health-checked.
    pub display: bool,
    /// LAVA's old "owners only"; kept because clients send it.
    pub owners_only: bool,
    /// Whether health checks are off.
    pub health_disabled: bool,
    /// A health check is due after so many hours or jobs.
    pub health_frequency: i64,
    /// `hours` or `jobs`.
    pub health_denominator: String,
    /// The architecture's name.
    pub architecture: Option<String>,
    /// The processor's family.
    pub processor: Option<String>,
    /// The processor's model.
    pub cpu_model: Option<String>,
    /// The width of a word.
    pub bits: Option<i64>,
    /// The names of the cores, separated by commas.
    pub cores: Option<String>,
    /// How many cores.
    pub core_count: Option<i64>,
    /// The Jinja2 template that was set here; `None` for the library's.
    pub template: Option<String>,
    /// The job that checks a device of this kind.
    pub health_check: Option<String>,
}

impl DeviceType {
    /// A type of this name as LAVA makes one.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            display: true,
            owners_only: false,
            health_disabled: false,
            health_frequency: 24,
            health_denominator: "hours".to_owned(),
            architecture: None,
            processor: None,
            cpu_model: None,
            bits: None,
            cores: None,
            core_count: None,
            template: None,
            health_check: None,
        }
    }
}

/// What to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct DeviceTypeChange {
    /// What it is.
    pub description: Option<String>,
    /// Whether it is listed.
    pub display: Option<bool>,
    /// LAVA's old "owners only".
    pub owners_only: Option<bool>,
    /// Whether health checks are off.
    pub health_disabled: Option<bool>,
    /// How often a health check is due.
    pub health_frequency: Option<i64>,
    /// `hours` or `jobs`.
    pub health_denominator: Option<String>,
    /// The architecture's name.
    pub architecture: Option<String>,
    /// The processor's family.
    pub processor: Option<String>,
    /// The processor's model.
    pub cpu_model: Option<String>,
    /// The width of a word.
    pub bits: Option<i64>,
    /// The names of the cores, separated by commas.
    pub cores: Option<String>,
    /// How many cores.
    pub core_count: Option<i64>,
}

const COLUMNS: &str = "y.name, y.description, y.display, y.owners_only, y.health_disabled, y.health_frequency, \
                       y.health_denominator, y.architecture, y.processor, y.cpu_model, y.bits, y.cores, \
                       y.core_count, y.template, y.health_check";

/// What may be asked; the key first.
pub(crate) const FIELDS: &[Field] = &[
    field("name", Kind::Text, "y.name"),
    field("description", Kind::Text, "y.description"),
    field("cpu_model", Kind::Text, "y.cpu_model"),
    field("display", Kind::Flag, "y.display"),
    field("disable_health_check", Kind::Flag, "y.health_disabled"),
    field("health_frequency", Kind::Int, "y.health_frequency"),
    field("health_denominator", Kind::Text, "y.health_denominator"),
    field("core_count", Kind::Int, "y.core_count"),
    field("architecture__name", Kind::Text, "y.architecture"),
    field("processor__name", Kind::Text, "y.processor"),
    field("bits__width", Kind::Int, "y.bits"),
    field("cores__name", Kind::Text, "y.cores"),
    related(
        "alias__name",
        Kind::Text,
        "a.name",
        "EXISTS (SELECT 1 FROM aliases a WHERE a.device_type = y.name AND $)",
    ),
];

fn device_type(row: &Row) -> Result<DeviceType, DbError> {
    Ok(DeviceType {
        name: row.text("name")?,
        description: row.maybe_text("description")?,
        display: row.flag("display")?,
        owners_only: row.flag("owners_only")?,
        health_disabled: row.flag("health_disabled")?,
        health_frequency: row.int("health_frequency")?,
        health_denominator: row.text("health_denominator")?,
        architecture: row.maybe_text("architecture")?,
        processor: row.maybe_text("processor")?,
        cpu_model: row.maybe_text("cpu_model")?,
        bits: row.maybe_int("bits")?,
        cores: row.maybe_text("cores")?,
        core_count: row.maybe_int("core_count")?,
        template: row.maybe_text("template")?,
        health_check: row.maybe_text("health_check")?,
    })
}

impl Condition {
    /// A condition on device types.
    pub fn on_device_types(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Order {
    /// An order of device types.
    pub fn of_device_types(name: &str) -> Option<Self> {
        query::order(FIELDS, name)
    }
}

impl Reader {
    /// The device type of this name.
    pub async fn device_type(&mut self, name: &str) -> Result<Option<DeviceType>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM device_types y WHERE y.name = $1");
        self.row(sql, params![name]).await?.as_ref().map(device_type).transpose()
    }

    /// Device types the viewer may see that fit all conditions.
    pub async fn device_types(
        &mut self,
        viewer: &Viewer,
        conditions: &[Condition],
        orders: &[Order],
        page: Page,
    ) -> Result<Listing<DeviceType>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        if !viewer.is_superuser {
            for hidden in &viewer.hidden_types {
                clause.and("y.name <> $?", params![hidden]);
            }
        }
        let filter = clause.clause();
        let sql = format!("SELECT COUNT(*) AS n FROM device_types y{filter}");
        let total = self.count(sql, clause.params.clone()).await?;
        let sql =
            format!("SELECT {COLUMNS} FROM device_types y{filter}{}", query::tail(orders, "y.name", page));
        let rows = self.rows(sql, clause.params).await?.iter().map(device_type).collect::<Result<_, _>>()?;
        Ok(Listing { total, rows })
    }

    /// The templates that were set here, by type: what `extends` may name besides the library.
    pub async fn device_type_templates(&mut self) -> Result<Vec<(String, String)>, DbError> {
        let sql = "SELECT name, template FROM device_types WHERE template IS NOT NULL ORDER BY name";
        let rows = self.rows(sql, params![]).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.text("template")?))).collect()
    }
}

impl Writer {
    /// Adds a device type.
    pub async fn insert_device_type(&mut self, new: &DeviceType) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO device_types (name, description, display, owners_only, health_disabled, health_frequency, \
             health_denominator, architecture, processor, cpu_model, bits, cores, core_count, template, health_check) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            params![
                &new.name,
                &new.description,
                new.display,
                new.owners_only,
                new.health_disabled,
                new.health_frequency,
                &new.health_denominator,
                &new.architecture,
                &new.processor,
                &new.cpu_model,
                new.bits,
                &new.cores,
                new.core_count,
                &new.template,
                &new.health_check
            ],
        )
        .await?;
        Ok(())
    }

    /// Changes what is given; `false` when there is no such type.
    pub async fn update_device_type(
        &mut self,
        name: &str,
        change: &DeviceTypeChange,
    ) -> Result<bool, DbError> {
        let flag = |value: Option<bool>| value.map(i64::from);
        let touched = self
            .execute(
                "UPDATE device_types SET description = COALESCE($1, description), display = COALESCE($2, display), \
                 owners_only = COALESCE($3, owners_only), health_disabled = COALESCE($4, health_disabled), \
                 health_frequency = COALESCE($5, health_frequency), \
                 health_denominator = COALESCE($6, health_denominator), \
                 architecture = COALESCE($7, architecture), processor = COALESCE($8, processor), \
                 cpu_model = COALESCE($9, cpu_model), bits = COALESCE($10, bits), cores = COALESCE($11, cores), \
                 core_count = COALESCE($12, core_count) WHERE name = $13",
                params![
                    &change.description,
                    flag(change.display),
                    flag(change.owners_only),
                    flag(change.health_disabled),
                    change.health_frequency,
                    &change.health_denominator,
                    &change.architecture,
                    &change.processor,
                    &change.cpu_model,
                    change.bits,
                    &change.cores,
                    change.core_count,
                    name
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Sets or removes the template; `false` when there is no such type.
    pub async fn set_template(&mut self, name: &str, template: Option<&str>) -> Result<bool, DbError> {
        let sql = "UPDATE device_types SET template = $1 WHERE name = $2";
        Ok(self.execute(sql, params![template, name]).await? > 0)
    }

    /// Sets or removes the health check; `false` when there is no such type.
    pub async fn set_health_check(&mut self, name: &str, definition: Option<&str>) -> Result<bool, DbError> {
        let sql = "UPDATE device_types SET health_check = $1 WHERE name = $2";
        Ok(self.execute(sql, params![definition, name]).await? > 0)
    }

    /// Removes a device type; `false` when there is none. One with devices stays: [`DbError::StillReferenced`].
    pub async fn delete_device_type(&mut self, name: &str) -> Result<bool, DbError> {
        let touched = self.execute("DELETE FROM device_types WHERE name = $1", params![name]).await?;
        self.forget_permissions(ObjectKind::DeviceType, name).await?;
        Ok(touched > 0)
    }
}
