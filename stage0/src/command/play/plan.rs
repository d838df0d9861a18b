//! What files and flags ask for.

use engine::pods::spec::PodSpec;
use pod_yaml::{ClaimPlan, Login};

/// What files and flags ask for.
pub(super) struct Plan {
    pub(super) specs: Vec<PodSpec>,
    pub(super) claims: Vec<ClaimPlan>,
    pub(super) logins: Vec<Login>,
}
