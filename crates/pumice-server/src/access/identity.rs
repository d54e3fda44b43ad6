//! Who asks.

use std::collections::BTreeSet;

use pumice_db::{DbError, Group, Job, ObjectKind, Reader, User, Viewer};

use super::{Scope, Scopes};
use crate::refusal::Refusal;

/// Who asks, with everything that decides what is allowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// The user; `None` for somebody unknown.
    pub(crate) user: Option<User>,
    /// The user's groups.
    pub(crate) groups: Vec<Group>,
    /// What may be seen.
    pub(crate) viewer: Viewer,
    /// `app.codename` of every global permission.
    permissions: BTreeSet<String>,
    /// What the token may be used for.
    scopes: Scopes,
}

impl Identity {
    /// Gathers what is known of a user.
    pub(crate) async fn of(reader: &mut Reader, user: Option<User>, scopes: Scopes) -> Result<Self, DbError> {
        let Some(user) = user else {
            return Ok(Self { viewer: reader.viewer(None, false).await?, ..Self::default() });
        };
        let permissions = reader.effective_permissions(user.id).await?;
        Ok(Self {
            groups: reader.groups_of_user(user.id).await?,
            viewer: reader.viewer(Some(user.id), user.is_superuser).await?,
            permissions: permissions.iter().map(|p| format!("{}.{}", p.app, p.codename)).collect(),
            scopes,
            user: Some(user),
        })
    }

    /// The name, or LAVA's word for somebody unknown.
    pub(crate) fn name(&self) -> &str {
        self.user.as_ref().map_or("AnonymousUser", |user| user.username.as_str())
    }

    pub(crate) fn is_superuser(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.is_superuser)
    }

    /// Whether tokens of workers and of jobs are shown: whoever has one can speak as that worker, so that a token which may only look or
    /// submit must not lead to them.
    pub(crate) fn sees_tokens(&self) -> bool {
        self.is_superuser() && self.scopes.allow(Scope::Manage)
    }

    /// The user, or a refusal.
    pub(crate) fn logged_in(&self) -> Result<&User, Refusal> {
        self.user.as_ref().ok_or_else(Refusal::login_required)
    }

    /// The user, if the token may be used so.
    pub(crate) fn using(&self, scope: Scope) -> Result<&User, Refusal> {
        let user = self.logged_in()?;
        if self.scopes.allow(scope) {
            Ok(user)
        } else {
            Err(Refusal::Forbidden(format!("This token may not be used to {}.", scope.as_str())))
        }
    }

    /// What the token may be used for.
    pub(crate) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether the user has a global permission, `app.codename`.
    pub(crate) fn has(&self, permission: &str) -> bool {
        self.is_superuser() || self.permissions.contains(permission)
    }

    /// Refuses who has not a global permission, in LAVA's words.
    pub(crate) fn needs(&self, permission: &str) -> Result<&User, Refusal> {
        let user = self.using(Scope::Manage)?;
        if self.has(permission) {
            return Ok(user);
        }
        Err(Refusal::Forbidden(format!("User '{}' is missing permission {permission}.", user.username)))
    }

    fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own.name == group)
    }

    /// Whether the user has `permission` or a stronger one on an object. Being without any, `view` and `submit_to`
    /// are open (`open` says whether they are here); `change` never is.
    async fn may_on(
        &self,
        reader: &mut Reader,
        kind: ObjectKind,
        name: &str,
        permission: &str,
    ) -> Result<Option<bool>, DbError> {
        let granted = reader.permissions_on(kind, name).await?;
        let strength = |word: &str| kind.permissions().iter().position(|known| *known == word).unwrap_or(0);
        let wanted = strength(permission);
        if granted.iter().any(|grant| strength(&grant.permission) >= wanted && self.is_in(&grant.group)) {
            return Ok(Some(true));
        }
        let is_restricted = granted.iter().any(|grant| strength(&grant.permission) == wanted);
        Ok(is_restricted.then_some(false))
    }

    /// Whether the user may submit to a device.
    pub(crate) async fn may_submit_to(
        &self,
        reader: &mut Reader,
        device: &str,
        kind: &str,
    ) -> Result<bool, DbError> {
        if self.user.is_none() || self.is_superuser() {
            return Ok(self.is_superuser());
        }
        if !self.viewer.sees_device(device, kind) {
            return Ok(false);
        }
        if let Some(answer) = self.may_on(reader, ObjectKind::Device, device, "submit_to_device").await? {
            return Ok(answer);
        }
        if !reader.permissions_on(ObjectKind::Device, device).await?.is_empty() {
            return Ok(true);
        }
        Ok(self.may_on(reader, ObjectKind::DeviceType, kind, "submit_to_devicetype").await?.unwrap_or(true))
    }

    /// Whether the user may change a device, by a global permission, its own, or its type's.
    pub(crate) async fn may_change_device(
        &self,
        reader: &mut Reader,
        device: &str,
        kind: &str,
    ) -> Result<bool, DbError> {
        if self.user.is_none() || !self.scopes.allow(Scope::Manage) {
            return Ok(false);
        }
        if self.has("lava_scheduler_app.change_device") {
            return Ok(true);
        }
        let own = self.may_on(reader, ObjectKind::Device, device, "change_device").await?;
        let of_type = self.may_on(reader, ObjectKind::DeviceType, kind, "change_devicetype").await?;
        Ok(own == Some(true) || of_type == Some(true))
    }

    /// Whether the user may change a device type.
    pub(crate) async fn may_change_type(&self, reader: &mut Reader, name: &str) -> Result<bool, DbError> {
        if self.user.is_none() || !self.scopes.allow(Scope::Manage) {
            return Ok(false);
        }
        Ok(self.has("lava_scheduler_app.change_devicetype")
            || self.may_on(reader, ObjectKind::DeviceType, name, "change_devicetype").await? == Some(true))
    }

    /// Whether the user may change a worker.
    pub(crate) async fn may_change_worker(&self, reader: &mut Reader, name: &str) -> Result<bool, DbError> {
        if self.user.is_none() || !self.scopes.allow(Scope::Manage) {
            return Ok(false);
        }
        Ok(self.has("lava_scheduler_app.change_worker")
            || self.may_on(reader, ObjectKind::Worker, name, "change_worker").await? == Some(true))
    }

    /// Whether the user may end or annotate a job.
    pub(crate) async fn may_change_job(&self, reader: &mut Reader, job: &Job) -> Result<bool, DbError> {
        let Some(user) = &self.user else { return Ok(false) };
        if !self.scopes.allow(Scope::Submit) {
            return Ok(false);
        }
        if user.id == job.submitter_id || self.has("lava_scheduler_app.cancel_resubmit_testjob") {
            return Ok(true);
        }
        let kind = job.requested_device_type.clone().unwrap_or_default();
        match &job.actual_device {
            Some(device) => self.may_change_device(reader, device, &kind).await,
            None => Ok(false),
        }
    }
}
