//! One app after the other has its turn.

use std::time::Instant;

use pod::manifest::{Lifetime, Role};

use crate::action::{Action, EndCause};
use crate::member::{Hook, Member, State};
use crate::supervisor::{Phase, Supervisor};

/// What an app whose turn it is has come to.
enum Turn {
    Start,
    NotYet,
    Over,
}

fn turn(member: &Member) -> Turn {
    let role = member.plan.role;
    match &member.state {
        // It was stopped before, or nobody has wanted it to start.
        State::Waiting if member.asked || (member.has_joined && !member.had_start) => Turn::Over,
        State::Waiting => Turn::Start,
        State::Starting => Turn::NotYet,
        State::Running(run) => {
            let is_over = match role {
                Role::Init => false,
                Role::Sidecar => run.has_come_up(),
                Role::Main => matches!(run.post_start, Hook::Over | Hook::Dropped),
            };
            if is_over { Turn::Over } else { Turn::NotYet }
        }
        // What it is waited for may still come, but for a main app nobody is made to wait.
        State::BackingOff { .. } if role == Role::Main => Turn::Over,
        State::BackingOff { .. } => Turn::NotYet,
        State::Ended { .. } => Turn::Over,
    }
}

impl Supervisor {
    /// Goes as far as it can with what is known.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.begin_again(now);
        while self.phase == Phase::Starting {
            let Some(member) = self.members.get_mut(self.turns) else {
                self.phase = Phase::Running;
                break;
            };
            match turn(member) {
                Turn::Start => {
                    member.begin_turn();
                    self.actions.push(Action::Start(member.plan.name.clone()));
                    break;
                }
                Turn::NotYet => break,
                Turn::Over => self.turns += 1,
            }
        }
        if self.phase == Phase::Running && self.is_done() {
            self.begin_to_end(self.plan.grace, None, EndCause::Done, now);
        }
        let over = self.go_on_ending(now);
        self.tell_readiness();
        let over = over.map(|exit_code| Action::Over { exit_code });
        self.actions.extend(over);
    }

    /// Whether all main apps have ended, and that is the end of the pod.
    fn is_done(&self) -> bool {
        let mut mains = self
            .members
            .iter()
            .filter(|member| member.plan.role == Role::Main);
        self.plan.lifetime == Lifetime::WithApps
            && mains.all(|member| matches!(member.state, State::Waiting | State::Ended { .. }))
    }
}
