//! Plans services beside the job (lava-compat 1.7).

use pumice_job::Service;
use pumice_types::Diagnostic;
use pumice_yaml::Node;

use super::{Builder, NOT_ON_DEVICE, overlay::fetch_steps};
use crate::{
    scope::{BlockScopes, Scope},
    test::ServicePlan,
};

impl Builder<'_> {
    /// The services of a block.
    pub(crate) fn services(
        &mut self,
        services: &[Service],
        parent: &Scope,
        scopes: &mut BlockScopes<'_>,
    ) -> Vec<ServicePlan> {
        self.check_services(services);
        let plan = |service: &Service| {
            let (fetch, archive) = fetch_steps(&service.from, parent, scopes);
            let start = scopes.step(parent, "docker-compose-service");
            ServicePlan { service: service.clone(), fetch, archive, start }
        };
        services.iter().map(plan).collect()
    }

    /// The device must allow it: who writes the file of a composition may mount any directory of the host.
    fn check_services(&mut self, services: &[Service]) {
        let allowed = self.device.node.at(&["parameters", "allow_test_services"]).and_then(Node::as_bool);
        let Some(first) = services.first().filter(|_| allowed != Some(true)) else { return };
        let name = if self.device.hostname.is_empty() { "the device" } else { self.device.hostname.as_str() };
        let message = format!("{name} does not allow services beside its jobs");
        self.diagnostics.push(Diagnostic::error(NOT_ON_DEVICE, first.span, message).help(
            "the operator allows them with `allow_test_services: true` below the device's `parameters` \
             (`{% set allow_test_services = true %}` in its dictionary): they may do anything on the host",
        ));
    }
}
