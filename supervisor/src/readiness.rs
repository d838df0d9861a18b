//! Whether apps and the pod are ready.

use pod::manifest::{ReadyWhen, Role};

use crate::action::Action;
use crate::member::{Member, Run, State};
use crate::supervisor::{Phase, Supervisor};

impl Supervisor {
    /// Tells what has changed.
    pub(crate) fn tell_readiness(&mut self) {
        for member in &mut self.members {
            let ready = member.run().is_some_and(Run::is_ready);
            if std::mem::replace(&mut member.told_ready, ready) != ready {
                let app = member.plan.name.clone();
                self.actions.push(Action::AppReady { app, ready });
            }
        }
        let ready = self.pod_is_ready();
        if std::mem::replace(&mut self.told_ready, ready) != ready {
            self.actions.push(Action::PodReady(ready));
        }
    }

    fn pod_is_ready(&self) -> bool {
        match self.phase {
            Phase::New | Phase::Starting | Phase::Restarting { .. } | Phase::Over => false,
            // What has been said once stays so until the end.
            Phase::Ending { .. } => self.told_ready && self.is_served(),
            Phase::Running => self.is_served(),
        }
    }

    fn is_served(&self) -> bool {
        match self.plan.ready_when {
            ReadyWhen::Started => true,
            ReadyWhen::Healthy | ReadyWhen::Notified => self.members.iter().all(serves),
        }
    }
}

/// Whether the pod does not lack this app: it serves, or has done what it was there for.
fn serves(member: &Member) -> bool {
    match &member.state {
        State::Running(run) => run.is_ready(),
        State::Ended { code } => member.asked || *code == 0,
        // It has joined later, and nobody has wanted it to start.
        State::Waiting => true,
        State::Starting | State::BackingOff { .. } => member.plan.role == Role::Init,
    }
}
