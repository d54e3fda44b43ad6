//! Containers that a job asks for.

use pumice_types::{Span, Spanned};
use serde::Serialize;

/// A container image and how to run it. The key for the image is `image` or `name`, after the block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Container {
    /// The image.
    pub image: Spanned<String>,
    /// Take the image that is here, and pull only when there is none.
    pub local: bool,
    /// The name the container gets, or its beginning.
    pub container_name: Option<Spanned<String>>,
    /// The namespace whose container it shares its network with.
    pub network_from: Option<Spanned<String>>,
    /// How to log in to the registry.
    pub login: Option<RegistryLogin>,
    /// The program in the image, where the block names one.
    pub binary: Option<Spanned<String>>,
    /// Devices of the host it may use.
    pub devices: Vec<Spanned<String>>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// How to log in to a registry.
#[derive(Clone, PartialEq, Serialize)]
pub struct RegistryLogin {
    /// The registry.
    pub registry: Spanned<String>,
    /// The user.
    pub user: Spanned<String>,
    /// The password, or `$NAME` of a secret. Never shown.
    #[serde(skip)]
    pub password: Spanned<String>,
}

/// Never shows the password.
impl std::fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryLogin")
            .field("registry", &self.registry.value)
            .field("user", &self.user.value)
            .finish_non_exhaustive()
    }
}
