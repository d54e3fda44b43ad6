//! The list of platforms, nothing else.

use std::rc::Rc;

use pumice_platform::Platform;
use pumice_platform_command::CommandPlatform;
use pumice_platform_fvp::Fvp;
/// Looks at the program of a model: `pumice model add` and `check`.
pub use pumice_platform_fvp::examine;
use pumice_platform_qemu::Qemu;

/// All platforms there are. A new one needs one line here.
pub fn all() -> Vec<Rc<dyn Platform>> {
    vec![Rc::new(Fvp), Rc::new(Qemu), Rc::new(CommandPlatform)]
}
